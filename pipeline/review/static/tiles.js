// The view of the tiles: chosen and ordered above, a grid, and what is known of the one in focus.

import { count, draw, make, makeFilters, tellCost } from "./elements.js";
import { Grid, setPicture } from "./grid.js";
import { askName, Naming } from "./naming.js";
import { LEFT_OUT } from "./project.js";

const KINDS = {
  label: "Doubtful labels", duplicate: "Same picture, other label", outlier: "Unlike any other tile",
  empty: "Nearly empty",
};
const MOST = 20000; // tiles that are corrected at once
const WAIT = 120; // milliseconds that a tile has the focus before its page is shown

export const tilesView = { name: "tiles", title: "Tiles", open, close, keys, press, show, owns };

let page, project, naming, grid, parts, suspects, listening;

const chosen = { list: "", class: "", part: "", page: "", order: "page" };

function open(place, given) {
  page = given;
  project = page.project;
  naming = new Naming(project.classes);
  parts = makeParts();
  place.append(parts.filters, make("div", { class: "bench" }, parts.place, parts.panel));
  grid = new Grid(parts.place, describe);
  grid.addEventListener("focused", tellFocus);
  grid.addEventListener("marked", () => { tellCount(); tellFocus(); });
  if (project.tiles) grid.side = usualSide();
  parts.size.value = grid.side;
  listening = new AbortController();
  project.addEventListener("change", (event) => change(event.detail), { signal: listening.signal });
  if (chosen.list === "" && project.suspects.label?.length) chosen.list = "label";
  refill();
  grid.element.focus();
}

function close() {
  listening.abort();
  grid.close();
}

function usualSide() {
  const side = project.tiles.shape[0];
  return side <= 40 ? side * 3 : Math.min(160, Math.max(120, side));
}

function change(what) {
  if (what === "labels") { grid.update(); tellFocus(); tellCount(); }
  else refill();
}

// --- What is shown ----------------------------------------------------------------------------

function makeParts() {
  const size = make("input", {
    type: "range", min: 40, max: 240, step: 4, oninput: () => grid.resize(Number(size.value)),
  });
  const found = {
    list: makeChoice("Show", "list"), class: makeChoice("Class", "class"), part: makeChoice("Part", "part"),
    page: makeChoice("Page", "page"), order: makeChoice("Order", "order"),
  };
  const marking = make("input", { type: "checkbox", onchange: () => { grid.marking = marking.checked; } });
  const counted = make("output", { class: "quiet" });
  const search = make("button", { type: "button", onclick: look });
  const filters = makeFilters(
    [found.list.label, search], counted, ...[found.class, found.part, found.page, found.order].map((one) => one.label),
    make("label", {}, "Size ", size), make("label", {}, marking, "Mark several"));
  return { filters, size, counted, search, choices: found, place: make("div", { class: "place" }), panel: makePanel() };
}

function makeChoice(name, key) {
  const select = make("select", {
    "aria-label": name, onchange: () => { chosen[key] = select.value; refill(); },
  });
  return { select, label: make("label", {}, `${name} `, select) };
}

function setChoices(key, options) {
  const { select, label } = parts.choices[key];
  if (!options.some(([value]) => value === chosen[key])) chosen[key] = options[0][0];
  select.replaceChildren(...options.map(([value, text]) => make("option", { value, selected: value === chosen[key] }, text)));
  select.value = chosen[key];
  label.hidden = options.length < 2;
}

function tellChoices() {
  const { tiles } = project, split = project.parts;
  const left = (those) => those.filter((one) => project.rowOf.has(one.id) && isOpen(project.rowOf.get(one.id), one));
  const lists = Object.entries(project.suspects).filter(([, those]) => those.length)
    .map(([kind, those]) => [kind, left(those)]);
  setChoices("list", [
    ["", "All tiles"],
    ...lists.map(([kind, those]) => [kind, `${KINDS[kind] ?? kind} (${those.length.toLocaleString("en")})`]),
    ["waiting", "Corrections that wait"],
    ["said", "All that raw/labels.csv names"],
  ]);
  setChoices("class", [["", "all"], ...project.classes.map((name) => [`=${name}`, name]),
    ["?", "without a label"], ["-", "left out"]]);
  const held = split ? [...new Set(split.part)].filter(Boolean).sort() : [];
  const words = { train: "training set", val: "validation set", test: "test set" };
  setChoices("part", [["", "all"], ...held.map((n) => [String(n), words[split.names[n]]])]);
  const sources = [...new Set(tiles.pages.map((one) => folderOf(one)))];
  const several = tiles.pages.length < tiles.ids.length; // of photos each is its own page
  const pages = several && tiles.pages.length <= 2000 ? tiles.pages.map((one, n) => [`p${n}`, one.name]) : [];
  setChoices("page", [["", "all"], ...(sources.length > 1 ? sources.map((one) => [`s${one}`, `${one}/`]) : []), ...pages]);
  setChoices("order", [["page", chosen.list in project.suspects ? "doubt" : "as on the pages"],
    ["class", "by class"], ...(tiles.score.some((one) => one < 1) ? [["score", "doubtful boxes first"]] : [])]);
}

const folderOf = (one) => one.source.split("/").slice(0, -1).join("/") || one.source;

function choose() {
  const { tiles } = project, split = project.parts;
  suspects = new Map();
  let rows = tiles.ids.map((_, row) => row);
  if (chosen.list in project.suspects) {
    for (const one of project.suspects[chosen.list]) {
      const row = project.rowOf.get(one.id);
      if (row !== undefined && (isOpen(row, one) || keeps(row))) suspects.set(row, one);
    }
    rows = [...suspects.keys()];
  } else if (chosen.list === "waiting") rows = project.waitingRows().sort((a, b) => a - b);
  else if (chosen.list === "said") rows = rows.filter((row) => project.saidOf(tiles.ids[row]));
  if (chosen.class) rows = rows.filter((row) => isOfClass(row));
  if (chosen.part && split) rows = rows.filter((row) => String(split.part[row]) === chosen.part);
  if (chosen.page.startsWith("p")) rows = rows.filter((row) => `p${tiles.page[row]}` === chosen.page);
  if (chosen.page.startsWith("s")) rows = rows.filter((row) => `s${folderOf(tiles.pages[tiles.page[row]])}` === chosen.page);
  if (chosen.order === "score") rows.sort((a, b) => tiles.score[a] - tiles.score[b] || a - b);
  if (chosen.order === "class") {
    const place = new Map(project.classes.map((name, n) => [name, n]));
    const key = new Map(rows.map((row) => [row, place.get(project.labelOf(row)) ?? project.classes.length]));
    rows.sort((a, b) => key.get(a) - key.get(b) || a - b);
  }
  return rows;
}

// Whether nobody has settled a suspect yet: given it another label since, or confirmed what was found.
// A label that somebody typed into raw/labels.csv may be wrong like any other.
function isOpen(row, one) {
  const said = project.saidOf(one.id);
  return said === null || (said === one.label && said !== project.foundLabel(row));
}

// A suspect that was settled stays in its place as long as its list is looked at.
function keeps(row) { return settled.list === chosen.list && settled.rows.has(row); }
const settled = { list: null, rows: new Set() };

function isOfClass(row) {
  const label = project.labelOf(row);
  if (chosen.class === "?") return label === "";
  if (chosen.class === "-") return label === LEFT_OUT;
  return `=${label}` === chosen.class;
}

function refill() {
  if (!project.tiles) { parts.counted.textContent = "No tiles yet."; return; }
  if (settled.list !== chosen.list) { settled.list = chosen.list; settled.rows.clear(); }
  if (isAwaited && !project.search.isOn && project.suspects.label?.length) {
    [isAwaited, chosen.list] = [false, "label"];
  }
  tellChoices();
  tellSearch();
  const id = grid.tiles && grid.row !== undefined ? grid.tiles.ids[grid.row] : null;
  const marks = grid.tiles ? [...grid.marks].map((row) => grid.tiles.ids[row]) : [];
  grid.marks = new Set(marks.map((one) => project.rowOf.get(one)).filter((row) => row !== undefined));
  const sized = grid.tiles && grid.tiles.shape[0] === project.tiles.shape[0];
  if (!sized) { grid.side = usualSide(); parts.size.value = grid.side; }
  grid.fill(project.tiles, choose(), project.rowOf.get(id));
  tellCount();
}

let isAwaited = false; // the list of errors that a search was asked for

function look() {
  isAwaited = true;
  project.lookForErrors().catch(page.fail);
}

// The search for likely errors is offered where there is none, or one of other tiles.
function tellSearch() {
  const { isOn, isStale, trouble } = project.search;
  const lists = Object.values(project.suspects).some((those) => those.length);
  parts.search.hidden = lists && !isStale && !isOn;
  parts.search.disabled = isOn;
  parts.search.textContent = isOn ? "Looking for errors …" : lists ? "Look for errors again" : "Look for errors";
  if (trouble && !isOn && tellSearch.told !== trouble) page.fail(new Error(trouble));
  tellSearch.told = trouble;
}

function tellCount() {
  const marked = grid.marks.size ? `, ${grid.marks.size.toLocaleString("en")} marked` : "";
  parts.counted.textContent = `${count(grid.items.length, "tile")}${marked}`;
}

// What stands below a tile, and what is read out of it.
function describe(row) {
  const label = project.labelOf(row), found = project.foundLabel(row);
  const reading = readingOf(row);
  const said = project.saidOf(project.tiles.ids[row]);
  const isNew = label !== found;
  const shown = label === LEFT_OUT ? "out" : label || "no label";
  const note = isNew ? `was ${found || "none"}` : said ? "confirmed" : reading && `read ${reading}`;
  const kind = isNew ? (label === LEFT_OUT ? "out" : "changed") : said ? "sure" : reading ? "doubted" : "";
  return { label: shown, note, kind, name: `${shown}${note ? `, ${note}` : ""}; ${tellPlace(row)}` };
}

function tellPlace(row) {
  const { tiles } = project;
  const where = tiles.pages[tiles.page[row]];
  const box = isWhole(row) ? "" : `, row ${tiles.row[row]}, column ${tiles.col[row]}`;
  return `${where.name}${box}`;
}

function isWhole(row) {
  return ["whole", "array", "idx"].includes(project.tiles.pages[project.tiles.page[row]].layout);
}

// --- The one in focus -------------------------------------------------------------------------

function makePanel() {
  return make("aside", { class: "panel", "aria-label": "The tile in focus" });
}

let waiting;

function tellFocus() {
  const row = grid.row;
  const panel = parts.panel;
  if (row === undefined) {
    panel.replaceChildren(make("p", { class: "quiet" }, emptyText()));
    return;
  }
  const { tiles } = project;
  const picture = make("div", { class: "picture large", role: "img", "aria-label": `The tile, ${describe(row).name}` });
  setPicture(picture, grid.locate(grid.at));
  const context = make("div", { class: "context" });
  const previous = panel.querySelector(".context");
  if (previous?.dataset.id === tiles.ids[row]) context.replaceWith(previous);
  panel.replaceChildren(
    make("div", { class: "looks" }, picture, previous?.dataset.id === tiles.ids[row] ? previous : context),
    ...tellSuspect(row), makeButtons(), previewCost(), makeFacts(row));
  if (previous?.dataset.id !== tiles.ids[row]) {
    context.dataset.id = tiles.ids[row];
    clearTimeout(waiting);
    waiting = setTimeout(() => showContext(context, row), WAIT);
  }
}

function emptyText() {
  if (chosen.list === "waiting") return "Nothing waits: dvc repro has read every correction.";
  if (chosen.list in project.suspects) return "All of this list is settled.";
  return "No tile is like that.";
}

function tellSuspect(row) {
  const suspect = suspects.get(row);
  return suspect?.why ? [make("p", { class: "why" }, suspect.why)] : [];
}

function showContext(place, row) {
  const { tiles } = project;
  const box = tiles.box[row], where = tiles.pages[tiles.page[row]];
  if (!box || !where.width || ["array", "idx"].includes(where.layout)) return;
  const [x0, y0, x1, y1] = box;
  const reach = isWhole(row) ? 0 : 1.2 * Math.max(x1 - x0, y1 - y0);
  const view = [x0 - reach, y0 - reach, x1 - x0 + 2 * reach, y1 - y0 + 2 * reach];
  const image = draw("image", { href: `/api/scan/${where.id}`, width: where.width, height: where.height, preserveAspectRatio: "none" });
  image.addEventListener("error", () => place.replaceChildren(make("p", { class: "quiet" }, "Its page can't be shown.")));
  place.replaceChildren(draw("svg", { viewBox: view.join(" "), role: "img", "aria-label": "The place on its page" }, image,
    ...(isWhole(row) ? [] : [draw("rect", { x: x0, y: y0, width: x1 - x0, height: y1 - y0 })])));
}

// What a suspect was read as, where that is not its label anyway.
function readingOf(row) {
  const suspect = suspects.get(row);
  return suspect && suspect.read_as !== suspect.label ? suspect.read_as : "";
}

function makeButtons() {
  const rows = grid.chosen;
  const label = rows.length === 1 ? project.labelOf(rows[0]) : null;
  const few = project.classes.length <= 40;
  const classes = few ? project.classes.map((name) => make("button", {
    type: "button", "aria-pressed": name === label, onclick: () => relabel(() => name),
  }, name)) : [];
  const whom = rows.length > 1 ? ` ${count(rows.length, "tile")}` : "";
  const reading = rows.map(readingOf).find(Boolean);
  return make("div", { class: "deeds" },
    make("div", { class: "classes", role: "group", "aria-label": "Relabel" }, ...classes,
      ...(few ? [] : [make("button", { type: "button", onclick: () => typeName("") }, "Type a class …")])),
    make("div", { class: "buttons" },
      ...(reading ? [button(`As read${rows.length > 1 ? "" : `: ${reading}`}`, accept, acceptKey())] : []),
      button(`Confirm${whom}`, confirm, "Enter"),
      button(`Leave out${whom}`, leaveOut, naming.isSpare("leave", "x") ? "x" : "Del"),
      button(grid.marks.has(grid.row) ? "Unmark" : "Mark", () => { grid.toggle(); grid.element.focus(); }, "Space"),
      ...(grid.marks.size ? [button("Unmark all", () => { grid.unmark(); grid.element.focus(); }, "Esc")] : [])));
}

function button(text, work, key) {
  return make("button", { type: "button", onclick: work }, `${text} `, make("kbd", {}, key));
}

const acceptKey = () => (naming.isSpare("accept", "a") ? "a" : "=");

// What dvc repro would have to do, said before anything is saved.
function previewCost() {
  const rows = grid.chosen.slice(0, MOST);
  const isRead = rows.some((row) => readingOf(row) && readingOf(row) !== project.labelOf(row));
  const labelFor = isRead ? (row) => readingOf(row) || project.labelOf(row) || LEFT_OUT : () => LEFT_OUT;
  const what = !isRead ? "Left out" : rows.length > 1 ? "As read" : `As ${readingOf(rows[0])}`;
  const told = make("p", { class: "cost quiet" }, "\u00a0");
  clearTimeout(weighing);
  weighing = setTimeout(async () => {
    try {
      const cost = await project.weigh(rows, labelFor);
      told.textContent = cost.trouble ? `${what}, dvc repro would stop: ${cost.trouble}`
        : `${what}, and with all that waits, dvc repro would redo ${tellCost(cost)}.`;
    } catch { /* the next look at the server tells what is wrong */ }
  }, 2 * WAIT);
  return told;
}
let weighing;

function makeFacts(row) {
  const { tiles } = project, split = project.parts;
  const id = tiles.ids[row];
  const part = split?.part.some(Boolean) ? split.names[split.part[row]] : null;
  const words = { train: "training set", val: "validation set", test: "test set", "": "not in the split" };
  const facts = [
    ["Page", tellPlace(row)], ["Id", id],
    ["Found as", project.foundLabel(row) || "no label"],
    ...(tiles.group[row] ? [["Group", tiles.group[row]]] : []),
    ...(tiles.score[row] < 1 ? [["Box", `${Math.round(100 * tiles.score[row])} % sure`]] : []),
    ...(part === null ? [] : [["Part", words[part]]]),
  ];
  return make("dl", { class: "facts" }, ...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

// --- What is done -----------------------------------------------------------------------------

async function relabel(labelFor, rows = grid.chosen) {
  const meant = rows.filter((row) => labelFor(row)).slice(0, MOST);
  grid.element.focus();
  if (!meant.length) return;
  for (const row of meant) settled.rows.add(row);
  const several = grid.marks.size > 0;
  const saving = project.correct(meant, labelFor);
  const more = rows.length > MOST;
  if (more) page.say(`${MOST.toLocaleString()} tiles at once: do it again for the others, which stay marked.`);
  else if (several) grid.unmark();
  else grid.go(grid.at + 1);
  try { await saving; } catch (error) { page.say(error.message); page.fail(error); }
}

const leaveOut = () => relabel(() => LEFT_OUT);
const confirm = () => relabel((row) => project.labelOf(row));
const accept = () => relabel(readingOf);

async function typeName(begun) {
  const rows = grid.chosen;
  const name = await askName(project.classes, begun);
  grid.element.focus();
  if (name) relabel(() => name, rows);
}

function press(event) {
  const within = event.target === document.body || parts.place.contains(event.target);
  if (event.target.closest?.("input, select, textarea")) return false; // their keys are their own
  const onButton = event.target.closest?.("button, a, summary");
  if (onButton && onButton !== grid.element && ["Enter", " "].includes(event.key)) return false;
  const name = naming.find(event.key);
  if (name) relabel(() => name);
  else if (event.key === "Delete" || naming.isSpare("leave", event.key)) leaveOut();
  else if (event.key === "=" || naming.isSpare("accept", event.key)) accept();
  else if (event.key === "Enter") confirm();
  else if (event.key === "/") typeName("");
  else if ((within || event.key === "Escape") && grid.press(event)) return true;
  else if (event.key === "u" || event.key === "?") return false;
  else if (naming.hasWords && /^\p{L}$/u.test(event.key)) typeName(event.key);
  else return false;
  return true;
}

function keys() {
  const own = project.classes.filter((name) => naming.keyOf(name));
  const first = own.length > 2 ? `${own[0]} … ${own.at(-1)}` : own.join(", ");
  return [
    ["arrows", "go to another tile (Page, Home and End do too); with Shift mark all on the way"],
    ...(own.length ? [[first, "give the tile, or all that are marked, this label"]] : []),
    ...(naming.hasWords ? [["letters, /", "type a class; its first letters do"]] : [["/", "type a class"]]),
    [acceptKey(), "give it the label that it was read as"],
    ["Enter", "the label is right: confirm it and go on"],
    [naming.isSpare("leave", "x") ? "x, Del" : "Del", "leave the tile out"],
    ["Space", "mark, or unmark; a key then acts on all that are marked"],
    ["Esc", "unmark all"],
  ];
}

function owns(key) { return Boolean(naming.find(key)); }

// Go to what was undone.
function show(ids) {
  const rows = ids.map((id) => project.rowOf.get(id)).filter((row) => row !== undefined);
  if (rows.length) grid.goTo(rows[0]);
}
