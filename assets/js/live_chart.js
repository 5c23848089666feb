// The live chart: draws one run's loss and learning rate with Plotly and appends what is new.
//
// Runs behind plotly_tools.js as the body of Gradio's js_on_load with `element`, `props`, `server` and
// `watch`. The template never changes, so the nodes below live as long as the component; only Plotly
// touches the plot.
// It asks the server every `every_ms` while the run is active and the chart can be seen, and at the
// end until an answer brings nothing new. An answer is {offset, reset, points}.

const root = element.querySelector(".mt-chart");
const plot = root.querySelector(".mt-chart-plot");
const emptyNote = root.querySelector(".mt-chart-empty");
const errorNote = root.querySelector(".mt-chart-error");

const LONGEST_WAIT_MS = 30000;
// Points are {step, …}; one trace for each figure they may carry, in this order.
const FIGURES = ["loss", "eval_loss", "learning_rate"];
const LABELS = ["loss", "evaluation_loss", "learning_rate"];

let run = "";
let generation = 0; // rises with each change of run: an answer to an earlier one is not for this plot
let offset = 0;
let count = 0;
let caughtUp = true; // nothing was new when the server was last asked
let failures = 0;
let broken = false; // the plot itself could not be made; nothing is tried again
let asking = false;
let timer = null;

// ---- what the page says --------------------------------------------------------------------------

const wanted = () => props.value || {};
const label = (name) => (wanted().labels || {})[name] || "";

const colour = (variable) => colourOf(plot, variable);

function look() {
  const text = colour("--body-text-color");
  const line = colour("--border-color-primary");
  const accent = colour("--mt-chart-loss");
  const second = colour("--mt-chart-evaluation");
  const third = colour("--mt-chart-rate");
  const axis = Object.fromEntries(
    ["gridcolor", "linecolor", "zerolinecolor", "tickcolor", "spikecolor"].map((name) => [name, line]),
  );
  return { text, line, fill: groundOf(root), axis, traces: [accent, second, third] };
}

// ---- drawing -------------------------------------------------------------------------------------

function traces() {
  const { traces: colours } = look();
  const base = { x: [], y: [], type: "scatter" };
  return [
    { ...base, mode: "lines+markers", line: { width: 2 }, marker: { size: 4, maxdisplayed: 200 } },
    { ...base, mode: "markers", marker: { size: 9, symbol: "diamond" }, showlegend: false },
    { ...base, mode: "lines", line: { width: 2 }, yaxis: "y2", showlegend: false },
  ].map((trace, i) => ({
    ...trace,
    name: label(LABELS[i]),
    hovertemplate: hoverTemplates()[i],
    line: { ...trace.line, color: colours[i] },
    marker: { ...trace.marker, color: colours[i] },
  }));
}

function layout() {
  const { text, line, fill, axis } = look();
  return {
    autosize: true,
    margin: { l: 72, r: 16, t: 32, b: 48 },
    paper_bgcolor: fill,
    plot_bgcolor: fill,
    font: { family: getComputedStyle(root).fontFamily, size: 13, color: text },
    hovermode: "x unified",
    hoversubplots: "axis",
    hoverlabel: { bgcolor: fill, bordercolor: line, font: { color: text } },
    showlegend: true,
    legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom" },
    xaxis: {
      ...axis,
      title: { text: label("step"), font: { size: 13 }, standoff: 8 },
      anchor: "y2",
      rangemode: "tozero",
      tickformat: ",",
      unifiedhovertitle: { text: hoverTitle() },
      spikethickness: 1,
      spikedash: "solid",
    },
    yaxis: { ...axis, domain: [0.4, 1], showspikes: false },
    yaxis2: { ...axis, domain: [0, 0.26], showspikes: false, tickformat: ".2~e", nticks: 4 },
    annotations: [
      {
        text: label("learning_rate"),
        showarrow: false,
        xref: "paper",
        x: 0,
        xanchor: "left",
        yref: "paper",
        y: 0.27,
        yanchor: "bottom",
      },
    ],
  };
}

const hoverTitle = () => `${label("step")} %{x}`;

// Six significant digits; the learning rate as it is written in configurations, 1e-4.
// The hover gathers what is near; an evaluation says its own step, which may not be the title's.
const hoverTemplates = () => ["%{y:.6~g}", `%{y:.6~g} (${hoverTitle()})`, "%{y:.5~e}"];

// Clicks, zoom and hover only: no tool bar, and no tips in a language that the page may not speak.
const OPTIONS = { displayModeBar: false, displaylogo: false, showTips: false, responsive: false };

function redrawWords() {
  Plotly.update(
    plot,
    { name: LABELS.map(label), hovertemplate: hoverTemplates() },
    {
      "xaxis.title.text": label("step"),
      "xaxis.unifiedhovertitle.text": hoverTitle(),
      "annotations[0].text": label("learning_rate"),
    },
  );
}

function redrawColours() {
  const { text, line, fill, axis, traces: colours } = look();
  const axes = ["xaxis", "yaxis", "yaxis2"].flatMap((name) =>
    Object.entries(axis).map(([key, value]) => [`${name}.${key}`, value]),
  );
  Plotly.update(
    plot,
    { "line.color": colours, "marker.color": colours },
    {
      ...Object.fromEntries(axes),
      paper_bgcolor: fill,
      plot_bgcolor: fill,
      "font.color": text,
      "hoverlabel.bgcolor": fill,
      "hoverlabel.bordercolor": line,
      "hoverlabel.font.color": text,
    },
  );
}

function notes() {
  root.dataset.run = run;
  root.dataset.points = count;
  root.setAttribute("aria-label", [label("loss"), label("learning_rate")].join(", "));
  emptyNote.textContent = label("empty");
  emptyNote.hidden = count > 0;
  // One failure may be a hiccup; a second in a row is worth a word.
  errorNote.textContent = (!broken && label("error")) || "⚠";
  errorNote.hidden = failures < 2 && !broken;
}

function clear({ keepZoom }) {
  offset = 0;
  count = 0;
  root.dataset.lastStep = "";
  const whole = { "xaxis.autorange": true, "yaxis.autorange": true, "yaxis2.autorange": true };
  Plotly.update(
    plot,
    { x: FIGURES.map(() => []), y: FIGURES.map(() => []), showlegend: [true, false, false] },
    keepZoom ? {} : whole,
  );
}

function append(points) {
  if (!points.length) return;
  const perFigure = FIGURES.map((name) => points.filter((point) => Number.isFinite(point[name])));
  if (perFigure[1].length && !plot.data[1].showlegend) {
    Plotly.restyle(plot, { showlegend: true }, [1]);
  }
  Plotly.extendTraces(
    plot,
    {
      x: perFigure.map((some) => some.map((point) => point.step)),
      y: perFigure.map((some, i) => some.map((point) => point[FIGURES[i]])),
    },
    [0, 1, 2],
  );
  count += points.length;
  root.dataset.lastStep = points[points.length - 1].step;
}

// ---- asking --------------------------------------------------------------------------------------

const visible = () => document.visibilityState === "visible" && root.checkVisibility();
const more = () => run !== "" && (wanted().active || !caughtUp);

async function ask() {
  if (asking || !more() || !visible()) return;
  asking = true;
  const asked = { run, offset };
  const askedIn = generation;
  // Gradio's client reports a failed call on the console and gives undefined.
  const answer = await server.points(asked).catch(() => undefined);
  asking = false;
  if (askedIn !== generation) return void ask(); // another run was chosen meanwhile, or this one anew
  if (answer && Array.isArray(answer.points)) {
    failures = 0;
    if (answer.reset && count) clear({ keepZoom: true });
    append(answer.points);
    offset = answer.offset;
    caughtUp = answer.points.length === 0;
  } else {
    failures += 1;
  }
  notes();
}

function waitTime() {
  return Math.min(settings.every_ms * 2 ** failures, LONGEST_WAIT_MS);
}

function loop() {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    if (!root.isConnected) return leave();
    await ask();
    loop();
  }, waitTime());
}

function follow() {
  const next = wanted().run || "";
  if (next !== run) {
    run = next;
    generation += 1;
    failures = 0;
    clear({ keepZoom: false });
  }
  caughtUp = false;
  redrawWords();
  notes();
  ask();
}

// ---- beginning and end ---------------------------------------------------------------------------

async function havePlotly() {
  // The note says that it is tried again, and so it is; false when the chart has left the page.
  while (root.isConnected) {
    try {
      await loadPlotly();
      failures = 0;
      return true;
    } catch (error) {
      console.error(error);
      failures = Math.max(failures + 1, 2);
      notes();
      await new Promise((resolve) => setTimeout(resolve, waitTime()));
    }
  }
  return false;
}

const sizes = new ResizeObserver(() => {
  if (!root.checkVisibility()) return;
  Plotly.Plots.resize(plot);
  ask(); // shown again, for instance by a change of tab: catch up at once
});
let themes = null;
const shown = () => void ask();

function leave() {
  clearTimeout(timer);
  sizes.disconnect();
  themes.disconnect();
  document.removeEventListener("visibilitychange", shown);
  Plotly.purge(plot);
}

async function begin() {
  notes();
  if (!(await havePlotly())) return;
  await Plotly.newPlot(plot, traces(), layout(), OPTIONS);
  sizes.observe(plot);
  themes = onTheme(redrawColours);
  document.addEventListener("visibilitychange", shown);
  watch("value", follow);
  follow();
  loop();
}

begin().catch((error) => {
  broken = true;
  notes();
  console.error(error);
});
