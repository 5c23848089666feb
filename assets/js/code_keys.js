// Lets the keyboard scroll code that is only read, whose scrolling box Gradio's editor takes out of the order
// of the Tab key; and makes of its button in a link, two things to press in one place, a link.
//
// Runs as the body of Gradio's js_on_load, behind a line `const settings = {…}` that names the blocks.

function mend(block) {
  const button = block.querySelector("a.download-link > button");
  if (button && button.tabIndex === 0) {
    button.tabIndex = -1;
    button.setAttribute("role", "presentation");
    button.parentElement.setAttribute("aria-label", button.getAttribute("aria-label"));
  }
  const scroller = block.querySelector(".cm-scroller");
  if (!scroller || scroller.tabIndex === 0) return;
  scroller.tabIndex = 0;
  scroller.setAttribute("role", "group");
  scroller.setAttribute("aria-labelledby", `${block.id}-name`);
  const label = block.querySelector("label");
  if (label) label.id = `${block.id}-name`;
}

// The blocks are fetched after this, and the editor in each is built later still.
const missing = new Set(settings.blocks);
function look() {
  for (const id of missing) {
    const block = document.getElementById(id);
    if (!block) continue;
    missing.delete(id);
    mend(block);
    new MutationObserver(() => mend(block)).observe(block, { childList: true, subtree: true });
  }
  if (!missing.size) waiting.disconnect();
}
const waiting = new MutationObserver(look);
waiting.observe(element.closest("[role=tabpanel]") ?? document.body, { childList: true, subtree: true });
look();
