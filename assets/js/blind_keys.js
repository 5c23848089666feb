// Keys for the blind rating: what they do is what the buttons do that are on the page. The board of
// columns hears of each row, so that it shows no names beside it.
//
// Runs behind actions.js, as part of the same body, with its `root`.

function buttonFor(key) {
  if (/^[1-8]$/.test(key)) return root.querySelectorAll("button[data-action=best]")[Number(key) - 1];
  const found = {
    t: "button[data-action=tie]",
    b: "button[data-action=bad]",
    arrowleft: "button[data-way=back]",
    arrowright: "button[data-way=forth]",
  }[key];
  return found && root.querySelector(found);
}

function hearKey(event) {
  if (!root.isConnected) {
    document.removeEventListener("keydown", hearKey);
    return;
  }
  const busy = event.ctrlKey || event.metaKey || event.altKey || event.repeat;
  // Hidden tabs have no boxes. In a field a key is a letter, on a tab an arrow is the next tab.
  const elsewhere = event.target.closest("input, textarea, select, [contenteditable], [role=tab]");
  if (busy || elsewhere || !root.getClientRects().length) return;
  const button = buttonFor(event.key.toLowerCase());
  if (!button || button.disabled) return;
  event.preventDefault();
  button.click();
}

const tellBoard = () => document.querySelector(".mt-board")?.dispatchEvent(new Event("medtune-blind"));

document.addEventListener("keydown", hearKey);
new MutationObserver(tellBoard).observe(root, {
  subtree: true,
  childList: true,
  attributeFilter: ["data-revealed"],
});
tellBoard();
