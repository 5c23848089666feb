// The lengths of all rows as stacked bars, with a cutoff line that can be dragged.
//
// Runs behind plotly_tools.js as the body of Gradio's js_on_load with `element`, `props`, `trigger` and
// `watch`. The value is made by ui/components/length_chart.py, which says what it holds. Everything that
// follows the line is counted here, from tables; the server hears of a cutoff when the line is let go.

const root = element.querySelector(".mt-lengths");
const plot = root.querySelector(".mt-lengths-plot");
const line = root.querySelector(".mt-cut");
const over = root.querySelector(".mt-cut-over");
const label = root.querySelector(".mt-cut-label");
const enough = root.querySelector(".mt-lengths-enough");
const figure = (name) => root.querySelector(`[data-figure="${name}"]`);

const PARTS = ["prompt", "reasoning", "answer"];
const PATTERNS = ["", "/", ""]; // told apart by more than their colours
// Fixed, so that where a number of tokens lies on the page can be reckoned here.
const MARGIN = { l: 64, r: 20, t: 40, b: 56, autoexpand: false };
const KEY_WAIT_MS = 500;

let cutoff = 0;
let given = null; // the cutoff of the last value
let told = []; // what the server was told, of which it may still speak
let dragging = false;
let waiting = null;
let drawn = false;

const data = () => props.value || {};
const word = (name) => (data().words || {})[name] || "";
const number = (value) => Math.round(value).toLocaleString("en-US");
const say = (name, values) =>
  word(name).replace(/\{(\w+)\}/g, (_, key) => (key in values ? values[key] : `{${key}}`));

// ---- figures -------------------------------------------------------------------------------------

// A step [at, rows] says how many more rows are hit just below that cutoff than at it. Those of reasoning
// may be negative: a longer cutoff that keeps more of the prompt can keep less of the reasoning.
const lost = (steps) => (steps || []).reduce((sum, [at, rows]) => sum + (at > cutoff ? rows : 0), 0);

function share(rows) {
  const total = data().total || 0;
  const percent = total ? (100 * rows) / total : 0;
  // Few of many is not none.
  const shown = rows && percent < 0.1 ? "< 0.1" : percent.toFixed(1).replace(/\.0$/, "");
  return say("of", { rows: number(rows), total: number(total), percent: shown });
}

function showFigures() {
  const answers = lost(data().answer_steps);
  const reasonings = lost(data().reasoning_steps);
  figure("cutoff").textContent = number(cutoff);
  for (const [name, rows] of [["answers", answers], ["reasonings", reasonings]]) {
    figure(name).textContent = share(rows);
    figure(name).classList.toggle("mt-bad", rows > 0);
  }
  figure("smallest").textContent = number(data().smallest || 0);
  enough.textContent = say("use", { tokens: number(data().smallest || 0) });
  enough.disabled = cutoff === data().smallest;
  line.setAttribute("aria-valuenow", cutoff);
  line.setAttribute(
    "aria-valuetext",
    say("spoken", { tokens: number(cutoff), answers: share(answers), reasonings: share(reasonings) }),
  );
}

function showWords() {
  for (const node of root.querySelectorAll("[data-word]")) {
    node.textContent = word(node.dataset.word);
  }
  root.setAttribute("aria-label", word("title"));
  line.setAttribute("aria-label", word("cutoff"));
  line.setAttribute("aria-valuemin", data().minimum || 0);
  line.setAttribute("aria-valuemax", data().maximum || 0);
}

// ---- the line ------------------------------------------------------------------------------------

const room = () => Math.max(plot.clientWidth - MARGIN.l - MARGIN.r, 1);
const clamp = (tokens) => Math.min(Math.max(tokens, data().minimum || 0), data().maximum || 0);

function placeLine() {
  const end = data().axis || 1;
  const at = MARGIN.l + (Math.min(cutoff, end) / end) * room();
  line.style.left = `${at}px`;
  over.style.left = `${at}px`;
  // A cutoff that lies further out than the axis goes is said, not shown.
  label.textContent = cutoff > end ? `${number(cutoff)} →` : number(cutoff);
  label.dataset.side = at > MARGIN.l + room() / 2 ? "left" : "right";
  root.dataset.cutoff = cutoff;
}

function move(tokens) {
  cutoff = clamp(tokens);
  placeLine();
  showFigures();
}

function tell() {
  clearTimeout(waiting);
  waiting = null;
  if (cutoff === (told.at(-1) ?? given)) return;
  told.push(cutoff);
  trigger("release", { cutoff });
}

function tellSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(tell, KEY_WAIT_MS);
}

function tokensAt(event) {
  const { left } = plot.getBoundingClientRect();
  const tokens = ((event.clientX - left - MARGIN.l) / room()) * data().axis;
  return Math.round(tokens / data().step) * data().step;
}

line.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  dragging = true;
  line.setPointerCapture(event.pointerId);
  line.focus();
  event.preventDefault();
});
line.addEventListener("pointermove", (event) => {
  if (dragging) move(tokensAt(event));
});
for (const end of ["pointerup", "pointercancel"]) {
  line.addEventListener(end, () => {
    if (!dragging) return;
    dragging = false;
    tell();
  });
}

const STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -16, PageUp: 16 };

function keyed(key) {
  const { step, minimum, maximum } = data();
  if (key === "Home") return minimum;
  if (key === "End") return maximum;
  if (!(key in STEPS)) return null;
  // On to the next whole step, wherever the line is.
  const whole = STEPS[key] > 0 ? Math.floor(cutoff / step) : Math.ceil(cutoff / step);
  return (whole + STEPS[key]) * step;
}

line.addEventListener("keydown", (event) => {
  const tokens = keyed(event.key);
  if (tokens === null || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  move(tokens);
  tellSoon();
});
line.addEventListener("blur", () => {
  if (waiting) tell();
});
enough.addEventListener("click", () => {
  move(data().smallest);
  tell();
});

// ---- the bars ------------------------------------------------------------------------------------

function look() {
  return {
    text: colourOf(plot, "--body-text-color"),
    axis: colourOf(plot, "--border-color-primary"),
    fill: groundOf(root),
    parts: PARTS.map((name) => colourOf(plot, `--mt-length-${name}`)),
  };
}

const rowsOf = () => data().rows || [];

function heights(part) {
  return rowsOf().map((rows, bin) => {
    const whole = PARTS.reduce((sum, name) => sum + data()[name][bin], 0);
    return whole ? (rows * data()[part][bin]) / whole : 0;
  });
}

function hovers() {
  const { bins = [], overflow } = data();
  return rowsOf().map((rows, bin) =>
    say(overflow && bin === rowsOf().length - 1 ? "hover_over" : "hover", {
      from: number(bins[bin]),
      to: number(bins[bin + 1] - 1),
      rows: number(rows),
      ...Object.fromEntries(PARTS.map((name) => [name, number(data()[name][bin])])),
    }).replaceAll("\n", "<br>"),
  );
}

function traces() {
  const { parts, fill } = look();
  const { bins = [] } = data();
  const texts = hovers();
  return PARTS.map((name, place) => ({
    type: "bar",
    name: word(name),
    x: rowsOf().map((_, bin) => (bins[bin] + bins[bin + 1]) / 2),
    y: heights(name),
    width: rowsOf().map((_, bin) => bins[bin + 1] - bins[bin]),
    hovertext: texts,
    hoverinfo: "text",
    marker: {
      color: parts[place],
      line: { width: 0.5, color: fill },
      pattern: { shape: PATTERNS[place], fillmode: "overlay", fgcolor: fill, size: 6, solidity: 0.2 },
    },
  }));
}

function overflowNote() {
  const { bins = [], overflow } = data();
  if (!overflow) return [];
  const x = (bins.at(-2) + bins.at(-1)) / 2;
  return [{ text: `≥ ${number(bins.at(-2))}`, x, y: rowsOf().at(-1), yanchor: "bottom", showarrow: false }];
}

function layout() {
  const { text, axis, fill } = look();
  const axes = { gridcolor: axis, linecolor: axis, zerolinecolor: axis, tickcolor: axis, fixedrange: true };
  const title = (name) => ({ text: word(name), font: { size: 13 }, standoff: 8 });
  return {
    autosize: true,
    barmode: "stack",
    dragmode: false,
    margin: MARGIN,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(root).fontFamily, size: 13, color: text },
    hovermode: "closest",
    hoverlabel: { bgcolor: fill, bordercolor: axis, align: "left", font: { color: text } },
    showlegend: true,
    legend: {
      orientation: "h", traceorder: "normal", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom",
      itemclick: false, itemdoubleclick: false,
    },
    xaxis: { ...axes, title: title("x"), range: [0, data().axis || 1], tickformat: ",", showgrid: false },
    yaxis: { ...axes, title: title("y"), rangemode: "tozero", tickformat: ",~d" },
    annotations: overflowNote(),
  };
}

// No tool bar, and no tips in a language that the page may not speak.
const OPTIONS = { displayModeBar: false, displaylogo: false, showTips: false, responsive: false };

function draw() {
  // The nodes stay: Plotly changes what differs.
  if (drawn) Plotly.react(plot, traces(), layout(), OPTIONS);
}

// ---- values --------------------------------------------------------------------------------------

function adopt() {
  const next = data().cutoff || 0;
  if (next === given && !told.includes(next)) return;
  given = next;
  const echo = told.indexOf(next);
  // An answer to an earlier choice does not take back a later one.
  const late = echo >= 0 && echo < told.length - 1;
  told = echo >= 0 ? told.slice(echo + 1) : [];
  if (!dragging && !waiting && !late) cutoff = next;
}

function follow() {
  adopt();
  root.dataset.rows = data().total || 0;
  showWords();
  move(cutoff);
  draw();
}

// ---- beginning and end ---------------------------------------------------------------------------

const sizes = new ResizeObserver(() => {
  // Hidden with its tab it has no width; it is measured anew when it is shown.
  if (!root.isConnected) return leave();
  if (!root.checkVisibility()) return;
  if (drawn) Plotly.Plots.resize(plot);
  placeLine();
});
const themes = onTheme(draw);

function leave() {
  sizes.disconnect();
  themes.disconnect();
  if (drawn) Plotly.purge(plot);
  drawn = false;
}

async function begin() {
  watch("value", follow);
  follow();
  sizes.observe(plot);
  await loadPlotly();
  await Plotly.newPlot(plot, traces(), layout(), OPTIONS);
  drawn = true;
  draw(); // what came while it was being made
}

begin().catch((error) => {
  // The line and the figures work without the bars.
  root.dataset.broken = "yes";
  console.error(error);
});
