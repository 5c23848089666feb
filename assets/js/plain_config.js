// Makes Gradio's page cheap to build: what never changes is not watched for changes.
//
// Gradio's script keeps what the page is made of in a deep state of Svelte's, which wraps each object at
// each look. It looks through all events for each component, twice: with some hundreds of either that was
// the better part of a second. Svelte watches plain arrays and objects only, and nothing in these lists
// ever changes.
{
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
