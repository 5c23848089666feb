// Brings HTML up to date in place: only what differs is changed.
//
// Part of the body of Gradio's js_on_load, before a script that calls `patch(now, next)`. Nodes are
// found again by their data-key.

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

// A formula whose title says what it was written as, see formulas.js.
const isTypeset = (now, next) => now.dataset?.set === "1" && now.title === next.textContent;

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
    if (isTypeset(found, wanted)) {
      place = found.nextSibling;
      continue;
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
