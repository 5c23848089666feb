// Keeps the log-in alive while somebody is there, and leads to the log-in page once it has ended.
//
// Runs as the body of Gradio's js_on_load. A page asks for news by itself for as long as it is open; only
// what a person does on it says that a person is there.

const BEAT = 60_000;
let told = 0;

async function ask(method) {
  try {
    const answer = await fetch(new URL("presence", document.baseURI), { method, cache: "no-store" });
    if (answer.status === 401) location.reload();
  } catch {
    // The server is not there now; the page says so by itself.
  }
}

function here() {
  if (Date.now() - told < BEAT) return;
  told = Date.now();
  ask("POST");
}

for (const event of ["pointerdown", "keydown", "wheel"]) {
  document.addEventListener(event, here, { passive: true, capture: true });
}
document.addEventListener("visibilitychange", () => document.hidden || ask("GET"));
setInterval(() => ask("GET"), BEAT);
