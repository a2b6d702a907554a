// SPDX-License-Identifier: MIT OR Apache-2.0
"use strict";
// Everything can be read without this: it adds a switch of colours, buttons that copy, and figures under the pointer.
(() => {
  const make = (name, properties) => Object.assign(document.createElement(name), properties);

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const theme = make("button", { id: "theme", type: "button" });
  const name = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; name(); });
  dark.addEventListener("change", name);
  name();
  document.querySelector("header").prepend(theme);

  for (const fix of document.querySelectorAll("pre.fix")) {
    const copy = make("button", { type: "button", textContent: "Copy" });
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(fix.textContent);
        copy.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(fix);
        copy.textContent = "Selected";
      }
      setTimeout(() => { copy.textContent = "Copy"; }, 2000);
    });
    fix.after(copy);
  }

  const WIDTH = 1000;
  for (const chart of document.querySelectorAll("figure.chart")) {
    const rows = [...chart.querySelectorAll("tr[data-from]")];
    if (rows.length === 0) continue;
    const heads = [...chart.querySelectorAll("thead th")].map((head) => head.textContent);
    const areas = [...chart.querySelectorAll(".area")];
    const plots = chart.querySelector(".plots");
    const readout = make("p", { className: "readout" });
    readout.setAttribute("aria-live", "polite");
    plots.after(readout);
    plots.tabIndex = 0;
    plots.setAttribute("aria-label", chart.querySelector("strong").textContent + "; arrow keys read it out");
    const cursors = areas.map((area) => {
      const cursor = document.createElementNS("http://www.w3.org/2000/svg", "path");
      cursor.setAttribute("class", "cursor");
      return area.appendChild(cursor);
    });
    const starts = [...new Set(rows.map((row) => Number(row.dataset.from)))];
    let column = -1;
    const show = (next) => {
      column = Math.max(0, Math.min(starts.length - 1, next));
      const here = rows.filter((row) => Number(row.dataset.from) === starts[column]);
      const words = here.map((row) => [...row.cells].map((cell, index) => heads[index] + " " + cell.textContent).join(", "));
      readout.textContent = words.join("; ");
      const middle = (starts[column] + Number(here[0].dataset.to)) / 2;
      areas.forEach((area, index) => {
        cursors[index].setAttribute("d", "M" + middle + " 0V" + area.viewBox.baseVal.height);
      });
    };
    for (const area of areas) {
      area.addEventListener("pointermove", (event) => {
        const box = area.getBoundingClientRect();
        const x = (event.clientX - box.left) / box.width * WIDTH;
        show(starts.findLastIndex((start) => start <= x));
      });
    }
    plots.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -starts.length, End: starts.length }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      show(column + step);
    });
  }
})();
