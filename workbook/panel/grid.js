// A page of rows as the kernel sends it; every wish (sort, filter, page, open, copy) goes back to the kernel.
// Text of a log only ever becomes textContent.
const made = (tag, properties = {}, ...children) => {
  const one = document.createElement(tag);
  const { attributes = {}, ...plain } = properties;
  Object.assign(one, plain);
  for (const [name, value] of Object.entries(attributes)) one.setAttribute(name, value);
  one.append(...children);
  return one;
};

const button = (text, label, act) => {
  const one = made("button", { type: "button", textContent: text, title: label, attributes: { "aria-label": label } });
  one.addEventListener("click", act);
  return one;
};

const toClipboard = async (text) => {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  // a page that came over plain HTTP from another machine has no clipboard of its own
  const box = made("textarea", { value: text, attributes: { "aria-label": "rows as CSV" } });
  document.body.append(box);
  box.select();
  const copied = document.execCommand("copy");
  box.remove();
  if (!copied) throw new Error("the browser does not allow it");
};

function render({ model, el }) {
  const wish = (wanted) => model.send(wanted);
  // JupyterLab's own keys (a, b, dd, Enter on a cell) must not act on a focused button of the table
  el.addEventListener("keydown", (event) => event.stopPropagation());
  const find = made("input", {
    type: "search",
    placeholder: "words, status=503, service_ms>5000",
    attributes: { "aria-label": "Filter the rows: words, or column=value, column>value, column<value" },
  });
  const said = made("span", { className: "workbook-grid-said", attributes: { role: "status" } });
  const pages = [
    button("«", "First page", () => wish({ page: 0 })),
    button("‹", "Page before", () => wish({ page: model.get("shown").page - 1 })),
    button("›", "Next page", () => wish({ page: model.get("shown").page + 1 })),
    button("»", "Last page", () => wish({ page: model.get("shown").pages - 1 })),
  ];
  const copy = button("Copy as CSV", "Copy the filtered rows as CSV", () => wish({ copy: true }));
  const bar = made("div", { className: "workbook-grid-bar" }, find, ...pages, said, copy);
  const head = made("thead");
  const body = made("tbody");
  const scroll = made(
    "div",
    { className: "workbook-grid-scroll", tabIndex: 0, attributes: { role: "region", "aria-label": "Rows of the table" } },
    made("table", {}, head, body),
  );
  el.classList.add("workbook-grid");
  el.append(bar, scroll);

  let waiting;
  find.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => wish({ find: find.value }), 250);
  });

  const headOf = (column, at, shown) => {
    const sort = shown.sort === at ? (shown.up ? "ascending" : "descending") : null;
    const one = made("button", { type: "button", textContent: column.name, title: `Sort by ${column.name}` });
    one.addEventListener("click", () => wish({ sort: at }));
    const cell = made("th", { scope: "col", className: column.right ? "number" : "" }, one);
    if (sort) cell.setAttribute("aria-sort", sort);
    return cell;
  };
  const cellOf = (text, column, row, at) => {
    const [shown, whole, opens] = text;
    const cell = made("td", { className: column.right ? "number" : "" });
    if (whole !== shown) cell.title = whole;
    if (!opens) {
      cell.textContent = shown;
      return cell;
    }
    const one = made("button", { type: "button", textContent: shown, title: `Open ${column.name} ${whole}` });
    one.addEventListener("click", () => wish({ open: [row, at] }));
    cell.append(one);
    return cell;
  };
  const draw = () => {
    const shown = model.get("shown");
    const focused = [...head.querySelectorAll("button")].indexOf(document.activeElement);
    head.replaceChildren(made("tr", {}, ...shown.columns.map((column, at) => headOf(column, at, shown))));
    body.replaceChildren(
      ...shown.rows.map((row, place) =>
        made("tr", {}, ...row.map((text, at) => cellOf(text, shown.columns[at], place, at))),
      ),
    );
    if (focused >= 0) head.querySelectorAll("button")[focused]?.focus();
    if (document.activeElement !== find && find.value !== shown.find) find.value = shown.find;
    said.textContent = shown.said;
    pages.forEach((one, at) => (one.disabled = at < 2 ? shown.page === 0 : shown.page >= shown.pages - 1));
    copy.disabled = shown.matched === 0;
    el.hidden = shown.columns.length === 0;
    scroll.scrollTop = 0;
  };
  const heard = async (message) => {
    if (message.csv === undefined) return;
    try {
      await toClipboard(message.csv);
      said.textContent = message.said;
    } catch (error) {
      said.textContent = `Not copied: ${error.message}`;
    }
  };
  model.on("change:shown", draw);
  model.on("msg:custom", heard);
  draw();
  return () => {
    clearTimeout(waiting);
    model.off("change:shown", draw);
    model.off("msg:custom", heard);
  };
}

export default { render };
