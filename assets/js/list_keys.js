// Leads the Tab key from a list to choose from to what comes after it.
//
// Runs as the body of Gradio's js_on_load. A browser lets the keyboard into what scrolls, so the key went into
// the open list, which Gradio closes just then: the focus was nowhere.

function pass(event) {
  if (!element.isConnected) return document.removeEventListener("keydown", pass, true);
  if (event.key !== "Tab" || event.target.getAttribute?.("role") !== "combobox") return;
  const list = document.getElementById(event.target.getAttribute("aria-controls"));
  if (list) list.tabIndex = -1;
}

document.addEventListener("keydown", pass, true);
