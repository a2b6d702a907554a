// SPDX-License-Identifier: MIT OR Apache-2.0
// What is wrong with the page as the browser has laid it out: a list of complaints, empty if nothing is.
(() => {
  const wrong = [];
  const print = matchMedia("print").matches;
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) {
    const wide = [...document.body.querySelectorAll("*")].filter((element) =>
      element.getBoundingClientRect().right > root.clientWidth + 1 && !element.closest(".scroll"));
    wrong.push(`it is ${root.scrollWidth} wide, not ${root.clientWidth}: ${wide.slice(0, 5).map((e) => e.tagName + "." + e.className.toString())}`);
  }

  const rgb = (text) => text.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, alpha = 1] = rgb(getComputedStyle(at).backgroundColor);
      if (alpha > 0) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || ["SCRIPT", "STYLE"].includes(element.tagName)) continue;
    if (!element.checkVisibility() || element.closest(".hidden, .skip")) continue;
    texts += 1;
    const style = getComputedStyle(element);
    const ink = rgb(element instanceof SVGElement ? style.fill : style.color);
    const [one, other] = [luminance(ink), luminance(behind(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const words = walker.currentNode.data.trim().slice(0, 30);
    if (ratio < 4.5) wrong.push(`contrast ${ratio.toFixed(2)}: ${words}`);
    if (!print && parseFloat(style.fontSize) < 12) wrong.push(`${style.fontSize}: ${words}`);
  }
  if (texts < 300) wrong.push(`only ${texts} texts`);

  for (const svg of document.querySelectorAll(".area, .bar > svg")) {
    const box = svg.getBoundingClientRect();
    if (box.width < 200 || box.height < 20) wrong.push(`a chart of ${box.width} x ${box.height}`);
    for (const path of svg.querySelectorAll("path")) {
      const drawn = path.getBoundingClientRect();
      if (drawn.bottom > box.bottom + 2 || drawn.right > box.right + 2 || drawn.top < box.top - 2 || drawn.left < box.left - 2) {
        wrong.push(`${svg.closest("figure").id}: drawn beyond its chart`);
        break;
      }
    }
  }
  const plots = [...document.querySelectorAll(".plot")].map((plot) => plot.getBoundingClientRect());
  plots.slice(1).forEach((plot, index) => {
    if (plot.top < plots[index].bottom - 1) wrong.push(`chart ${index} lies on the next`);
  });
  for (const button of print ? [] : document.querySelectorAll("button, summary")) {
    if (button.getBoundingClientRect().height < 24) wrong.push(`${button.textContent} is too small for a finger`);
  }
  return wrong;
})()
