// A text to be read, and a button that copies it.
function render({ model, el }) {
  // the keys of JupyterLab (an arrow folds the section) are not for what has the focus here
  el.addEventListener("keydown", (event) => event.stopPropagation());
  el.classList.add("workbook-copied");
  const box = document.createElement("textarea");
  box.readOnly = true;
  box.spellcheck = false;
  box.setAttribute("aria-label", model.get("label"));
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy ${model.get("label")}`);
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  button.addEventListener("click", async () => {
    box.select();
    try {
      if (navigator.clipboard && window.isSecureContext) await navigator.clipboard.writeText(box.value);
      else if (!document.execCommand("copy")) throw new Error("the browser does not allow it");
      said.textContent = "Copied.";
    } catch (error) {
      said.textContent = `Not copied: ${error.message}`;
    }
  });
  el.append(box, button, said);
  const draw = () => {
    box.value = model.get("value");
    box.rows = Math.min(12, Math.max(2, box.value.split("\n").length));
    said.textContent = "";
  };
  model.on("change:value", draw);
  draw();
  return () => model.off("change:value", draw);
}

export default { render };
