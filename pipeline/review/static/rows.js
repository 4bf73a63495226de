// The view of the rows: what has no label, row by row, with what a model reads there.
//
// A row is confirmed as it is suggested, or typed over, label by label.

import { count, draw, make, makeFilters } from "./elements.js";
import { askName, Naming } from "./naming.js";
import { LEFT_OUT } from "./project.js";

const NONE = "·"; // where no label is known
const GLYPH = 56, LETTER = 20, GAP = 19; // pixels: of a usual glyph, a label, and between two labels
const BARE = ["whole", "array", "idx"]; // layouts that have no rows

export const rowsView = { name: "rows", title: "Rows", open, close, keys, press, show, owns };

let page, project, naming, parts, listening, observer;
let rows = [], at = 0, cell = 0;
let suggested = { labels: {}, models: [], by: "", least: 0, trouble: "" };
const typed = new Map(); // what a person typed and did not confirm yet, by id
const chosen = { all: false, page: "", model: "" };
const settled = new Set(); // ids that were confirmed here, and stay in sight

function open(place, given) {
  page = given;
  project = page.project;
  naming = new Naming(project.classes);
  parts = makeParts();
  place.append(parts.filters, parts.by, parts.list);
  observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) if (isIntersecting) fill(Number(target.dataset.n));
  }, { root: parts.list, rootMargin: "600px" });
  listening = new AbortController();
  project.addEventListener("change", (event) => change(event.detail), { signal: listening.signal });
  addEventListener("resize", () => refill(), { signal: listening.signal });
  settled.clear();
  refill();
  suggest();
}

function close() {
  listening.abort();
  observer.disconnect();
}

function change(what) {
  if (what === "tiles") { refill(); suggest(); }
  else if (what === "labels") { tellCount(); updateAll(); }
}

async function suggest() {
  if (!project.tiles) return;
  parts.by.textContent = "A model is reading …";
  try {
    suggested = await page.ask(`/api/suggestions?model=${encodeURIComponent(chosen.model)}`);
  } catch (error) {
    suggested = { labels: {}, models: suggested.models, by: "", least: 0, trouble: error.message };
  }
  const { models, by, trouble } = suggested;
  parts.model.replaceChildren(make("option", { value: "" }, "the usual one"),
    ...models.map((name) => make("option", { value: name, selected: name === chosen.model }, name)));
  parts.modelLabel.hidden = !models.length;
  parts.by.textContent = by ? `Suggested by ${by}.` : trouble ? `No suggestions: ${trouble}` : "";
  updateAll();
}

// --- What is shown ----------------------------------------------------------------------------

function makeParts() {
  const all = make("input", { type: "checkbox", checked: chosen.all, onchange: () => { chosen.all = all.checked; refill(); focusRow(); } });
  const pages = make("select", { class: "long", onchange: () => { chosen.page = pages.value; settled.clear(); refill(); focusRow(); } });
  const model = make("select", { onchange: () => { chosen.model = model.value; suggest(); } });
  const counted = make("output", { class: "quiet" });
  const by = make("p", { class: "quiet by", role: "status" });
  const modelLabel = make("label", { hidden: true }, "Model ", model);
  const filters = makeFilters(
    [make("label", {}, "Page ", pages), counted], modelLabel, make("label", {}, all, "Rows with labels too"));
  return { filters, counted, pages, model, modelLabel, by, list: make("ol", { class: "rows", tabindex: "-1", "aria-label": "Rows" }) };
}

function refill() {
  const focused = rows[at]?.cells[0];
  const id = focused === undefined ? null : project.tiles?.ids[focused];
  observer.disconnect();
  rows = project.tiles ? findRows() : [];
  tellPages();
  at = Math.max(0, rows.findIndex((row) => row.cells.some((one) => project.tiles.ids[one] === id)));
  if (id === null) at = Math.max(0, rows.findIndex(isOpen));
  parts.list.replaceChildren(...rows.map((row, n) => make("li", {
    "data-n": n, class: "line", onclick: (event) => click(event, n),
  })));
  for (const element of parts.list.children) observer.observe(element);
  if (!rows.length) parts.list.replaceChildren(make("li", { class: "quiet none" }, emptyText()));
  else go(at, false);
  tellCount();
}

function emptyText() {
  if (!project.tiles) return "There are no tiles yet: run dvc repro.";
  const bare = project.tiles.ids.filter((_, row) => isBare(row) && project.labelOf(row) === "").length;
  if (bare) return `${count(bare, "picture")} of one subject without a label: choose the class “without a label” in Tiles.`;
  return "Each box has a label.";
}

const layoutOf = (row) => project.tiles.pages[project.tiles.page[row]].layout;
const isBare = (row) => BARE.includes(layoutOf(row)) || !project.tiles.box[row];
const isOpen = (row) => row.cells.some((one) => project.labelOf(one) === "");

// The rows as they lie on the pages: the rows of tiles.h5 in each.
function findRows() {
  const { tiles } = project, found = new Map();
  tiles.ids.forEach((_, row) => {
    if (isBare(row)) return;
    const name = `${tiles.page[row]}/${tiles.row[row]}`;
    if (!found.has(name)) found.set(name, { page: tiles.page[row], row: tiles.row[row], cells: [] });
    found.get(name).cells.push(row);
  });
  const every = [...found.values()];
  for (const one of every) one.cells.sort((a, b) => tiles.col[a] - tiles.col[b] || a - b);
  every.sort((a, b) => a.page - b.page || a.row - b.row);
  return every.filter((one) => (chosen.all || isOpen(one) || one.cells.some((c) => settled.has(tiles.ids[c])))
    && (chosen.page === "" || String(one.page) === chosen.page));
}

function tellPages() {
  const { tiles } = project;
  if (!tiles) return;
  const held = [...new Set(tiles.page.filter((_, row) => !isBare(row)))];
  if (!held.map(String).includes(chosen.page)) chosen.page = "";
  parts.pages.replaceChildren(make("option", { value: "" }, "all"),
    ...held.slice(0, 5000).map((n) => make("option", { value: n, selected: String(n) === chosen.page }, tiles.pages[n].name)));
}

function tellCount() {
  const left = rows.filter(isOpen);
  const boxes = left.reduce((sum, row) => sum + row.cells.filter((one) => project.labelOf(one) === "").length, 0);
  parts.counted.textContent = left.length ? `${count(left.length, "row")} to go, ${boxes.toLocaleString("en")} box${boxes === 1 ? "" : "es"}` : "All done.";
}

// What a box will be: [label, kind], kind is typed, saved, sure, doubted or none.
function read(one) {
  const id = project.tiles.ids[one];
  if (typed.has(id)) return [typed.get(id), "typed"];
  const label = project.labelOf(one);
  if (label) return [label, "saved"];
  const [guess, chance] = suggested.labels[id] ?? ["", 0];
  return [guess, !guess ? "none" : chance >= suggested.least ? "sure" : "doubted"];
}

const isDoubtful = (one) => ["doubted", "none"].includes(read(one)[1]);

function updateAll() {
  for (const element of parts.list.children) if (element.firstChild && element.dataset.n !== undefined) fill(Number(element.dataset.n));
  if (document.activeElement === document.body) focusRow();
}

// Show a row: its place on the page, the labels below, and of the one in focus where to type.
function fill(n) {
  const element = parts.list.children[n], row = rows[n];
  if (!row || !element) return;
  const where = project.tiles.pages[row.page];
  element.classList.toggle("done", !isOpen(row));
  if (n === at) element.setAttribute("aria-current", "true");
  else element.removeAttribute("aria-current");
  const title = make("p", { class: "quiet" }, `${where.name}, row ${row.row}${isOpen(row) ? "" : " ✓"}`);
  const held = element.querySelector(".hand");
  if (n === at && held) { // it stays where it is: what is moved loses the focus
    while (element.firstChild !== held) element.firstChild.remove();
    held.before(title, drawRow(n));
  } else element.replaceChildren(title, drawRow(n), ...(n === at ? [makeHand()] : []));
  if (n === at) tellHand();
}

function drawRow(n) {
  const { tiles } = project, row = rows[n], where = tiles.pages[row.page];
  const boxes = row.cells.map((one) => tiles.box[one]);
  const tall = median(boxes.map(([, y0, , y1]) => y1 - y0));
  const x0 = Math.min(...boxes.map((one) => one[0])) - tall / 2, x1 = Math.max(...boxes.map((one) => one[2])) + tall / 2;
  const y0 = Math.min(...boxes.map((one) => one[1])) - tall / 4, y1 = Math.max(...boxes.map((one) => one[3])) + tall / 4;
  const room = parts.list.clientWidth - 60;
  const gap = median(boxes.slice(1).map((one, k) => Math.abs(one[0] + one[2] - boxes[k][0] - boxes[k][2]) / 2));
  const scale = Math.max(Math.min(GLYPH / tall, room / (x1 - x0)), Math.min(GAP / (gap || 1e9), (2 * GLYPH) / tall));
  const width = (x1 - x0) * scale, height = (y1 - y0) * scale + LETTER * 1.5;
  const image = draw("image", { href: `/api/scan/${where.id}`, width: where.width, height: where.height, preserveAspectRatio: "none" });
  const paper = draw("svg", { x: 0, y: 0, width, height: (y1 - y0) * scale, viewBox: `${x0} ${y0} ${x1 - x0} ${y1 - y0}`, preserveAspectRatio: "none" }, image);
  const marks = row.cells.map((one, k) => {
    const [a, b, c, d] = boxes[k], [label, kind] = read(one);
    const shown = label === LEFT_OUT ? "–" : label || NONE;
    const word = draw("text", { x: ((a + c) / 2 - x0) * scale, y: (y1 - y0) * scale + LETTER * 1.1, class: kind }, shown);
    const rect = draw("rect", { x: (a - x0) * scale, y: (b - y0) * scale, width: (c - a) * scale, height: (d - b) * scale, class: kind });
    const group = draw("g", { "data-cell": k, class: n === at && k === cell ? "at" : label === LEFT_OUT ? "gone" : "" }, rect, word);
    return group;
  });
  const svg = draw("svg", { width: Math.round(width), height: Math.round(height), viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Row ${row.row}: ${tellRow(row)}` }, paper, ...marks);
  return make("div", { class: "strip", tabindex: width > room ? "0" : null, role: width > room ? "group" : null, "aria-label": width > room ? `Row ${row.row}` : null }, svg);
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted.length ? sorted[sorted.length >> 1] : 0;
}

const join = () => (naming.hasWords ? " " : "");
const wordOf = (one) => read(one)[0] || NONE;
const tellRow = (row) => row.cells.map(wordOf).join(join());

// --- Where it is typed ------------------------------------------------------------------------

function makeHand() {
  const input = make("input", {
    type: "text", class: "typed", autocomplete: "off", autocapitalize: "off", spellcheck: "false", enterkeyhint: "next",
    onkeydown: type, onbeforeinput: typeSoftly, oninput: tellHand, onclick: () => { pickCell(input.selectionStart); },
    onpaste: (event) => { event.preventDefault(); for (const letter of event.clipboardData.getData("text").trim()) put(letter); },
  });
  return make("div", { class: "hand" }, input,
    make("button", { type: "button", onclick: () => { confirm(); focusRow(); } }, "Confirm ", make("kbd", {}, "Enter")),
    make("button", { type: "button", onclick: () => { seekDoubt(); focusRow(); } }, "Next doubtful ", make("kbd", {}, "Space")),
    make("button", { type: "button", onclick: () => { put(LEFT_OUT); focusRow(); } }, "Leave out ", make("kbd", {}, "-")),
    make("button", { type: "button", onclick: mendBoxes }, "Mend the boxes"));
}

const hand = () => parts.list.children[at]?.querySelector("input");

function tellHand() {
  const input = hand(), row = rows[at];
  if (!input || !row) return;
  const words = row.cells.map(wordOf), between = join().length;
  input.value = words.join(join());
  input.size = Math.max(4, input.value.length + 1);
  const start = words.slice(0, cell).reduce((sum, word) => sum + word.length + between, 0);
  const focused = document.activeElement === input;
  if (focused) input.setSelectionRange(start, start + words[cell].length);
  const [label, kind] = read(row.cells[cell]);
  const said = { typed: "typed", saved: "saved", sure: "suggested", doubted: "doubtful", none: "no suggestion" }[kind];
  input.setAttribute("aria-label", `Labels of row ${row.row}; box ${cell + 1} of ${row.cells.length}: ${label || "none"}, ${said}`);
}

function pickCell(position) {
  let end = 0;
  const words = rows[at].cells.map(wordOf);
  cell = Math.max(0, words.findIndex((word) => { end += word.length + join().length; return position < end; }));
  if (position >= end) cell = words.length - 1;
  fill(at);
}

function focusRow() { hand()?.focus({ preventScroll: true }); tellHand(); }

function go(n, scroll = true) {
  const before = at;
  at = Math.min(Math.max(n, 0), rows.length - 1);
  cell = 0;
  const had = parts.list.contains(document.activeElement) || document.activeElement === document.body;
  if (before !== at) { parts.list.children[before]?.querySelector(".hand")?.remove(); fill(before); }
  fill(at);
  if (had) focusRow();
  if (scroll) parts.list.children[at]?.scrollIntoView({ block: "center" });
}

function goCell(n) {
  cell = Math.min(Math.max(n, 0), rows[at].cells.length - 1);
  fill(at);
}

// Give the box in focus a label, and go on to the next.
function set(label) {
  const { cells } = rows[at], id = project.tiles.ids[cells[cell]], before = typed.get(id);
  if (cell === cells.length - 1 && before && before !== label) {
    page.say(`This row has ${cells.length} box${cells.length === 1 ? "" : "es"}: the label of the last one was typed over.`);
  }
  typed.set(id, label);
  goCell(cell + 1);
}

// A letter as it was typed; false for one that means nothing.
function put(letter) {
  const name = naming.find(letter);
  if (name) set(name);
  else if (letter === LEFT_OUT || letter === "–" || naming.isSpare("leave", letter)) set(LEFT_OUT);
  else if (naming.isSpare("undo", letter)) page.undo();
  else if (letter === "?") page.help();
  else if (letter.trim() && naming.hasWords) typeName(letter === "/" ? "" : letter);
  else if (letter.trim()) page.say(`“${letter}” is no class; ${LEFT_OUT} leaves a box out.`);
}

async function typeName(begun) {
  const name = await askName(project.classes, begun);
  if (name) set(name);
  focusRow();
}

function goBack() {
  const { cells } = rows[at], isLast = cell === cells.length - 1; // there typing does not go on
  if (!isLast || !typed.has(project.tiles.ids[cells[cell]])) goCell(cell - 1);
  typed.delete(project.tiles.ids[cells[cell]]);
  fill(at);
}

function seekDoubt() {
  const { cells } = rows[at];
  for (let k = 1; k <= cells.length; k++) {
    const n = (cell + k) % cells.length;
    if (isDoubtful(cells[n])) { goCell(n); return; }
  }
  page.say("No box of this row is doubtful.");
}

function forget() {
  for (const one of rows[at].cells) typed.delete(project.tiles.ids[one]);
  goCell(0);
}

async function confirm() {
  const row = rows[at];
  if (!row) return;
  const missing = row.cells.findIndex((one) => !read(one)[0]);
  if (missing >= 0) {
    goCell(missing);
    page.say(`This box has no label yet: type it, or ${LEFT_OUT} to leave it out.`);
    return;
  }
  const labels = new Map(row.cells.map((one) => [one, read(one)[0]]));
  const changed = row.cells.filter((one) => labels.get(one) !== project.labelOf(one));
  for (const one of row.cells) { typed.delete(project.tiles.ids[one]); settled.add(project.tiles.ids[one]); }
  const saving = changed.length ? project.correct(changed, (one) => labels.get(one)) : null;
  const next = rows.findIndex((one, n) => n > at && isOpen(one));
  go(next >= 0 ? next : Math.min(at + 1, rows.length - 1));
  tellCount();
  try { await saving; } catch (error) { page.say(error.message); page.fail(error); updateAll(); }
}

function mendBoxes() {
  project.sheet = project.tiles.pages[rows[at].page].id;
  location.hash = "#pages";
}

function click(event, n) {
  if (event.target.closest("button, input")) return;
  if (n !== at) go(n, false);
  const found = event.target.closest("[data-cell]");
  if (found) goCell(Number(found.dataset.cell));
  focusRow();
}

// --- Keys -------------------------------------------------------------------------------------

const DEEDS = {
  Enter: confirm, ArrowDown: () => go(at + 1), ArrowUp: () => go(at - 1), ArrowLeft: () => goCell(cell - 1),
  ArrowRight: () => goCell(cell + 1), Home: () => goCell(0), End: () => goCell(Infinity), " ": seekDoubt,
  Backspace: goBack, Delete: () => set(LEFT_OUT), Escape: forget,
};

function type(event) {
  if (!rows.length || event.isComposing) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") page.undo();
  else if (event.ctrlKey || event.metaKey || event.altKey) return;
  else if (event.key in DEEDS) DEEDS[event.key]();
  else if ([...event.key].length === 1) put(event.key);
  else return;
  event.preventDefault();
}

// The keyboard of a phone names no keys, but tells what it is about to write.
function typeSoftly(event) {
  event.preventDefault();
  if (event.inputType === "deleteContentBackward") goBack();
  else for (const letter of event.data ?? "") { if (letter === " ") seekDoubt(); else put(letter); }
}

// A key while the focus is elsewhere.
function press(event) {
  const within = event.target === document.body || event.target === parts.list;
  if (!within || !rows.length || ["u", "?"].includes(event.key)) return false;
  focusRow();
  type(event);
  return event.defaultPrevented;
}

function keys() {
  const own = project.classes.filter((name) => naming.keyOf(name));
  const first = own.length > 2 ? `${own[0]} … ${own.at(-1)}` : own.join(", ");
  return [
    ["Enter", "the row is right: save its labels and go to the next"],
    ...(own.length ? [[first, "type over the label of the box, and go to the next"]] : []),
    ...(naming.hasWords ? [["letters, /", "type a class; its first letters do"]] : []),
    [naming.isSpare("leave", "x") ? "-, x, Del" : "-, Del", "leave the box out"],
    ["Space", "go to the next box of the row that is doubtful"],
    ["←, →, Home, End", "go to another box of the row"], ["↑, ↓", "go to another row"],
    ["Backspace", "go back, and forget what was typed there"], ["Esc", "forget what was typed in the row"],
  ];
}

function owns(letter) { return Boolean(naming.find(letter)); }

// Go to what was undone.
function show(ids) {
  for (const id of ids) settled.add(id);
  const n = rows.findIndex((row) => row.cells.some((one) => ids.includes(project.tiles.ids[one])));
  if (n >= 0) go(n);
}
