// Renders what hidden tabs hold while nobody waits for anything (ui/mends.py).
//
// Gradio renders it when a tab is opened for the first time, all of it at once. Here a few components are
// rendered whenever the browser has nothing to do, so that the first time is as quick as any other.
const SLICE_MS = 8;
const MOST_AT_ONCE = 32;
// Safari has no idle callback.
const idle = () => new Promise((done) => (window.requestIdleCallback ?? setTimeout)(done));
// The tabs that are in no other tab.
function* outermostTabs(node) {
  if (node.type === "tabs") yield* node.children;
  else for (const child of node.children) yield* outermostTabs(child);
}
// The components that a first visit would render, parents first. As there, an accordion's content waits until
// it is opened, and a tab within a tab until it is chosen. Where the server is told which one is chosen, all
// of them wait for the visit, which is what it is to hear of.
function* firstSeen(node) {
  const tabs = node.type === "tabs";
  const chosen = tabs ? (node.props.props.selected ?? node.props.props.initial_tabs?.[0]?.id) : null;
  const shown = node.children.filter(
    (child) => !tabs || child.props.props.id === chosen || child.id === chosen,
  );
  const told = (child) => child.props.shared_props.attached_events?.includes("select");
  if (tabs && shown.some(told)) return;
  yield node;
  if (node.type === "accordion" && node.props.props.open === false) return;
  for (const child of shown) yield* firstSeen(child);
}
// Scripts look for other parts of their tab as soon as they run.
const scriptsLast = (node) => (node.type !== "html" ? 0 : node.props.props.js_on_load ? 2 : 1);
const setVisible = (node, visible) => {
  node.props.shared_props = { ...node.props.shared_props, visible };
};
async function renderAhead({ root, hidden, load, settled, tell }) {
  const unseen = (node) => hidden.has(node.id) && !node.props.shared_props.visible;
  let size = 1;
  for (const tab of outermostTabs(root)) {
    const nodes = [...firstSeen(tab)].sort((one, other) => scriptsLast(one) - scriptsLast(other));
    // Scripts that are never seen would run along with what they are in.
    const early = (node) => scriptsLast(node) === 2 && node.props.shared_props.visible === "hidden";
    const held = new Set(unseen(tab) ? nodes.filter(early) : []);
    for (const node of held) setVisible(node, false);
    while (nodes.length) {
      await idle();
      const began = performance.now();
      const slice = [];
      while (nodes.length && slice.length < size) {
        const node = nodes.shift();
        if (unseen(node) || held.has(node)) slice.push(node);
      }
      for (const node of slice) {
        setVisible(node, held.has(node) ? "hidden" : true);
        if (!node.component) load(node);
      }
      await settled();
      slice.forEach(tell);
      const quick = performance.now() - began < SLICE_MS;
      size = Math.max(1, Math.min(MOST_AT_ONCE, quick ? 2 * size : size >> 1));
    }
  }
}
