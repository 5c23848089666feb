// The strip of first steps above the tabs.
//
// Runs behind patch.js as the body of Gradio's js_on_load with `element`, `props`, `watch` and `trigger`.
// The value, as what the header's pulse brings, is {language, offer, step, content}; before the first answer
// there is no step. A button makes the event of its step: "take", "prepare", "settings", "start", "compare"
// or "done". What is kept in this browser says whether the strip is shown: "hidden" by the person, "asked"
// for, "done" for good, or else what was offered last ("open" or "closed"), so that nothing moves when the
// page is loaded again.

const KEY = "medtune.first_steps";
const PRESSED_MS = 6000;

const root = element.querySelector(".mt-first");
const content = root.querySelector(".mt-live");
let now = props.value;
let pressed = null;
let walked = false; // a step was shown here that was not the last
let told = 0; // rises with each value
let asked = 0; // what it was when the pulse was last asked

const kept = () => localStorage.getItem(KEY) ?? "";
const keep = (choice) => kept() !== choice && localStorage.setItem(KEY, choice);
const shown = () => root.hasAttribute("data-shown");

function wanted() {
  const choice = kept();
  if (choice === "hidden") return false;
  if (choice === "asked") return true;
  if (choice === "done") return walked;
  return now.offer === "open" && (now.step || choice !== "closed");
}

function show() {
  if (now.step && !["hidden", "asked", "done"].includes(kept())) keep(now.offer);
  root.toggleAttribute("data-shown", Boolean(wanted()));
  walked ||= shown() && Boolean(now.step) && now.step !== "done";
  const next = document.createElement("template");
  next.innerHTML = now.content;
  patch(content, next.content);
  // Until the step has changed a second press would be one too many.
  const waits = pressed !== null && pressed.step === now.step && Date.now() - pressed.at < PRESSED_MS;
  if (!waits) pressed = null;
  // Not disabled, which would take the focus from it.
  if (waits) content.querySelector("button:not([data-step=hide])")?.setAttribute("aria-disabled", "true");
}

function hear(answer) {
  now = answer;
  show();
}

function press(step) {
  if (step === "hide" || step === "done") keep("hidden");
  else pressed = { step: now.step, at: Date.now() };
  show();
  if (step !== "hide") trigger(step);
}

root.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-step]");
  if (button && button.ariaDisabled !== "true") press(button.dataset.step);
});

// From a discreet place of the page.
function recall(event) {
  if (!element.isConnected) return document.removeEventListener("click", recall);
  if (!event.target.closest("button[data-first-steps]")) return;
  keep("asked");
  show();
  root.scrollIntoView({ block: "center" });
  trigger("asked");
}

// Hidden or asked for in another tab of this browser.
function follow(event) {
  if (!element.isConnected) return window.removeEventListener("storage", follow);
  if (event.key === KEY) show();
}

document.addEventListener("click", recall);
window.addEventListener("storage", follow);

// The page's language, see page_title.js; none before the page has one.
const spoken = () => document.documentElement.dataset.language ?? null;

window.medtuneRiders ??= {};
window.medtuneRiders["first-run"] = {
  begun: () => {
    asked = told;
    return shown() && document.visibilityState === "visible" ? spoken() : null;
  },
  answered: (answer) => {
    // What was said since is newer than this.
    if (answer && asked === told && answer.language === spoken()) hear(answer);
  },
};

watch("value", () => {
  told += 1;
  pressed = null;
  hear(props.value);
});
show();
