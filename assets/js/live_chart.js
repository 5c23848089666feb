// The live chart: asks the server for what it lacks of its runs, and lets Plotly draw it.
//
// Runs behind plotly_tools.js and live_chart_*.js as the body of Gradio's js_on_load with `element`,
// `props`, `server`, `trigger` and `watch`. The template never changes, so the nodes below live as long
// as the component; only Plotly touches the plot.
// It asks every `every_ms` while a run is active and the chart can be seen, and at the end until an
// answer brings nothing new. Where `settings.rides` names it, a pulse of the page carries these questions
// along with its own (pulse.js); what a person chooses is asked for at once.

const root = element.querySelector(".mt-chart");
const plot = root.querySelector(".mt-chart-plot");
const legend = root.querySelector(".mt-chart-legend");
const emptyNote = root.querySelector(".mt-chart-empty");
const errorNote = root.querySelector(".mt-chart-error");

const LONGEST_WAIT_MS = 30000;
const PATIENCE_MS = 500;

let questions = 0; // rises when another thing is to be asked: an answer to an earlier one is too late
let caughtUp = true; // nothing was new when the server was last asked
let failures = 0;
let broken = false; // the plot itself could not be made; nothing is tried again
let asking = false;
let asked = 0; // the value of `questions` when it was last asked
let held = false; // a finger is on the plot: what it draws must not be drawn over
let waiting = false; // … and something new waits for it to be let go
let timer = null;

const wanted = () => props.value || {};
const label = (title) => (wanted().labels || {})[title] || "";

// ---- drawing -------------------------------------------------------------------------------------

function draw() {
  waiting = held;
  if (!held) Plotly.react(plot, traces(), layout(), OPTIONS);
}

function notes() {
  const main = of(shown[0]);
  root.dataset.run = shown[0] ?? "";
  root.dataset.points = main.rows;
  root.dataset.lastStep = main.step;
  const some = shown.some((run) => of(run).rows);
  const drawable = shown.some((run) => points(run, "loss").x.length);
  root.toggleAttribute("data-empty", !drawable);
  emptyNote.textContent = label(some ? "empty_axis" : "empty");
  emptyNote.hidden = drawable;
  // One failure may be a hiccup; a second in a row is worth a word.
  errorNote.textContent = (!broken && label("error")) || "⚠";
  errorNote.hidden = failures < 2 && !broken;
}

// ---- asking --------------------------------------------------------------------------------------

const visible = () => document.visibilityState === "visible" && root.checkVisibility();
const more = () => shown.length > 0 && (wanted().active || !caughtUp);

// What is to be asked now, if anything; `answered` must follow.
function begun() {
  if (asking || !more() || !visible()) return null;
  asking = true;
  asked = questions;
  return question();
}

async function ask() {
  const now = begun();
  // Gradio's client reports a failed call on the console and gives undefined.
  if (now) answered(await server.points(now).catch(() => undefined));
}

function answered(answer) {
  asking = false;
  if (asked !== questions) return void ask(); // it was asked for another view, or other runs
  if (answer?.runs) {
    failures = 0;
    const news = take(answer.runs);
    caughtUp = !news;
    if (news) draw();
  } else {
    failures += 1;
  }
  notes();
}

// Everything is to be asked for again, in the present view.
function renew() {
  questions += 1;
  caughtUp = false;
  outdate();
  ask();
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
  const next = wanted().runs ?? [];
  if (JSON.stringify(next) !== JSON.stringify(shown)) {
    if (next[0] !== shown[0]) view.window = null;
    questions += 1;
    failures = 0;
    // How many share the page says how many points each gets.
    if (next.length !== shown.length) outdate();
    show(next);
  }
  caughtUp = false;
  words();
  drawLegend();
  draw();
  notes();
  ask();
}

// ---- beginning and end ---------------------------------------------------------------------------

// Plotly's script is a large one: until the chart is seen and has something to draw, it would only keep
// the rest of the page waiting. Where nothing comes, there is an empty chart.
async function needed() {
  await new Promise((resolve) => {
    const shows = new ResizeObserver(() => {
      if (!root.checkVisibility()) return;
      shows.disconnect();
      resolve();
    });
    shows.observe(root);
  });
  if (wanted().runs?.length) return;
  await new Promise((resolve) => {
    watch("value", resolve);
    setTimeout(resolve, PATIENCE_MS);
  });
}

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
const seenAgain = () => void ask();
const hold = () => {
  held = true;
};
const release = () => {
  // Plotly hears of the same release, and must have zoomed first.
  setTimeout(() => {
    held = false;
    if (waiting) draw();
  });
};

function ride() {
  window.medtuneRiders ??= {};
  window.medtuneRiders[settings.rides] = { begun, answered };
}

function leave() {
  clearTimeout(timer);
  sizes.disconnect();
  themes.disconnect();
  document.removeEventListener("visibilitychange", seenAgain);
  for (const end of ["pointerup", "pointercancel"]) window.removeEventListener(end, release, true);
  Plotly.purge(plot);
}

async function begin() {
  recall();
  words();
  notes();
  wireControls();
  await needed();
  if (!(await havePlotly())) return;
  await Plotly.newPlot(plot, traces(), layout(), OPTIONS);
  plot.on("plotly_relayout", zoomed);
  plot.on("plotly_click", clicked);
  plot.on("plotly_afterplot", placeMarks);
  marks().addEventListener("keydown", goToMark);
  plot.addEventListener("pointerdown", hold, true);
  for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, release, true);
  sizes.observe(plot);
  themes = onTheme(draw);
  document.addEventListener("visibilitychange", seenAgain);
  watch("value", follow);
  follow();
  if (settings.rides) ride();
  else loop();
}

begin().catch((error) => {
  broken = true;
  notes();
  console.error(error);
});
