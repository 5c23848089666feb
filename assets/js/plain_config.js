// Makes Gradio's page cheap to build: its configuration is read as data (ui/page_source.py), and what never
// changes in it is not watched for changes.
//
// Gradio's script keeps what the page is made of in a deep state of Svelte's, which wraps each object at
// each look. It looks through all events for each component, twice: with some hundreds of either that was
// the better part of a second. Svelte watches plain arrays and objects only, and nothing in these lists
// ever changes.
{
  const data = document.getElementById("gradio-config");
  if (data) window.gradio_config = JSON.parse(data.textContent);
  class Fixed extends Array {}
  class Thing {}
  const config = window.gradio_config;
  for (const list of [config.components, config.dependencies]) {
    if (Array.isArray(list)) Object.setPrototypeOf(list, Fixed.prototype);
  }
  for (const { layout } of Object.values(config.page ?? {})) {
    if (layout) Object.setPrototypeOf(layout, Thing.prototype);
  }
}
