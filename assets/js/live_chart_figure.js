// What Plotly draws: panels below each other on one x, a colour and a dash for each run.
//
// Put behind live_chart_curves.js. Everything is made from there at each drawing; Plotly finds what
// differs, and `uirevision` keeps the zoom.

const PANELS = [
  { axis: "y", figures: ["loss", "smoothed"], label: "loss", share: 3, log: true },
  { axis: "y2", figures: ["eval_loss"], label: "evaluation_loss", log: true },
  { axis: "y3", figures: ["learning_rate"], label: "learning_rate", ticks: ".2~e" },
  { axis: "y4", figures: ["grad_norm"], label: "grad_norm", log: true },
  { axis: "y5", figures: ["speed"], label: "speed", ticks: ".4~s" },
  { axis: "y6", figures: ["memory"], label: "memory" },
  { axis: "y7", figures: ["gpu_memory"], label: "gpu_memory" },
  { axis: "y8", figures: ["gpu_use"], label: "gpu_use" },
];
// The learning rate as it is written in configurations, 1e-4.
const HOVER = { learning_rate: ".5~e", speed: ",.0f", memory: ".3~f", gpu_memory: ".3~f", gpu_use: ".0f" };
const LABELS = { eval_loss: "evaluation_loss" };
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
const COLOURS = 8;
const CHECKPOINTS = "checkpoints";
const MOST_NAMED_EPOCHS = 12;

let zooms = 0; // rises when the whole of x is to be shown again

const colour = (variable) => colourOf(root, variable);
// Plotly reads a little HTML in names, and what a person may name is text.
const plain = (words) => words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("%{", "% {");
const name = (run) => (run.length > 40 ? `${run.slice(0, 39)}…` : run);
const runColour = (place) => colour(`--mt-chart-${(place % COLOURS) + 1}`);
const runDash = (place) => DASHES[place % DASHES.length];

// ---- curves --------------------------------------------------------------------------------------

function traces() {
  const panels = panelsShown();
  return shown.flatMap((run, place) => [
    ...panels.flatMap(({ axis, figures }) =>
      // The first trace is always the main run's loss.
      figures
        .filter((figure) => points(run, figure).x.length || figure === "loss")
        .filter((figure) => figure !== "smoothed" || view.smoothing)
        .map((figure) => curve(run, place, figure, axis)),
    ),
    checkpointMarks(run, place),
  ]);
}

function curve(run, place, figure, axis) {
  const { x, y } = points(run, figure);
  const faint = figure === "loss" && view.smoothing;
  const figureName = label(LABELS[figure] ?? figure);
  const title = shown.length > 1 ? `${name(run)} · ${figureName}` : figureName;
  const tint = runColour(place);
  return {
    uid: `${figure} ${run}`,
    meta: { run, figure },
    name: plain(title),
    type: "scatter",
    mode: figure === "smoothed" ? "lines" : "lines+markers",
    x,
    y,
    yaxis: axis,
    visible: !hidden.has(run),
    opacity: faint ? 0.35 : 1,
    line: { color: tint, width: faint ? 1.2 : 2, dash: faint ? "solid" : runDash(place) },
    // A run's first point is no line yet.
    marker: figure === "eval_loss" ? { size: 7, symbol: "diamond", color: tint, maxdisplayed: 60 } : { size: 4, color: tint, maxdisplayed: 60 },
    hovertemplate: `%{y:${HOVER[figure] ?? ".6~g"}}`,
  };
}

function checkpointMarks(run, place) {
  const places = checkpointPlaces(run);
  const tint = runColour(place);
  return {
    uid: `${CHECKPOINTS} ${run}`,
    meta: { run, figure: CHECKPOINTS },
    name: plain(name(run)),
    type: "scatter",
    mode: "markers",
    x: places.map(({ x }) => x),
    y: places.map(({ y }) => y),
    customdata: places.map((one) => one.name),
    text: places.map((one) => plain(label("checkpoint").replace("{name}", one.name))),
    visible: !hidden.has(run),
    marker: { size: 11, symbol: "square", color: groundOf(root), line: { color: tint, width: 2 } },
    hovertemplate: "%{text}",
  };
}

function checkpointPlaces(run) {
  return ((wanted().checkpoints ?? {})[run] ?? []).flatMap(([title, step]) => {
    const found = place(run, step);
    return found && found.y !== null ? [{ name: title, ...found }] : [];
  });
}

// ---- panels --------------------------------------------------------------------------------------

const panelsShown = () => PANELS.filter(({ figures, axis }) => axis === "y" || figures.some(has));

function domains(panels) {
  // From above; each has room for its title over it.
  const gap = 0.045;
  const shares = panels.map(({ share }) => share ?? 1);
  const unit = (1 - gap * panels.length) / shares.reduce((sum, share) => sum + share, 0);
  let top = 1;
  return shares.map((share) => {
    const end = top - gap;
    top = end - share * unit;
    return [Math.max(top, 0), end];
  });
}

const axisName = (axis) => axis.replace("y", "yaxis");

function layout() {
  const [text, line, fill] = [colour("--body-text-color"), colour("--border-color-primary"), groundOf(root)];
  const panels = panelsShown();
  const parts = domains(panels);
  const axis = { gridcolor: line, linecolor: line, zerolinecolor: line, tickcolor: line, spikecolor: line };
  const revision = `${shown[0] ?? ""} ${view.axis} ${zooms}`;
  const lowest = panels[panels.length - 1].axis;
  const vertical = panels.map(({ axis: id, log, ticks }, i) => [
    axisName(id),
    {
      ...axis,
      domain: parts[i],
      showspikes: false,
      automargin: false,
      nticks: i ? 4 : 8,
      type: log && view.log ? "log" : "linear",
      exponentformat: "power",
      autorange: true,
      uirevision: `${revision} ${view.log}`,
      // A constant rate has no range of its own: Plotly would draw from -1 to 1 and call 1e-4 nothing.
      ...(ticks ? { tickformat: ticks, rangemode: "tozero" } : {}),
    },
  ]);
  return {
    autosize: true,
    uirevision: revision,
    margin: { l: 72, r: 16, t: 8, b: 48 },
    paper_bgcolor: fill,
    plot_bgcolor: fill,
    font: { family: getComputedStyle(root).fontFamily, size: 13, color: text },
    hovermode: "x unified",
    hoversubplots: "axis",
    hoverlabel: { bgcolor: fill, bordercolor: line, font: { color: text } },
    showlegend: false,
    xaxis: {
      ...axis,
      title: { text: label(view.axis), font: { size: 13 }, standoff: 8 },
      anchor: lowest,
      rangemode: "tozero",
      autorange: true,
      tickformat: view.axis === "time" ? ",~r" : view.axis === "tokens" ? ".4~s" : ",",
      unifiedhovertitle: { text: `${label(view.axis)} %{x}` },
      spikethickness: 1,
      spikedash: "solid",
      uirevision: revision,
    },
    ...Object.fromEntries(vertical),
    annotations: panels.map(({ label: title }, i) => heading(label(title), parts[i][1])),
    shapes: epochLines(line, text, parts[0][1]),
  };
}

const heading = (words, y) => ({
  text: words,
  showarrow: false,
  xref: "paper",
  x: 0,
  xanchor: "left",
  yref: "paper",
  y,
  yanchor: "bottom",
  font: { size: 12 },
});

function epochLines(line, text, top) {
  const { epochs } = of(shown[0]);
  const named = epochs.length <= MOST_NAMED_EPOCHS;
  return epochs.map(([number, x]) => ({
    type: "line",
    xref: "x",
    yref: "paper",
    x0: x,
    x1: x,
    y0: 0,
    y1: top,
    layer: "below",
    name: `epoch ${number}`,
    line: { color: line, width: 1.5, dash: "dot" },
    opacity: 0.8,
    label: named
      ? { text: label("epoch").replace("{number}", number), textposition: "end", textangle: 0, yanchor: "top", xanchor: "right", font: { size: 10, color: text } }
      : {},
  }));
}

// Clicks, zoom and hover only: no tool bar, and no tips in a language that the page may not speak.
const OPTIONS = { displayModeBar: false, displaylogo: false, showTips: false, responsive: false };
