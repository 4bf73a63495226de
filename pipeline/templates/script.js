"use strict";

// What a part of the page is drawn from; null where the page does not have it.
const readData = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "null");

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

for (const scope of new Set([...document.querySelectorAll("select[data-scope]")].filter((s) => s.value !== "").map((s) => s.dataset.scope)))
  applyFilters(scope);

// A link to a folded section unfolds it.
const unfold = () => {
  const section = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (section instanceof HTMLDetailsElement && !section.open) { section.open = true; section.scrollIntoView(); }
};
addEventListener("hashchange", unfold);
for (const link of document.querySelectorAll("nav a")) link.addEventListener("click", () => setTimeout(unfold));
unfold();

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
document.addEventListener("click", (event) => {
  const button = event.target.closest?.(".enlarge");
  if (!button) return;
  const picture = button.querySelector("img"), large = dialog.querySelector("img");
  large.src = picture.src;
  large.alt = picture.alt;
  large.className = picture.className;
  if (button.dataset.file) { // the photo itself, where the report still lies in its project
    const photo = new Image();
    photo.onload = () => { if (dialog.open && large.src === picture.src) { large.src = photo.src; large.className = ""; } };
    photo.src = `../../${button.dataset.file.split("/").map(encodeURIComponent).join("/")}`;
  }
  dialog.querySelector("p").textContent = button.closest("figure").querySelector("figcaption")?.innerText ?? "";
  dialog.showModal();
  copyLine(button.dataset.line, dialog.querySelector("div"));
});
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

// The arrow keys lead to the pictures beside it.
let enlarged = null;
document.addEventListener("click", (event) => { enlarged = event.target.closest?.(".enlarge") ?? enlarged; });
dialog.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step || !enlarged) return;
  const there = [...(enlarged.closest(".gallery, .sheets, .pages") ?? document.body).querySelectorAll(".enlarge")];
  const next = there[there.indexOf(enlarged) + step];
  if (!next) return;
  event.preventDefault();
  dialog.close();
  next.focus();
  next.click();
});

// Scatter plots: an original and its variants light up together, in every plot.
const landscape = readData("landscape-data");
const drawPoints = (svg, labels, members, isVariant) => {
  const places = JSON.parse(svg.closest("figure").querySelector("script").textContent);
  return members.map((n, k) => {
    const point = document.createElementNS("http://www.w3.org/2000/svg", "use");
    point.setAttribute("href", `#${svg.dataset.marks}-${labels[n]}`);
    point.setAttribute("class", `p c${labels[n] % 10} ${isVariant(n) ? "variant" : "original"}`);
    point.setAttribute("transform", `translate(${places[2 * k]} ${places[2 * k + 1]})${isVariant(n) ? " scale(.75)" : ""}`);
    point.dataset.n = n;
    svg.append(point);
    return { n, point, x: places[2 * k], y: places[2 * k + 1] };
  });
};
const reference = readData("reference-data");
if (reference)
  for (const svg of document.querySelectorAll('.scatter[data-marks="other"]')) drawPoints(svg, reference.labels, [...reference.labels.keys()], () => false);
if (landscape) {
  const { labels, ops, parents, classes, names } = landscape;
  const tip = document.getElementById("tile-tip"), tile = tip.querySelector(".tile"), zoom = 96 / landscape.side;
  const every = [...labels.keys()], originals = every.filter((n) => ops[n] < 0);
  const plots = [...document.querySelectorAll(".scatter.family")].map((svg) => {
    const members = svg.closest("[data-shown]").dataset.shown === "alone" ? originals : every;
    const points = drawPoints(svg, labels, members, (n) => ops[n] >= 0);
    return { svg, points, byNumber: new Map(points.map((one) => [one.n, one])), links: svg.querySelector(".links") };
  });
  const [shown, chosenClass, chosenOp] = ["scatter-shown", "scatter-class", "scatter-op"].map((id) => document.getElementById(id));
  const isSeen = (n) => (chosenClass.value === "" || labels[n] === Number(chosenClass.value)) && (ops[n] < 0 || chosenOp.value === "" || ops[n] === Number(chosenOp.value));
  const filter = () => {
    for (const group of document.querySelectorAll("#landscape [data-shown]")) group.hidden = group.dataset.shown !== shown.value;
    for (const { points } of plots) for (const { n, point } of points) point.toggleAttribute("hidden", !isSeen(n));
  };
  for (const select of [shown, chosenClass, chosenOp]) select.addEventListener("change", filter);
  let lit = [];
  const clear = () => {
    for (const { byNumber, links } of plots) {
      links.replaceChildren();
      for (const n of lit) byNumber.get(n)?.point.classList.remove("lit");
    }
    lit = [];
    tip.hidden = true;
  };
  const light = (n) => {
    clear();
    lit = every.filter((other) => parents[other] === parents[n]);
    for (const { byNumber, links } of plots) {
      const parent = byNumber.get(parents[n]);
      for (const one of lit.filter(isSeen).map((other) => byNumber.get(other)).filter(Boolean)) {
        one.point.classList.add("lit");
        const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
        for (const [name, value] of Object.entries({ x1: parent.x, y1: parent.y, x2: one.x, y2: one.y })) line.setAttribute(name, value);
        links.append(line);
      }
    }
  };
  const tell = (n, x, y) => {
    light(n);
    tile.style.backgroundSize = `${landscape.width * zoom}px auto`;
    tile.style.backgroundPosition = `${-(n % landscape.columns) * 96}px ${-Math.floor(n / landscape.columns) * 96}px`;
    tip.querySelector("span").textContent = `${classes[labels[n]]}, ${ops[n] < 0 ? "original" : names[ops[n]]}`;
    tip.hidden = false;
    tip.style.left = `${Math.max(0, Math.min(x + 14, document.documentElement.clientWidth - tip.offsetWidth - 4))}px`;
    tip.style.top = `${Math.max(0, Math.min(y + 14, innerHeight - tip.offsetHeight - 4))}px`;
  };
  for (const { svg, byNumber } of plots) {
    svg.addEventListener("pointerover", (event) => {
      const point = event.target.closest(".p");
      if (point) tell(Number(point.dataset.n), event.clientX, event.clientY);
    });
    svg.addEventListener("pointerleave", clear);
    svg.addEventListener("blur", clear);
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const seen = originals.filter(isSeen);
      if (!seen.length) return;
      const now = seen.indexOf(parents[lit[0]]);
      const n = seen.at((now + step + seen.length) % seen.length);
      const box = byNumber.get(n).point.getBoundingClientRect();
      tell(n, box.right, box.bottom);
    });
  }
}

// On paper nothing can be opened.
addEventListener("beforeprint", () => { for (const details of document.querySelectorAll("details")) details.open = true; });
