// A number between bounds: dragged, stepped with the keys, or typed; one label names both ways.
function render({ model, el }) {
  // the keys of JupyterLab (an arrow folds the section) are not for what has the focus here
  el.addEventListener("keydown", (event) => event.stopPropagation());
  el.classList.add("workbook-dial");
  const made = (type, named) => {
    const one = document.createElement("input");
    one.type = type;
    for (const name of ["min", "max"]) one[name] = model.get(name);
    one.step = type === "range" ? model.get("step") : model.get("whole") ? 1 : "any";
    one.setAttribute("aria-label", named);
    return one;
  };
  const label = document.createElement("span");
  label.className = "workbook-dial-label";
  label.textContent = model.get("label");
  label.title = `from ${model.get("min")} to ${model.get("max")}`;
  label.setAttribute("aria-hidden", "true");
  const slider = made("range", model.get("label"));
  const box = made("number", `${model.get("label")}, typed`);
  el.append(label, slider, box);
  const choose = (value) => {
    const low = model.get("min");
    const high = model.get("max");
    const read = model.get("whole") ? Math.round(value) : value;
    model.set("value", Math.min(high, Math.max(low, read)));
    model.save_changes();
    draw();
  };
  const draw = () => {
    const value = model.get("value");
    slider.value = value;
    box.value = Number(value.toPrecision(6));
  };
  slider.addEventListener("input", () => (box.value = Number(Number(slider.value).toPrecision(6))));
  slider.addEventListener("change", () => choose(Number(slider.value)));
  box.addEventListener("change", () => (Number.isNaN(box.valueAsNumber) ? draw() : choose(box.valueAsNumber)));
  model.on("change:value", draw);
  draw();
  return () => model.off("change:value", draw);
}

export default { render };
