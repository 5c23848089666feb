// HTML with buttons that is brought up to date in place.
//
// Runs behind patch.js, and formulas.js where there may be any, as the body of Gradio's js_on_load with
// `element`, `props`, `watch` and `trigger`. Gradio would replace the whole content at each update: a button that is being pressed would
// be gone before it is let go, focus would be lost, and what was unfolded would fold. Here only what
// differs is changed.
// A "live" event brings newer content than the value; `data-version` rises with each value.
// A button with data-action tells the server its data-… attributes.

const root = element.querySelector(".mt-live");

function show(content) {
  const next = document.createElement("template");
  next.innerHTML = content || "";
  patch(root, next.content);
  if (typeof typeset === "function") typeset(root);
}

let version = 0;

function renew() {
  root.dataset.version = ++version;
  show(props.value);
}

root.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (button && !button.disabled) trigger("click", { ...button.dataset });
});

root.addEventListener("live", ({ detail }) => show(detail));
watch("value", renew);
renew();
