// One line that a screen reader speaks when it changes; an error is spoken at once.
function render({ model, el }) {
  const line = document.createElement("div");
  line.className = "workbook-status";
  line.setAttribute("aria-live", "polite");
  line.setAttribute("role", "status");
  el.append(line);
  const draw = () => {
    const kind = model.get("kind");
    line.dataset.kind = kind;
    line.setAttribute("aria-busy", String(kind === "working"));
    line.textContent = model.get("value");
  };
  model.on("change", draw);
  draw();
  return () => model.off("change", draw);
}

export default { render };
