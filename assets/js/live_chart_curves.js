// What the live chart knows: how it shows its runs, and the points that have come of each.
//
// Plain data, put before live_chart_figure.js; knows neither Plotly nor the server. An answer of the
// server about a run is {generation, rows, evaluations, step, fresh, whole, curves, epochs}, see
// backend/training/chart.py.

// So many points follow one by one; then all are asked for anew, thinned out.
const MOST_NEW = 500;

const view = { axis: "step", smoothing: 0.6, log: false, window: null };
const hidden = new Set(); // runs that a person has switched off
let shown = []; // ids of the runs, the main one first
let known = new Map(); // id → what has come of it

const nothing = () => ({ rows: 0, curves: {}, epochs: [], since: null, followed: 0, whole: false, step: "" });
const of = (run) => known.get(run) ?? nothing();

function show(runs) {
  shown = runs;
  known = new Map(runs.map((run) => [run, of(run)]));
}

// The points are of another view: what is drawn stays until others have come.
function outdate() {
  for (const run of known.values()) run.since = null;
}

function take(answers) {
  let news = false;
  for (const [id, answer] of Object.entries(answers)) {
    if (!known.has(id)) continue;
    known.set(id, answer.fresh ? replaced(answer) : extended(of(id), answer));
    news = true;
  }
  return news;
}

const mark = ({ generation, rows, evaluations }) => [generation, rows, evaluations];

function replaced(answer) {
  const { rows, curves, step, whole } = answer;
  return { rows, curves, step: step ?? "", whole, epochs: answer.epochs ?? [], since: mark(answer), followed: 0 };
}

function extended(run, answer) {
  const curves = { ...run.curves };
  for (const [figure, points] of Object.entries(answer.curves)) {
    const before = curves[figure] ?? {};
    curves[figure] = Object.fromEntries(
      Object.entries(points).map(([name, some]) => [name, (before[name] ?? []).concat(some)]),
    );
  }
  const followed = run.followed + answer.rows - run.rows;
  return {
    rows: answer.rows,
    curves,
    step: answer.step ?? "",
    whole: run.whole && answer.whole,
    epochs: answer.epochs ?? run.epochs,
    since: followed > MOST_NEW ? null : mark(answer),
    followed,
  };
}

function question() {
  const since = shown.map((run) => [run, of(run).since]).filter(([, seen]) => seen);
  return {
    runs: shown,
    axis: view.axis,
    range: view.window,
    smoothing: view.smoothing,
    log: view.log,
    since: Object.fromEntries(since),
  };
}

const points = (run, figure) => of(run).curves[figure] ?? { x: [], y: [] };
const has = (figure) => shown.some((run) => points(run, figure).x.length);
const allWhole = () => shown.every((run) => of(run).whole);

// Where a step lies on the drawn loss, or null where it is not on the chart.
function place(run, step) {
  const loss = points(run, "loss");
  const line = view.smoothing ? points(run, "smoothed") : loss;
  const steps = loss.step ?? loss.x;
  if (!steps.length || step < steps[0] || step > steps[steps.length - 1]) return null;
  const x = between(steps, loss.x, step);
  return { x, y: between(line.x, line.y, x) };
}

function between(xs, ys, x) {
  let low = 0;
  let high = xs.length - 1;
  if (high < 0) return null;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] < x) low = middle + 1;
    else high = middle;
  }
  const before = Math.max(low - 1, 0);
  const [a, b] = [ys[before], ys[low]];
  if (xs[low] === x || before === low || a === null || b === null) return b;
  return a + ((b - a) * (x - xs[before])) / (xs[low] - xs[before] || 1);
}
