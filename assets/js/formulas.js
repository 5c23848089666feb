// Typesets formulas with the KaTeX that comes with Gradio, fetched when the first one is seen.
//
// Part of the script of whatever shows answers, with `settings`. Where KaTeX is not there, or can't read a formula, it stays as it was
// written.

function loadKatex() {
  const [script, style] = settings.katex;
  if (!script) return Promise.resolve(null);
  const root = (window.gradio_config?.root ?? window.location.origin).replace(/\/$/, "");
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = `${root}/assets/${style}`;
  document.head.append(link);
  return import(`${root}/assets/${script}`).then(
    (module) => module.default,
    () => null
  );
}

async function typeset(place) {
  const formulas = [...place.querySelectorAll(".mt-formula:not([data-set])")];
  if (!formulas.length) return;
  window.medtuneKatex ??= loadKatex();
  const katex = await window.medtuneKatex;
  if (!katex) return;
  for (const one of formulas) {
    if (one.dataset.set) continue;
    one.dataset.set = "1";
    one.title = one.textContent;
    const options = { displayMode: Boolean(one.dataset.alone), throwOnError: false, trust: false };
    try {
      katex.render(one.textContent.trim(), one, options);
    } catch {
      // It stays as it was written.
    }
  }
}
