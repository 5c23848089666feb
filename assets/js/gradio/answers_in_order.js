// The stream of answers of Gradio's client (ui/mends.py): in their order, and never closed for good while one
// is to come.
//
// An answer can overtake the reply that says which event it is of. Gradio lays it aside then, and hands it on when
// that reply comes: after the answers of later events, which it undoes. Here those wait.
const LONGEST_WAIT_MS = 5000;
const handedOn = new WeakMap(); // client → a promise: all that came so far has been handed on
function inOrder(client, known, { event_id: event }) {
  const before = handedOn.get(client) ?? Promise.resolve();
  const now = before.then(async () => {
    const end = performance.now() + LONGEST_WAIT_MS;
    while (event && !known[event] && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
  handedOn.set(client, now);
  return now;
}
// The server ends the stream when it has no event of the page left. One may just have joined, whose reply came
// before the end: nobody would fetch its answer.
async function openAgain(client, status, unanswered) {
  await handedOn.get(client);
  if (!status.open && unanswered.size) await client.open_stream();
}
