// HTML with buttons that is brought up to date in place.
//
// Runs behind patch.js as the body of Gradio's js_on_load with `element`, `props`, `watch` and
// `trigger`. Gradio would
// replace the whole content at each update: a button that is being pressed would be gone before it is
// let go, focus would be lost, and what was unfolded would fold. Here only what differs is changed.
// A button with data-action tells the server its data-… attributes.

const root = element.querySelector(".mt-live");

function show() {
  const next = document.createElement("template");
  next.innerHTML = props.value || "";
  patch(root, next.content);
}

root.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (button && !button.disabled) trigger("click", { ...button.dataset });
});

watch("value", show);
show();
