// Words in an empty place that lead to what is to be done next.
//
// Runs as the body of Gradio's js_on_load with `element` and `trigger`. A link's data-way is "tab",
// "tab#field" or "#field": its "way" event opens the tab, and the field gets the focus. The way "sample" is
// an event of its own.

const PATIENCE_MS = 10000;
const LOOK_MS = 50;

// A tab that is opened for the first time has no field yet.
function reach(id, until) {
  const field = document.querySelector(`#${CSS.escape(id)} :is(input, textarea):not([type=hidden])`);
  if (field?.checkVisibility()) {
    field.scrollIntoView({ block: "center" });
    field.focus();
  } else if (Date.now() < until) setTimeout(reach, LOOK_MS, id, until);
}

function go(event) {
  if (!element.isConnected) return document.removeEventListener("click", go);
  const way = event.target.closest("a[data-way]")?.dataset.way;
  if (!way) return;
  event.preventDefault();
  if (way === "sample") return trigger("sample");
  const [tab, field] = way.split("#");
  if (tab) trigger("way", { tab });
  if (field) reach(field, Date.now() + PATIENCE_MS);
}

document.addEventListener("click", go);
