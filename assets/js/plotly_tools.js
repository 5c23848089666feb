// What every chart drawn by Plotly needs: its script, and the page's colours.
//
// Put before a chart's own script, as one body of Gradio's js_on_load. `settings` stands before it: not in
// `props`, since Gradio replaces a component's own props by nothing when an event skips it.

function loadPlotly() {
  // One script for all charts of the page, fetched beside everything else and never waited for by it.
  window.medtunePlotly ??= new Promise((resolve, reject) => {
    const { root: address = "", api_prefix: prefix = "" } = window.gradio_config ?? {};
    const script = document.createElement("script");
    script.src = `${address}${prefix}/file=${settings.plotly}`;
    script.onload = resolve;
    script.onerror = () => {
      window.medtunePlotly = undefined;
      script.remove();
      reject(new Error(`${script.src} could not be loaded`));
    };
    document.head.append(script);
  });
  return window.medtunePlotly;
}

function colourOf(node, variable) {
  // A custom property may hold any notation of a colour; the browser resolves it for Plotly.
  node.style.color = `var(${variable})`;
  const resolved = getComputedStyle(node).color;
  node.style.color = "";
  return resolved;
}

function groundOf(node) {
  // What lies behind a chart.
  for (let behind = node; behind; behind = behind.parentElement) {
    const fill = getComputedStyle(behind).backgroundColor;
    if (fill !== "rgba(0, 0, 0, 0)") return fill;
  }
  return "white";
}

function onTheme(react) {
  // Gradio's theme is a class on the body.
  const themes = new MutationObserver(react);
  for (const node of [document.documentElement, document.body]) {
    themes.observe(node, { attributes: true, attributeFilter: ["class"] });
  }
  return themes;
}
