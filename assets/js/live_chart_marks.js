// Checkpoints on the chart for a keyboard: a button over each marker that can be seen.
//
// Put behind live_chart_controls.js. The markers themselves are Plotly's and hear only a mouse; so do the
// buttons hear only a keyboard, and zoom and hover stay as they are. All of them together are one stop of
// the Tab key, the arrow keys go from one to the next.

const marks = () => root.querySelector(".mt-chart-marks");

function marksSeen() {
  const { xaxis, yaxis } = plot._fullLayout;
  const within = (axis, place) => place >= 0 && place <= axis._length;
  return shown
    .filter((run) => !hidden.has(run))
    .flatMap((run) => checkpointPlaces(run).map(({ name: title, x, y }) => ({ run, title, x: xaxis.d2p(x), y: yaxis.d2p(y) })))
    .filter(({ x, y }) => within(xaxis, x) && within(yaxis, y))
    .map((one) => ({ ...one, x: xaxis._offset + one.x, y: yaxis._offset + one.y }));
}

// Buttons that are still wanted stay, so that the one with the focus keeps it while points arrive.
function placeMarks() {
  const group = marks();
  const before = new Map([...group.children].map((button) => [button.dataset.key, button]));
  const wantedNow = marksSeen().map(({ run, title, x, y }) => {
    const key = JSON.stringify([run, title]);
    const button = before.get(key) ?? markButton(key, run, title);
    before.delete(key);
    button.style.left = `${x}px`;
    button.style.top = `${y}px`;
    button.setAttribute("aria-label", label("open_checkpoint").replace("{name}", title).replace("{run}", run));
    return button;
  });
  for (const button of before.values()) button.remove();
  wantedNow.forEach((button, place) => {
    if (group.children[place] !== button) group.insertBefore(button, group.children[place] ?? null);
  });
  group.setAttribute("aria-label", label("checkpoints"));
  if (!group.querySelector('[tabindex="0"]')) wantedNow.at(-1)?.setAttribute("tabindex", "0");
}

function markButton(key, run, title) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "mt-chart-mark";
  button.tabIndex = -1;
  Object.assign(button.dataset, { key, title });
  button.addEventListener("click", () => trigger("click", { run, checkpoint: title }));
  return button;
}

function goToMark(event) {
  const all = [...marks().children];
  const now = all.indexOf(document.activeElement);
  const next = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: all.length - 1 }[event.key];
  if (now < 0 || !all[next]) return;
  event.preventDefault();
  all[now].tabIndex = -1;
  all[next].tabIndex = 0;
  all[next].focus();
}
