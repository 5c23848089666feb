// Gradio's way from an id to its component, in place of the one that it has (ui/patched.py).
//
// Its own goes through the whole tree, each time, for every input and target of every event: with five
// hundred components that took most of the time of each key in the form. The tree of a page is laid out
// once (MedTune renders nothing later); what is not found in it is looked for anew.
const componentsByRoot = new WeakMap();
function gather(node, found) {
  found.set(node.id, node);
  for (const child of node.children ?? []) gather(child, found);
  return found;
}
function Z(root, id) {
  const known = componentsByRoot.get(root)?.get(id);
  if (known) return known;
  const found = gather(root, new Map());
  componentsByRoot.set(root, found);
  return found.get(id) ?? null;
}
