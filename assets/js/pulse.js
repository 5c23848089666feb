// Asks the server now and then whether something has changed, for as long as it can be seen.
//
// Runs behind a line `const settings = {every_ms, unseen}` as the body of Gradio's js_on_load with
// `element`, `props`, `server` and `trigger`. The value is what the question is about. An answer is
// {sign, live}: another sign than before makes a tick, an event that draws what has changed; `live`
// is the new content of some places by their ids, drawn here without an event, which would cost both
// sides ten times as much.

const LONGEST_WAIT_MS = 30000;
// A tick whose answer was lost on the way is made up for.
const REMINDER_MS = 15000;

// Gradio hides the component itself: it has nothing to show.
const home = element.closest(".block").parentElement;

let sign = null;
let ticked = 0;
let failures = 0;
let asking = false;
let timer = null;

const seen = () => settings.unseen || (document.visibilityState === "visible" && home.checkVisibility());
const place = (id) => document.querySelector(`#${CSS.escape(id)} .mt-live`);
const versions = () => JSON.stringify((settings.live ?? []).map((id) => place(id)?.dataset.version));

async function ask() {
  if (asking || !seen()) return;
  asking = true;
  const asked = JSON.stringify(props.value);
  const drawn = versions();
  // Gradio's client reports a failed call on the console and gives undefined.
  const answer = await server.beat(props.value).catch(() => undefined);
  asking = false;
  failures = answer ? 0 : failures + 1;
  // What was drawn or asked about since is newer than this answer.
  if (!answer || asked !== JSON.stringify(props.value)) return;
  if (drawn === versions()) {
    for (const [id, content] of Object.entries(answer.live)) {
      place(id)?.dispatchEvent(new CustomEvent("live", { detail: content }));
    }
  }
  if (answer.sign !== sign || Date.now() - ticked > REMINDER_MS) {
    sign = answer.sign;
    ticked = Date.now();
    trigger("tick");
  }
}

function loop() {
  timer = setTimeout(async () => {
    if (!element.isConnected) return document.removeEventListener("visibilitychange", ask);
    await ask();
    loop();
  }, Math.min(settings.every_ms * 2 ** failures, LONGEST_WAIT_MS));
}

document.addEventListener("visibilitychange", ask);
loop();
