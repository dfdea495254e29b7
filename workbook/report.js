"use strict";
(() => {
  // Tables: a click on a head sorts by the value itself (data-key), else by the text; what is missing stays last.
  const sortBy = (table, column, up) => {
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => {
      const cell = row.cells[column];
      const key = cell.dataset.key ?? cell.textContent;
      return { row, key, missing: cell.textContent === "–", number: Number(key) };
    });
    const numbers = keyed.every((one) => one.missing || !Number.isNaN(one.number));
    const order = (a, b) => (numbers ? a.number - b.number : a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
    keyed.sort((a, b) => a.missing - b.missing || (up ? order(a, b) : order(b, a)));
    body.append(...keyed.map((one) => one.row));
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") === "descending" || !head.classList.contains("number") && !head.hasAttribute("aria-sort");
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        sortBy(table, column, up);
      });
    });
  }

  // Charts: each picture gives way to a chart that answers to the mouse; where one fails, its picture stays.
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const inks = { "#1f2a37": "#e4e8ee", "#5b6675": "#9aa6b5", "#c3cad4": "#4a5461", "#e6e9ee": "#2a313a", "#ffffff": "#14181d" };
  const options = { mode: "vega-lite", ast: true, renderer: "svg", actions: false, defaultStyle: false, tooltip: { disableDefaultStyle: true } };
  const draw = async (figure) => {
    const text = figure.querySelector("script.spec").textContent;
    const seen = dark.matches ? text.replace(/#[0-9a-f]{6}/g, (ink) => inks[ink] ?? ink) : text;
    const place = document.createElement("div");
    const still = figure.querySelector(".still");
    place.className = "live";
    try {
      figure.querySelector("div.live")?.remove();
      still.before(place);
      await window.vegaEmbed(place, JSON.parse(seen), options);
    } catch (error) {
      place.remove();
      console.error(error);
    }
  };
  const drawAll = async () => {
    for (const figure of document.querySelectorAll("figure.chart")) {
      if (figure.querySelector("script.spec")) await draw(figure);
    }
    document.documentElement.dataset.drawn = "yes";
  };
  window.addEventListener("load", () => {
    if (!window.vegaEmbed) return;
    drawAll();
    dark.addEventListener("change", drawAll);
  });
})();
