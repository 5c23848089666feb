// An answer while it comes. Each piece is added at the end, so that an update costs what is new.
//
// Part of the board's script. Reasoning and what is not a finished block yet are plain text, a line
// a node: the browser then lays out the last line again and not all of them.

class LiveAnswer {
  constructor() {
    this.node = document.createElement("article");
    this.node.className = "mt-turn mt-live-turn";
    this.node.innerHTML =
      '<div class="mt-question"></div><div class="mt-reply"><details class="mt-thought" hidden>' +
      '<summary></summary><div class="mt-reasoning"></div></details><div class="mt-answer"></div>' +
      '<div class="mt-tail"></div><div class="mt-stats"></div></div>';
    const part = (name) => this.node.querySelector(name);
    this.question = part(".mt-question");
    this.thought = part(".mt-thought");
    this.title = part("summary");
    this.reasoning = part(".mt-reasoning");
    this.answer = part(".mt-answer");
    this.tail = part(".mt-tail");
    this.stats = part(".mt-stats");
    this.cursor = null;
  }

  take(news) {
    if (news.afresh) {
      this.question.replaceChildren();
      write(this.question, news.question);
      this.reasoning.replaceChildren();
      this.answer.replaceChildren();
    }
    if (news.reasoning) write(this.reasoning, news.reasoning);
    this.thought.hidden = !news.title;
    if (this.title.textContent !== news.title) this.title.textContent = news.title;
    for (const html of news.blocks) {
      const block = document.createElement("div");
      block.innerHTML = html; // made by ui/markdown.py, which lets no tag of a model through
      this.answer.append(block);
      typeset(block);
    }
    if (news.tail !== null) {
      this.tail.replaceChildren();
      write(this.tail, news.tail);
    } else if (news.text) {
      write(this.tail, news.text);
    }
    if (this.stats.textContent !== news.stats) this.stats.textContent = news.stats;
    this.cursor = news.cursor;
  }
}

const LONGEST_LINE = 2000;

function write(place, text) {
  for (const [number, words] of text.split("\n").entries()) {
    let line = place.lastElementChild;
    if (!line || number) line = newLine(place);
    for (let rest = words; rest; ) {
      const room = LONGEST_LINE - line.lastChild.length;
      line.lastChild.appendData(rest.slice(0, room));
      rest = rest.slice(room);
      if (rest) line = newLine(place);
    }
  }
}

function newLine(place) {
  const line = document.createElement("div");
  line.append("");
  place.append(line);
  return line;
}
