// Saves a conversation as a file: the server gives its content, the browser keeps it.
//
// Stands before actions.js, which tells the server of all other buttons.

element.addEventListener(
  "click",
  async (event) => {
    const button = event.target.closest('button[data-action="md"], button[data-action="json"]');
    if (!button) return;
    event.stopPropagation();
    const { target: id, action: form, language } = button.dataset;
    const asked = { id, form, language };
    const answer = await server.content(asked).catch(() => undefined);
    if (!answer?.content) {
      if (answer?.error) window.alert(answer.error);
      return;
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([answer.content], { type: "text/plain;charset=utf-8" }));
    link.download = answer.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  },
  true
);
