// Gradio's way from an id to its component, in place of the one that it has (ui/mends.py).
//
// Its own goes through the whole tree, each time, for every input and target of every event: with five
// hundred components that took most of the time of each key in the form. This one remembers the way down to
// each and goes it again, so that what it gives is always what the tree holds now.
const waysByRoot = new WeakMap();
function noteWays(node, way, ways) {
  ways.set(node.id, way);
  (node.children ?? []).forEach((child, place) => noteWays(child, [...way, place], ways));
  return ways;
}
function searchAll(node, id) {
  if (node.id === id) return node;
  for (const child of node.children ?? []) {
    const found = searchAll(child, id);
    if (found) return found;
  }
  return null;
}
function Z(root, id) {
  const way = waysByRoot.get(root)?.get(id);
  const known = way?.reduce((node, place) => node?.children?.[place], root);
  if (known?.id === id) return known;
  const found = searchAll(root, id);
  if (found) waysByRoot.set(root, noteWays(root, [], new Map()));
  return found;
}
