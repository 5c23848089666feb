// The page's language, the browser's title, and what is said at a run's end: to a screen reader, and as a
// notification where that was asked for.
//
// Runs as the body of Gradio's js_on_load with `element`, `props` and `watch`. The value, as what a
// "live" event brings, is {language, title, active, ended}: the ids of the runs that train now, and of
// those that have ended, by id, what to say of each. Only what this page has seen running is told of,
// once.

const running = new Set();

function tell(words) {
  document.dispatchEvent(new CustomEvent("medtune-say", { detail: words }));
  if (localStorage.getItem("medtune.notify") !== "yes") return;
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  new Notification("MedTune", { body: words });
}

function show(now) {
  const { language, title = "MedTune", active = [], ended = {} } = now || {};
  const page = document.documentElement;
  if (language && page.lang !== language) page.lang = language;
  // In the locale files' words, and unlike `lang`, which is the browser's at first, never what it is not yet.
  if (language) page.dataset.language = language.split("-")[0];
  if (document.title !== title) document.title = title;
  for (const run of running) {
    if (active.includes(run)) continue;
    running.delete(run);
    if (ended[run]) tell(ended[run]);
  }
  for (const run of active) running.add(run);
}

element.querySelector(".mt-live").addEventListener("live", ({ detail }) => show(detail));
watch("value", () => show(props.value));
show(props.value);
