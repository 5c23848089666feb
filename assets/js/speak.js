// Says to a screen reader what elements of the page carry in data-say, when it changes.
//
// Runs as the body of Gradio's js_on_load with `element`. Words that are there when their key is first seen
// are not news: a tab was opened, or another run chosen; nor is what is said anew in another language. Other
// scripts have something said by an event "medtune-say" on the document. What is hidden is not heard.

const EVERY_MS = 1000;
const KEPT_MS = 8000;
const TURNING_MS = 5000; // in which a page that changes its language is drawn anew

const region = element.querySelector("[role=status]");
const known = new Map(); // key → words
const page = document.documentElement;
let language = page.lang;
let turned = 0;

function say(words) {
  if (!words || [...region.children].some((line) => line.textContent === words)) return;
  const line = document.createElement("p");
  line.textContent = words;
  region.append(line);
  // What was said is not to be found again by who reads on through the page.
  setTimeout(() => line.remove(), KEPT_MS);
}

const heard = ({ detail }) => say(detail);

function look() {
  if (!element.isConnected) {
    clearInterval(timer);
    document.removeEventListener("medtune-say", heard);
    return;
  }
  if (language !== page.lang) [language, turned] = [page.lang, Date.now()];
  const silent = Date.now() - turned < TURNING_MS;
  for (const node of document.querySelectorAll("[data-say]")) {
    const { say: words, sayKey: key } = node.dataset;
    if (known.get(key) === words || !node.checkVisibility()) continue;
    if (known.has(key) && !silent) say(words);
    known.set(key, words);
  }
}

document.addEventListener("medtune-say", heard);
const timer = setInterval(look, EVERY_MS);
