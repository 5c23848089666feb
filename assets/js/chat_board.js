// The board of chat columns: asks the server for what it has not shown yet.
//
// Runs behind patch.js, formulas.js and chat_live.js as the body of Gradio's js_on_load with
// `element`, `props`, `server`, `trigger` and `watch`. While answers come it asks several times a
// second, else about once. A column that comes, goes or moves is found again by its key: no answer is
// ever shown in another's place.

const board = element.querySelector(".mt-board");

const BUSY_MS = 90;
const QUIET_MS = 700;
const LONGEST_WAIT_MS = 10000;
const BOARD_KEPT = "medtune.board"; // "bare" where it had no columns the last time

const columns = new Map(); // key → { box, head, talk, foot, turns, told, live, follows }
let stamp = null;
let asking = false;
let again = false; // something new is to be asked as soon as the answer is there
let failures = 0;
let timer = null;

const label = (name) => props.value?.labels?.[name] ?? "";
const visible = () => document.visibilityState === "visible" && board.checkVisibility();

// ---- drawing -------------------------------------------------------------------------------------

function newColumn(key) {
  const box = document.createElement("section");
  box.className = "mt-column";
  Object.assign(box.dataset, { key, sayKey: `column ${key}`, say: "" });
  const [head, talk, foot] = ["mt-column-head", "mt-talk", "mt-buttons"].map((name) => {
    const part = document.createElement("div");
    part.className = name;
    box.append(part);
    return part;
  });
  talk.tabIndex = 0;
  const turns = document.createElement("div");
  talk.append(turns);
  const column = { box, head, talk, turns, foot, told: [], live: null, follows: true, top: 0 };
  talk.addEventListener("scroll", () => {
    // Only a scroll upwards is a person's wish to stay: what is laid out late also moves the end.
    if (talk.scrollHeight - talk.scrollTop - talk.clientHeight < 40) column.follows = true;
    else if (talk.scrollTop < column.top) column.follows = false;
    column.top = talk.scrollTop;
  });
  return column;
}

const words = (column, what) => label(what).replace("{name}", column.name);

function fill(place, html) {
  const next = document.createElement("template");
  next.innerHTML = html;
  patch(place, next.content);
}

// A turn that says what it said is left alone: what was unfolded there stays so.
function drawTurns(column, turns, live) {
  const nodes = column.turns.children;
  while (nodes.length > turns.length) nodes[nodes.length - 1].remove();
  for (const [number, html] of turns.entries()) {
    if (nodes[number] && column.told[number] === html) continue;
    const made = document.createElement("template");
    made.innerHTML = html;
    const node = made.content.firstElementChild;
    if (nodes[number]) nodes[number].replaceWith(node);
    else column.turns.append(node);
    // The answer that came just now: unfolded reasoning stays unfolded.
    const thought = node.querySelector(".mt-thought");
    if (thought && column.live && !live && number === turns.length - 1) {
      thought.open = column.live.thought.open;
    }
    typeset(node);
  }
  // An answer that came whole between two looks was never seen coming, and is heard all the same.
  const one = column.drawn && turns.length === column.told.length + 1;
  if (one && !live && !column.live && column.told.every((html, number) => html === turns[number])) {
    document.dispatchEvent(new CustomEvent("medtune-say", { detail: words(column, "answered") }));
  }
  column.told = turns;
  column.drawn = true;
}

function draw(answer) {
  const shown = answer.columns.map(({ key }) => key);
  for (const [key, column] of columns) {
    if (shown.includes(key)) continue;
    column.box.remove();
    columns.delete(key);
  }
  for (const [place, told] of answer.columns.entries()) {
    if (!columns.has(told.key)) columns.set(told.key, newColumn(told.key));
    const column = columns.get(told.key);
    if (board.children[place] !== column.box) board.insertBefore(column.box, board.children[place] ?? null);
    column.box.id = `column-${place + 1}`;
    column.head.id = `column-${place + 1}-head`;
    column.talk.id = `column-${place + 1}-chat`;
    column.talk.setAttribute("aria-label", told.name);
    column.box.dataset.state = told.state;
    column.name = told.name;
    fill(column.head, told.head);
    fill(column.foot, told.foot);
    drawTurns(column, told.turns, answer.live[told.key]);
  }
  if (shown.length) board.querySelector(":scope > .mt-empty")?.remove();
  else board.innerHTML = answer.empty;
  board.classList.toggle("mt-bare", !shown.length);
  localStorage.setItem(BOARD_KEPT, shown.length ? "" : "bare");
}

// No room is kept for columns where there were none the last time; else the question would jump.
board.classList.toggle("mt-bare", localStorage.getItem(BOARD_KEPT) === "bare");

// That an answer comes and that it is there: the rest is read when it is wanted, see speak.js.
function hear(column, what) {
  column.box.dataset.say = words(column, what);
}

function drawLive(live) {
  for (const [key, column] of columns) {
    const news = live[key];
    if (!news) {
      if (column.live) hear(column, "answered");
      column.live?.node.remove();
      column.live = null;
      continue;
    }
    if (!column.live) {
      column.live = new LiveAnswer();
      hear(column, "answering");
      column.talk.append(column.live.node);
      column.follows = true;
    }
    column.live.take(news);
  }
  board.dataset.busy = Object.keys(live).length ? "1" : "";
}

function follow() {
  for (const column of columns.values()) {
    if (column.follows) column.talk.scrollTop = column.talk.scrollHeight;
  }
}

// ---- blind ---------------------------------------------------------------------------------------

// While answers are read without names, nothing here tells whose they are.
function cover() {
  const row = document.querySelector('#blind .mt-blind[data-revealed="no"]');
  board.classList.toggle("mt-covered", Boolean(row?.checkVisibility()));
}

board.addEventListener("medtune-blind", cover);

// ---- asking --------------------------------------------------------------------------------------

function question() {
  const live = {};
  for (const [key, column] of columns) if (column.live?.cursor) live[key] = column.live.cursor;
  return { stamp, language: props.value?.language, live };
}

async function ask() {
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  again = false;
  const language = props.value?.language;
  const answer = await server.news(question()).catch(() => undefined);
  asking = false;
  failures = answer ? 0 : failures + 1;
  if (answer && language === props.value?.language) {
    const begun = performance.now();
    if (answer.columns) {
      draw(answer);
      stamp = answer.stamp;
    }
    drawLive(answer.live);
    follow(); // which waits for the layout
    const detail = performance.now() - begun;
    board.dispatchEvent(new CustomEvent("medtune-drawn", { detail }));
  }
  if (again) await ask();
}

function wait() {
  const pause = board.dataset.busy ? BUSY_MS : QUIET_MS;
  return Math.min(pause * 2 ** failures, LONGEST_WAIT_MS);
}

function loop() {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    if (!board.isConnected) return;
    cover(); // another tool may have been opened
    if (visible()) await ask();
    loop();
  }, wait());
}

// ---- buttons -------------------------------------------------------------------------------------

function edit(button) {
  const turn = button.closest(".mt-turn");
  const said = turn.querySelector(".mt-question");
  if (turn.querySelector("textarea")) return;
  const box = document.createElement("textarea");
  box.value = said.textContent;
  box.rows = Math.min(8, box.value.split("\n").length + 1);
  box.setAttribute("aria-label", said.textContent.slice(0, 60));
  const buttons = document.createElement("div");
  buttons.className = "mt-buttons";
  const key = button.closest(".mt-column").dataset.key;
  const close = () => {
    box.remove();
    buttons.remove();
    said.hidden = false;
  };
  for (const [name, act] of [
    ["send_all", () => trigger("click", { action: "resend", target: turn.dataset.turn, text: box.value })],
    ["send_here", () => trigger("click", { action: "resend", target: turn.dataset.turn, text: box.value, column: key })],
    ["cancel", () => {}],
  ]) {
    const one = document.createElement("button");
    one.type = "button";
    one.className = "mt-button";
    one.dataset.edit = name;
    one.textContent = label(name);
    one.addEventListener("click", () => {
      act();
      close();
    });
    buttons.append(one);
  }
  said.hidden = true;
  said.after(box, buttons);
  box.focus();
}

// Straight to the server: an event of Gradio's would wait behind others.
function stop(key) {
  server.stop(key).then(ask, () => {});
}

board.addEventListener("medtune-stop", () => stop(""));
board.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (!button || button.disabled) return;
  if (button.dataset.action === "edit") return edit(button);
  const column = button.closest(".mt-column")?.dataset.key ?? "";
  if (button.dataset.action === "stop") return stop(column);
  trigger("click", { ...button.dataset, column });
});

document.addEventListener("visibilitychange", () => {
  if (board.isConnected && visible()) ask();
});
watch("value", () => {
  stamp = null;
  ask();
});
ask();
loop();
