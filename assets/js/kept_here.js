// Keeps the value of a component in the browser, and has it from there when a page loads.
//
// Runs behind a line `const settings = {…}` as the body of Gradio's js_on_load with `props` and `watch`.
try {
  const kept = JSON.parse(localStorage.getItem(settings.key));
  if (kept !== null) props.value = kept;
} catch {
  // Something else stands there, or the browser keeps nothing: the page begins as it is.
}
watch("value", () => localStorage.setItem(settings.key, JSON.stringify(props.value)));
