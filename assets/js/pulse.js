// Asks the server now and then whether something has changed, for as long as it can be seen.
//
// Runs behind a line `const settings = {…}` as the body of Gradio's js_on_load with `element`, `props`,
// `server` and `trigger`. The value is what the question is about. An answer is {sign, live, rides, waiting}:
// another sign than before makes a tick, an event that draws what has changed; `live` is the new content
// of some places by their ids, drawn here without an event, which would cost both sides ten times as
// much. Other scripts may have questions of their own in `window.medtuneRiders`, which go along with it:
// most of what a question costs is that it is one.

const LONGEST_WAIT_MS = 10000;

// Gradio hides the component itself: it has nothing to show.
const home = element.closest(".block").parentElement;

let sign = null;
let failures = 0;
let asking = false;
let rode = false; // a rider went along with the last question

const seen = () => settings.unseen || (document.visibilityState === "visible" && home.checkVisibility());
// The page's language, see page_title.js; none before the page has one.
const spoken = () => document.documentElement.dataset.language ?? "";
const place = (id) => document.querySelector(`#${CSS.escape(id)} .mt-live`);
const versions = () => JSON.stringify((settings.live ?? []).map((id) => place(id)?.dataset.version));

function ridersNow() {
  return (settings.riders ?? []).flatMap((name) => {
    const rider = window.medtuneRiders?.[name];
    const question = rider?.begun();
    return question ? [{ name, rider, question }] : [];
  });
}

async function ask() {
  if (asking || !seen()) return;
  asking = true;
  const language = spoken();
  const asked = JSON.stringify(props.value);
  const drawn = versions();
  const riders = ridersNow();
  rode = riders.length > 0;
  const rides = Object.fromEntries(riders.map(({ name, question }) => [name, question]));
  // Gradio's client reports a failed call on the console and gives undefined.
  const answer = await server.beat({ language, about: props.value, rides }).catch(() => undefined);
  asking = false;
  failures = answer ? 0 : failures + 1;
  for (const { name, rider } of riders) rider.answered(answer?.rides[name]);
  // What was drawn or asked about since is newer than this answer.
  if (!answer || asked !== JSON.stringify(props.value) || language !== spoken()) return;
  if (drawn === versions()) {
    for (const [id, content] of Object.entries(answer.live)) {
      place(id)?.dispatchEvent(new CustomEvent("live", { detail: content }));
    }
  }
  // Gradio's stream of answers can close just when an event joins: what that one gives waits until another
  // event opens the next stream. Not a tick, which itself may be what waits: none would follow it.
  if (answer.waiting) trigger("nudge");
  if (answer.sign !== sign) {
    sign = answer.sign;
    trigger("tick");
  }
}

function loop() {
  setTimeout(async () => {
    if (!element.isConnected) return document.removeEventListener("visibilitychange", ask);
    await ask();
    loop();
  }, Math.min((rode ? settings.riding_ms : settings.every_ms) * 2 ** failures, LONGEST_WAIT_MS));
}

document.addEventListener("visibilitychange", ask);
loop();
