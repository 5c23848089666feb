// HTML with buttons that is brought up to date in place.
//
// Runs as the body of Gradio's js_on_load with `element`, `props`, `watch` and `trigger`. Gradio would
// replace the whole content at each update: a button that is being pressed would be gone before it is
// let go, focus would be lost, and what was unfolded would fold. Here only what differs is changed.
// A "live" event brings newer content than the value; `data-version` rises with each value.
// A button with data-action tells the server its data-… attributes.

const root = element.querySelector(".mt-live");

// What a person did to the page, not what the server said of it.
const KEPT = new Set(["open"]);

function patchAttributes(now, next) {
  for (const { name } of [...now.attributes]) {
    if (!next.hasAttribute(name) && !KEPT.has(name)) now.removeAttribute(name);
  }
  for (const { name, value } of [...next.attributes]) {
    if (now.getAttribute(name) !== value && !KEPT.has(name)) now.setAttribute(name, value);
  }
}

const same = (now, next) =>
  now.nodeType === next.nodeType &&
  now.nodeName === next.nodeName &&
  (now.nodeType !== Node.ELEMENT_NODE || (now.dataset.key || "") === (next.dataset.key || ""));

function patch(now, next) {
  let place = now.firstChild;
  for (const wanted of [...next.childNodes]) {
    // A card that another one came or went before is found again by its key.
    let found = place;
    while (found && !same(found, wanted)) found = found.nextSibling;
    if (!found) {
      now.insertBefore(wanted, place);
      continue;
    }
    while (place !== found) {
      const passed = place;
      place = place.nextSibling;
      passed.remove();
    }
    if (found.nodeType === Node.ELEMENT_NODE) {
      patchAttributes(found, wanted);
      patch(found, wanted);
    } else if (found.nodeValue !== wanted.nodeValue) {
      found.nodeValue = wanted.nodeValue;
    }
    place = found.nextSibling;
  }
  while (place) {
    const passed = place;
    place = place.nextSibling;
    passed.remove();
  }
}

function show(content) {
  const next = document.createElement("template");
  next.innerHTML = content || "";
  patch(root, next.content);
}

let version = 0;

function renew() {
  root.dataset.version = ++version;
  show(props.value);
}

root.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (button && !button.disabled) trigger("click", { ...button.dataset });
});

root.addEventListener("live", ({ detail }) => show(detail));
watch("value", renew);
renew();
