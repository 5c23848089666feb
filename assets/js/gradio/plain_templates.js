// Templates of HTML that say what they are without being compiled (ui/mends.py).
//
// Gradio reads a template as Handlebars and then as a template literal, and makes a function of each for every
// drawing of every component. Nearly all say their value alone or always the same; null for any other.
function saidPlainly(template, values) {
  if (template === "${value}") return `${values.value}`;
  return /[`\\]|\$\{/.test(template) ? null : template;
}
