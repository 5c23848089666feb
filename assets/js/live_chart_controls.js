// How the live chart is looked at: its controls, its legend, zoom and clicks.
//
// Put behind live_chart_figure.js. Plain HTML, so that a keyboard reaches it. What is chosen is kept
// by the browser for the next visit.

const STORED = "medtune.chart";
const NEAR = 14; // pixels between a click and the marker that is meant

const control = (title) => root.querySelector(`[data-control="${title}"]`);
const AXES = ["step", "tokens", "time"];

function remember() {
  const { axis, smoothing, log } = view;
  try {
    localStorage.setItem(STORED, JSON.stringify({ axis, smoothing, log }));
  } catch (error) {
    console.warn(error); // a browser that keeps nothing: chosen for this visit only
  }
}

function recall() {
  let stored = null;
  try {
    stored = JSON.parse(localStorage.getItem(STORED));
  } catch (error) {
    console.warn(error);
  }
  const { axis, smoothing, log } = stored ?? {};
  if (AXES.includes(axis)) view.axis = axis;
  if (Number.isFinite(smoothing)) view.smoothing = Math.min(Math.max(smoothing, 0), 0.99);
  view.log = log === true;
  control("axis").value = view.axis;
  control("smoothing").value = view.smoothing;
  control("log").checked = view.log;
}

function words() {
  for (const node of root.querySelectorAll("[data-word]")) node.textContent = label(node.dataset.word);
  root.querySelector("output").textContent = view.smoothing.toFixed(2);
  root.setAttribute("aria-label", label("loss"));
  legend.setAttribute("aria-label", label("legend"));
  control("reset").hidden = !view.window;
}

// ---- legend --------------------------------------------------------------------------------------

function drawLegend() {
  legend.title = label("legend");
  if (JSON.stringify([...legend.children].map((button) => button.dataset.run)) !== JSON.stringify(shown)) {
    legend.replaceChildren(...shown.map(legendButton));
  }
  [...legend.children].forEach((button, place) => {
    button.setAttribute("aria-pressed", String(!hidden.has(button.dataset.run)));
    button.querySelector("line").style.stroke = `var(--mt-chart-${(place % COLOURS) + 1})`;
  });
}

function legendButton(run, place) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "mt-chart-run";
  button.dataset.run = run;
  button.innerHTML = '<svg viewBox="0 0 32 8" aria-hidden="true"><line x1="0" y1="4" x2="32" y2="4" /></svg>';
  button.querySelector("line").classList.add(`mt-chart-${runDash(place)}`);
  button.append(run);
  button.addEventListener("click", () => {
    if (!hidden.delete(run)) hidden.add(run);
    drawLegend();
    draw();
  });
  return button;
}

// ---- what a person chooses -----------------------------------------------------------------------

function wireControls() {
  control("axis").addEventListener("change", (event) => {
    view.axis = event.target.value;
    view.window = null; // its numbers meant something else
    changed();
  });
  control("smoothing").addEventListener("input", (event) => {
    view.smoothing = Number(event.target.value);
    changed();
  });
  control("log").addEventListener("change", (event) => {
    view.log = event.target.checked;
    changed();
  });
  control("reset").addEventListener("click", showAll);
}

function changed() {
  remember();
  words();
  renew();
}

function showAll() {
  const finer = view.window && !allWhole();
  view.window = null;
  zooms += 1;
  words();
  if (finer) renew();
  draw();
}

// ---- what a person does on the plot --------------------------------------------------------------

function zoomed() {
  const { autorange, range } = plot.layout.xaxis;
  const next = autorange ? null : range.map(Number);
  if (JSON.stringify(next) === JSON.stringify(view.window)) return;
  view.window = next;
  words();
  if (!allWhole()) renew();
}

// The hover gathers a point of every curve, so the click itself says which marker it is near.
function clicked({ event }) {
  const { xaxis, yaxis } = plot._fullLayout;
  const box = plot.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left - xaxis._offset, event.clientY - box.top - yaxis._offset];
  const near = shown
    .filter((run) => !hidden.has(run))
    .flatMap((run) => checkpointPlaces(run).map((one) => ({ ...one, run })))
    .map((one) => ({ ...one, far: Math.hypot(xaxis.d2p(one.x) - x, yaxis.d2p(one.y) - y) }))
    .filter(({ far }) => far <= NEAR)
    .sort((one, other) => one.far - other.far);
  if (near.length) trigger("click", { run: near[0].run, checkpoint: near[0].name });
}
