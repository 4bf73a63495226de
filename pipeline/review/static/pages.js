// The view of the pages: their boxes moved, drawn and taken away, and what was seen and not used.

import { Canvas } from "./canvas.js";
import { count, draw, make, makeFilters } from "./elements.js";
import { enclose, isSame, move, split } from "./geometry.js";
import { askName, Naming } from "./naming.js";
import { LEFT_OUT } from "./project.js";

const REST = 500; // milliseconds after the last of several keys until it is saved
const SOON = 1500; // until it is tried again while dvc repro reads raw/
const MOST = 2000; // pictures of one subject that are offered, beside pages
const REASONS = { empty: "empty", unclear: "unclear" };

export const pagesView = { name: "pages", title: "Pages", open, close, keys, press, show, flush, owns };

let page, project, naming, canvas, parts, listening;
let id = ""; // of the page
let sheet = null; // what the server says of it
let pending = null; // { boxes, did } that waits to be saved
let resting = 0, saving = null;
let turn = 0; // of what was asked, done or answered last: an answer that comes after another turn is of the past

const shown = { unused: true };

function open(place, given) {
  page = given;
  project = page.project;
  naming = new Naming(project.classes);
  parts = makeParts();
  place.append(parts.filters, make("div", { class: "bench" }, parts.place, parts.panel));
  canvas = new Canvas(parts.place);
  canvas.element.setAttribute("aria-describedby", "box-told");
  canvas.element.addEventListener("keydown", (event) => { if ((event.ctrlKey || event.metaKey) && canvas.press(event)) event.preventDefault(); });
  canvas.addEventListener("focused", tellFocus);
  canvas.addEventListener("done", (event) => change(event.detail));
  listening = new AbortController();
  project.addEventListener("change", (event) => hear(event.detail), { signal: listening.signal });
  tellPages();
  show([project.sheet || id]);
  canvas.element.focus();
}

function close() {
  listening.abort();
  canvas.close();
  flush();
}

function hear(what) {
  if (what === "boxes") { tellPages(); load(); }
  else if (what === "labels" && sheet) { if (!pending && !saving) load(); else refill(); }
}

// --- What is shown ----------------------------------------------------------------------------

function makeParts() {
  const pages = make("select", { class: "long", "aria-label": "Page", onchange: () => { choose(pages.value); canvas.element.focus(); } });
  const unused = make("input", { type: "checkbox", checked: shown.unused, onchange: () => { shown.unused = unused.checked; refill(); } });
  const size = make("input", { type: "range", min: 1, max: 6, step: 0.25, value: 1, oninput: () => canvas.resizeTo(Number(size.value)) });
  const drawing = make("input", { type: "checkbox", onchange: () => { canvas.drawing = drawing.checked; parts.place.classList.toggle("drawing", drawing.checked); } });
  const counted = make("output", { class: "quiet" });
  const filters = makeFilters([
    make("label", {}, "Page ", pages),
    make("button", { type: "button", "aria-label": "The page before", onclick: () => step(-1) }, "‹"),
    make("button", { type: "button", "aria-label": "The next page", onclick: () => step(1) }, "›"),
  ], counted, make("label", {}, unused, "What is not used"), make("label", {}, "Size ", size), make("label", { class: "by-finger" }, drawing, "Draw with the finger"));
  return { filters, pages, size, counted, place: make("div", { class: "place" }), panel: make("aside", { class: "panel", "aria-label": "The box in focus" }) };
}

// The places of the pages that are offered: all, but of very many pictures of one subject none.
function offered() {
  const { ids, layouts } = project.pages;
  const many = layouts?.filter((one) => one === "whole").length > MOST;
  return ids.map((_, n) => n).filter((n) => !many || layouts[n] !== "whole" || ids[n] === id);
}

function tellPages() {
  const { ids, names, found, refused, waiting } = project.pages;
  const waits = new Set(waiting);
  parts.pages.replaceChildren(...offered().map((n) => make("option", { value: ids[n], selected: ids[n] === id },
    `${names[n]}${refused[n] ? " – nothing read" : ` – ${found[n]}`}${waits.has(ids[n]) ? " *" : ""}`)));
}

function step(by) {
  const places = offered().map((n) => project.pages.ids[n]), at = places.indexOf(id);
  choose(places[(at + by + places.length) % places.length]);
}

async function choose(name) {
  await flush();
  if (name !== id) { sheet = null; parts.size.value = 1; turn++; }
  id = project.sheet = name;
  tellPages();
  await load();
}

async function load() {
  if (!id || pending || saving) return;
  const own = ++turn;
  try {
    const found = await page.ask(`/api/boxes/${encodeURIComponent(id)}`);
    if (own !== turn) return;
    sheet = found;
    refill();
  } catch (error) { page.say(error.message); }
}

function refill() {
  if (!sheet) return;
  const n = project.pages.ids.indexOf(id);
  canvas.fill(`/api/scan/${id}`, project.pages.sizes[n], makeItems());
  const unused = sheet.unused.length ? `, ${sheet.unused.length.toLocaleString("en")} not used` : "";
  const boxes = sheet.boxes.length;
  parts.counted.textContent = `${boxes.toLocaleString("en")} box${boxes === 1 ? "" : "es"}${unused}`;
}

function makeItems() {
  const boxes = sheet.boxes.map((one) => {
    const label = labelOf(one);
    const kind = label === LEFT_OUT ? "out" : label ? (one.score < 0.5 ? "doubted" : "used") : "bare";
    return { ...one, shown: label, label: label === LEFT_OUT ? "–" : label, kind };
  });
  const unused = shown.unused ? sheet.unused.map((one) => ({ ...one, shown: one.label, label: "", kind: "unused" })) : [];
  return [...boxes, ...unused];
}

// What a box will be: as raw/labels.csv says, else raw/boxes.csv, else as it was found.
function labelOf(one) {
  const row = one.id ? project.rowOf?.get(one.id) : undefined;
  const said = one.id ? (project.unsaid(one.id) ?? one.said) : "";
  if (said) return said;
  if (row !== undefined && !sheet.drawn) return project.labelOf(row);
  return one.label;
}

// --- The one in focus -------------------------------------------------------------------------

function tellFocus() {
  const item = canvas.item;
  parts.panel.replaceChildren(
    ...(item ? [lookNear(item.box)] : []),
    make("p", { class: "why", id: "box-told", role: "status" }, item ? tellItem(item) : "Choose a box, or draw one."),
    makeButtons(item), ...tellPage());
}

// What is around a box, large.
function lookNear([x0, y0, x1, y1]) {
  const reach = 0.6 * Math.max(x1 - x0, y1 - y0), [width, height] = canvas.size;
  const image = draw("image", { href: canvas.address, width, height, preserveAspectRatio: "none" });
  return make("div", { class: "context near" }, draw("svg", {
    viewBox: `${x0 - reach} ${y0 - reach} ${x1 - x0 + 2 * reach} ${y1 - y0 + 2 * reach}`, "aria-hidden": "true",
  }, image, draw("rect", { x: x0, y: y0, width: x1 - x0, height: y1 - y0 })));
}

function tellItem(item) {
  const n = canvas.at + 1, several = canvas.marks.size;
  if (several) return `${count(several, "box").replace("boxs", "boxes")} marked; labels, Delete and Merge act on ${several === 1 ? "it" : "them"}.`;
  if (item.kind === "unused") return `Not used: ${REASONS[item.reason] ?? item.reason}.`;
  const label = item.shown === LEFT_OUT ? "left out by raw/labels.csv" : item.shown ? `label ${item.shown}` : "no label yet";
  const sure = item.score < 1 ? `, ${Math.round(100 * item.score)} % sure to be writing` : "";
  return `Box ${n} of ${sheet.boxes.length}: ${label}${sure}.`;
}

function makeButtons(item) {
  const label = item && canvas.chosen.length === 1 ? item.shown : null, few = project.classes.length <= 40;
  const isUnused = item?.kind === "unused", isOut = item?.shown === LEFT_OUT;
  const classes = !item ? [] : few ? project.classes.map((name) => make("button", {
    type: "button", "aria-pressed": name === label, onclick: () => { relabel(name); },
  }, name)) : [make("button", { type: "button", onclick: () => typeName("") }, "Type a class …")];
  const deeds = [
    ...(item && (isUnused || isOut) ? [button("Take it in", takeIn, "Enter")] : []),
    button("New box", drawNew, key("n", "Ins")),
    ...(item && !isUnused ? [button("Split", cut, key("s", "/")), button("Delete", remove, "Del")] : []),
    ...(canvas.chosen.length > 1 ? [button("Merge", merge, key("m", "&"))] : []),
    ...(item ? [button(canvas.marks.has(canvas.at) ? "Unmark" : "Mark", () => { canvas.toggle(); canvas.element.focus(); }, "Space")] : []),
  ];
  return make("div", { class: "deeds" },
    ...(classes.length ? [make("div", { class: "classes", role: "group", "aria-label": isUnused ? "Take it in as" : "Label" }, ...classes)] : []),
    make("div", { class: "buttons" }, ...deeds));
}

function tellPage() {
  if (!sheet) return [];
  const told = [];
  if (sheet.refused) told.push(`prep segment read nothing here: ${sheet.refused}. Draw the boxes, and it will.`);
  if (project.pages.waiting.includes(id)) told.push(sheet.drawn ? "dvc repro will cut these boxes anew." : "dvc repro will find the boxes of this page anew.");
  if (sheet.named) told.push(`raw/labels.csv, line ${sheet.named}, labels this page by rows: where a box comes or goes, look at it.`);
  const back = sheet.drawn ? [make("p", { class: "quiet" }, "This page is read by its boxes in raw/boxes.csv."),
    make("div", { class: "buttons" }, make("button", { type: "button", onclick: giveBack }, "Back to the boxes that are found"))] : [];
  return [...told.map((text) => make("p", { class: "quiet" }, text)), ...back];
}

const key = (letter, other) => (naming.find(letter) ? other : letter);

function button(text, work, name) {
  return make("button", { type: "button", onclick: () => { work(); canvas.element.focus(); } }, `${text} `, make("kbd", {}, name));
}

// --- What is done -----------------------------------------------------------------------------

// The boxes that are chosen: items that are boxes, by their places in sheet.boxes.
const chosenBoxes = () => canvas.chosen.filter((n) => n < sheet.boxes.length);

// Let the page have other boxes, and save them.
function put(boxes, did, focused, wait = 0) {
  sheet.boxes = boxes;
  canvas.marks.clear();
  page.say("");
  refill();
  if (focused) canvas.goTo(focused);
  pending = { did };
  turn++;
  project.unsentBoxes = 1;
  page.refresh();
  clearTimeout(resting);
  resting = setTimeout(save, wait);
}

// A box that is new, or lies elsewhere: nothing is known of it but its label.
const makeBox = (box, label = "") => ({ box, label, id: "", said: "", score: 1 });

function change({ did, n, box }) {
  if (!sheet) return;
  if (n < 0) { put([...sheet.boxes, makeBox(box)], did, box); return; }
  const before = sheet.boxes[n];
  if (isSame(before.box, box)) { refill(); return; }
  const label = labelOf(before);
  put(sheet.boxes.map((one, k) => (k === n ? makeBox(box, label === LEFT_OUT ? before.label : label) : one)), did, box, REST);
}

function drawNew() {
  if (!sheet) return;
  const { size, scale, element } = canvas;
  const near = canvas.item?.box;
  const [w, h] = near ? [near[2] - near[0], near[3] - near[1]] : [size[0] / 12, size[0] / 12];
  const [x, y] = near ? [near[2] + w / 4, near[1]] : [(element.scrollLeft + element.clientWidth / 2) / scale - w / 2, (element.scrollTop + element.clientHeight / 2) / scale - h / 2];
  const box = move([0, 0, Math.max(3, Math.round(w)), Math.max(3, Math.round(h))], x, y, size);
  put([...sheet.boxes, makeBox(box)], "drawn", box);
}

function remove() {
  const gone = new Set(chosenBoxes());
  if (!gone.size) return;
  const at = canvas.at;
  put(sheet.boxes.filter((_, n) => !gone.has(n)), "deleted");
  canvas.go(Math.min(at, canvas.items.length - 1));
}

function merge() {
  const boxes = canvas.chosen;
  if (boxes.length < 2) { page.say("Mark two boxes or more, and merge them then."); return; }
  const items = boxes.map((n) => canvas.items[n]), gone = new Set(chosenBoxes());
  const one = enclose(items.map((item) => item.box));
  const names = new Set(items.map((item) => item.shown).filter((name) => name && name !== LEFT_OUT));
  const label = names.size === 1 ? [...names][0] : ""; // which of several it is, nobody knows
  put([...sheet.boxes.filter((_, n) => !gone.has(n)), makeBox(one, label)], "merged", one);
}

function cut() {
  const n = canvas.at;
  if (!sheet || n < 0 || n >= sheet.boxes.length) return;
  const halves = split(sheet.boxes[n].box, measureInk);
  if (!halves) { page.say("This box is too small to be split."); return; }
  put([...sheet.boxes.slice(0, n), ...halves.map((one) => makeBox(one)), ...sheet.boxes.slice(n + 1)], "split", halves[0]);
}

// The ink in each column of a box (each row of a tall one), read off the picture that is shown.
function measureInk([x0, y0, x1, y1], isWide) {
  const [w, h] = [x1 - x0, y1 - y0], look = document.createElement("canvas");
  if (!canvas.picture.naturalWidth || w * h > 4e6) return null;
  [look.width, look.height] = [w, h];
  const pen = look.getContext("2d"), ratio = canvas.picture.naturalWidth / canvas.size[0];
  pen.drawImage(canvas.picture, x0 * ratio, y0 * ratio, w * ratio, h * ratio, 0, 0, w, h);
  const { data } = pen.getImageData(0, 0, w, h), sums = new Array(isWide ? w : h).fill(0);
  const lightness = (k) => data[k] + data[k + 1] + data[k + 2];
  for (let y = 0, k = 0; y < h; y++) for (let x = 0; x < w; x++, k += 4) sums[isWide ? x : y] += 765 - lightness(k);
  return sums;
}

function takeIn() {
  const item = canvas.item;
  if (item?.kind === "unused") put([...sheet.boxes, makeBox(item.box, item.shown)], "taken in", item.box);
  else if (item?.shown === LEFT_OUT) {
    const { label } = sheet.boxes[canvas.at];
    if (label) relabel(label);
    else typeName("");
  }
}

// Give what is chosen a label: in raw/labels.csv what has a tile, else in raw/boxes.csv.
async function relabel(name) {
  const items = canvas.chosen.map((n) => canvas.items[n]), several = canvas.marks.size > 0;
  const rows = items.map((item) => (item.id ? project.rowOf?.get(item.id) : undefined)).filter((row) => row !== undefined);
  const others = items.filter((item) => item.kind === "unused" || !item.id || project.rowOf?.get(item.id) === undefined);
  const at = canvas.at;
  if (others.length) {
    const isMeant = (one) => others.some((item) => isSame(item.box, one.box));
    const kept = sheet.boxes.map((one) => (isMeant(one) ? { ...one, label: name } : one));
    const taken = others.filter((item) => item.kind === "unused").map((item) => makeBox(item.box, name));
    put([...kept, ...taken], taken.length ? "taken in" : "labelled", others[0].box);
  }
  if (several) canvas.unmark();
  else if (items[0] && items[0].kind !== "unused") canvas.go(Math.min(at + 1, sheet.boxes.length - 1));
  canvas.element.focus();
  if (!rows.length) return;
  try { await project.correct(rows, () => name); } catch (error) { page.say(error.message); page.fail(error); }
}

async function typeName(begun) {
  const name = await askName(project.classes, begun);
  canvas.element.focus();
  if (name) relabel(name);
}

function giveBack() {
  sheet.isBack = true;
  pending = { did: "given back" };
  turn++;
  project.unsentBoxes = 1;
  save();
  canvas.element.focus();
}

// Save the boxes as they are now, one request after the other.
function save() {
  clearTimeout(resting);
  saving ??= (async () => {
    while (pending) {
      const sent = { page: id, did: pending.did, was: sheet.version };
      sent.boxes = sheet.isBack ? null : sheet.boxes.map((one) => [...one.box, one.label]);
      pending = null;
      try {
        const answer = await page.send("/api/boxes", sent);
        turn++;
        if (pending) { sheet.version = answer.version; sheet.drawn = answer.drawn; }
        else { sheet = answer; refill(); }
      } catch (error) {
        page.say(error.message);
        if (!error.isSoon) { pending = null; break; }
        pending ??= { did: sent.did };
        await new Promise((done) => setTimeout(done, SOON));
      }
    }
  })().finally(() => {
    saving = null;
    if (pending) { save(); return; } // it came meanwhile
    project.unsentBoxes = 0;
    project.look().finally(() => { page.refresh(); load(); });
  });
  return saving;
}

function flush() { return pending || saving ? save() : Promise.resolve(); }

// --- Keys -------------------------------------------------------------------------------------

function press(event) {
  const within = event.target === document.body || event.target === canvas.element;
  const onButton = event.target.closest?.("button, a, summary, input, select");
  if (!sheet || (onButton && !/^\S$/u.test(event.key) && event.key !== "Delete")) return false;
  const name = naming.find(event.key);
  if (name && canvas.item) relabel(name);
  else if (event.key === "Delete") remove();
  else if (event.key === "Insert" || event.key === key("n", "Insert")) drawNew();
  else if (event.key === key("s", "/")) cut();
  else if (event.key === key("m", "&")) merge();
  else if (event.key === "Enter") takeIn();
  else if (event.key === ",") step(-1);
  else if (event.key === ".") step(1);
  else if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1 : -1);
  else if (within && canvas.press(event)) return true;
  else if (event.key === "u" || event.key === "?") return false;
  else if (naming.hasWords && canvas.item && /^\p{L}$/u.test(event.key)) typeName(event.key);
  else return false;
  return true;
}

function zoom(by) {
  parts.size.value = Number(parts.size.value) + by / 2;
  canvas.resizeTo(Number(parts.size.value));
}

function keys() {
  const own = project.classes.filter((name) => naming.keyOf(name));
  const first = own.length > 2 ? `${own[0]} … ${own.at(-1)}` : own.join(", ");
  return [
    ["arrows, Page, Home, End", "go to another box"], ["Shift + arrows", "move the box"],
    ["Ctrl + arrows", "move its right and lower side; with Shift its left and upper one"],
    ["Enter", "take in what is not used, or was left out"],
    ...(own.length ? [[first, "give the box, or all that are marked, this label"]] : []),
    ...(naming.hasWords ? [["letters", "type a class; its first letters do"]] : []),
    [key("n", "Ins"), "a new box"], [key("s", "/"), "split the box in two"], [key("m", "&"), "merge the boxes that are marked"],
    ["Del", "delete the box"], ["Space", "mark, or unmark"], ["+, -", "larger, smaller"], [", and .", "the page before, the next page"],
  ];
}

function owns(letter) { return Boolean(naming.find(letter)); }

// Go to a page, or to one on which something was undone.
function show(ids) {
  const known = new Set(project.pages.ids);
  const wanted = ids.filter(Boolean).map((one) => one.split("-").slice(0, 2).join("-")).find((one) => known.has(one));
  const first = offered()[0];
  if (wanted || first !== undefined) choose(wanted ?? project.pages.ids[first]);
}
