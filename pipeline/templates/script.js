"use strict";

// Filters: an item is seen when every choice for its scope agrees with what the item says.
function applyFilters(scope) {
  const chosen = [...document.querySelectorAll(`select[data-scope="${scope}"]`)].filter((s) => s.value !== "");
  const items = [...document.getElementById(scope).querySelectorAll("[data-item]")];
  const isHidden = (item) => chosen.some((s) => s.dataset.key in item.dataset && item.dataset[s.dataset.key] !== s.value);
  for (const item of items) item.toggleAttribute("hidden", isHidden(item));
  const shown = items.filter((item) => !item.hasAttribute("hidden")).length;
  for (const output of document.querySelectorAll(`output[data-scope="${scope}"]`))
    output.textContent = shown < items.length ? `${shown} of ${items.length} lines` : "";
}
for (const select of document.querySelectorAll("select[data-scope]"))
  select.addEventListener("change", () => applyFilters(select.dataset.scope));

// Sorting: a press on a column's head; numbers downwards first, lines without one last.
function sortTable(head) {
  const table = head.closest("table"), column = head.cellIndex, isText = head.classList.contains("text");
  const order = head.ariaSort === (isText ? "ascending" : "descending") ? (isText ? "descending" : "ascending") : (isText ? "ascending" : "descending");
  const sign = order === "ascending" ? 1 : -1;
  const read = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
  const compare = (a, b) => {
    const [one, other] = [read(a), read(b)];
    if (isText) return sign * one.localeCompare(other, undefined, { numeric: true });
    const [x, y] = [one, other].map((text) => (text === "" ? NaN : parseFloat(text)));
    if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
    return sign * (x - y);
  };
  for (const other of table.querySelectorAll("th[aria-sort]")) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", order);
  const body = table.tBodies[0];
  body.append(...[...body.rows].sort(compare));
}
for (const button of document.querySelectorAll(".sortable th button"))
  button.addEventListener("click", () => sortTable(button.closest("th")));

// A press on a picture shows it as large as the window, and copies the line that would leave it out.
async function copyLine(line, place) {
  place.hidden = !line;
  place.querySelector("code").textContent = line ?? "";
  if (!line) return;
  const status = place.querySelector("[role=status]");
  try {
    await navigator.clipboard.writeText(line);
    status.textContent = "Copied:";
  } catch { // no permission, or a browser that lets no local page do it
    status.textContent = "To copy:";
    getSelection().selectAllChildren(place.querySelector("code"));
  }
}
const dialog = document.getElementById("enlarged");
for (const button of document.querySelectorAll(".enlarge"))
  button.addEventListener("click", () => {
    const picture = button.querySelector("img"), large = dialog.querySelector("img");
    large.src = picture.src;
    large.alt = picture.alt;
    large.className = picture.className;
    dialog.querySelector("p").textContent = button.closest("figure").querySelector("figcaption")?.innerText ?? "";
    dialog.showModal();
    copyLine(button.dataset.line, dialog.querySelector("div"));
  });
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

// Scatter plots: an original and its variants light up together, in every plot.
const landscape = JSON.parse(document.getElementById("landscape-data")?.textContent ?? "null");
if (landscape) {
  const tip = document.getElementById("tile-tip"), tile = tip.querySelector(".tile"), zoom = 96 / landscape.side;
  const plots = [...document.querySelectorAll(".scatter.family")].map((svg) => ({ svg, points: [...svg.querySelectorAll(".p")], links: svg.querySelector(".links") }));
  const placeOf = (point) => point.getAttribute("transform").match(/-?[\d.]+/g);
  let lit = [];
  const clear = () => {
    for (const { points, links } of plots) {
      links.replaceChildren();
      for (const n of lit) points[n].classList.remove("lit");
    }
    lit = [];
    tip.hidden = true;
  };
  const light = (n) => {
    clear();
    const parent = landscape.parents[n];
    lit = landscape.parents.flatMap((other, k) => (other === parent ? [k] : []));
    for (const { points, links } of plots)
      for (const k of lit) {
        if (points[k].hasAttribute("hidden")) continue;
        points[k].classList.add("lit");
        const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
        const [x1, y1] = placeOf(points[parent]), [x2, y2] = placeOf(points[k]);
        for (const [name, value] of Object.entries({ x1, y1, x2, y2 })) line.setAttribute(name, value);
        links.append(line);
      }
  };
  const tell = (point, x, y) => {
    const n = Number(point.dataset.n), { label, op } = point.dataset;
    light(n);
    tile.style.backgroundSize = `${landscape.width * zoom}px auto`;
    tile.style.backgroundPosition = `${-(n % landscape.columns) * 96}px ${-Math.floor(n / landscape.columns) * 96}px`;
    tip.querySelector("span").textContent = op ? `${label}, ${op}` : `${label}, original`;
    tip.hidden = false;
    tip.style.left = `${Math.max(0, Math.min(x + 14, document.documentElement.clientWidth - tip.offsetWidth - 4))}px`;
    tip.style.top = `${Math.max(0, Math.min(y + 14, innerHeight - tip.offsetHeight - 4))}px`;
  };
  for (const { svg, points } of plots) {
    svg.addEventListener("pointerover", (event) => {
      const point = event.target.closest(".p");
      if (point) tell(point, event.clientX, event.clientY);
    });
    svg.addEventListener("pointerleave", clear);
    svg.addEventListener("blur", clear);
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const shown = points.filter((point) => !point.hasAttribute("hidden") && !point.dataset.op);
      const now = shown.findIndex((point) => Number(point.dataset.n) === landscape.parents[lit[0]]);
      const point = shown.at((now + step + shown.length) % shown.length);
      const box = point?.getBoundingClientRect();
      if (point) tell(point, box.right, box.bottom);
    });
  }
}

// On paper nothing can be opened.
addEventListener("beforeprint", () => { for (const details of document.querySelectorAll("details")) details.open = true; });
