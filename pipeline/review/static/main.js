// The page around the views: what waits, what is wrong, undo, help.
//
// A view is an object
//   name      what stands in the address after the #, and
//   title     on its button
//   open(place, page)   show it in an empty element; called anew whenever the view is chosen
//   close()   stop listening
//   keys()    [key, what it does] pairs for the help
//   press(event)   a key; true when it was used
//   owns(key), show(ids), flush()   if it likes: whether a letter is its own; go to what was undone;
//             save what was done and waits for more
// `page` is { project, ask, send, say(text), fail(error), refresh(), undo(), help() }: project.js says what is known
// and when it changes ("change" with the name of what did), asking.js how the server is asked.
// A view is added by its line in VIEWS; its routes as app.py says.

import { ask, send } from "./asking.js";
import { count, make, tellCost } from "./elements.js";
import { openProject } from "./project.js";
import { pagesView } from "./pages.js";
import { rowsView } from "./rows.js";
import { tilesView } from "./tiles.js";

const VIEWS = [tilesView, rowsView, pagesView];
const SHOWN = 6000; // milliseconds that a sentence stays

const place = (id) => document.getElementById(id);
let view = null;

const project = await openProject().catch((error) => fail(error));
const page = { project, ask, send, say, fail, refresh: tellWaiting, undo, help };

function say(text) {
  const told = place("told");
  told.textContent = text;
  told.hidden = !text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { told.hidden = true; }, SHOWN);
}

function fail(error) {
  complain(error.message);
}

function complain(text) {
  place("trouble").textContent = text;
  place("trouble").hidden = !text;
}

function tellTrouble() {
  const other = project.isOther ? "params.yaml was changed since: load this page again." : "";
  complain(project.trouble || project.labels.trouble || other);
}

function tellWaiting() {
  const rows = project.tiles ? project.waitingRows() : [];
  const undo = place("undo");
  undo.disabled = !project.labels.undo && !project.unsent.length;
  undo.title = project.labels.undo ? `Undo: ${project.labels.undo}` : "";
  const told = place("waiting");
  told.setAttribute("aria-busy", project.isBusy);
  const pages = project.pages.waiting.length;
  clearTimeout(weighing);
  if (!rows.length && !pages) told.textContent = "Nothing waits for dvc repro.";
  else {
    const those = [...(rows.length ? [count(rows.length, "correction")] : []), ...(pages ? [`boxes of ${count(pages, "page")}`] : [])];
    const saved = `${those.join(" and ")} ${project.isBusy ? "being saved" : "saved"}`;
    if (told.firstChild?.textContent !== saved) told.replaceChildren(make("strong", {}, saved), make("span"));
    const place = told.lastChild;
    weighing = setTimeout(() => sayCost(place), 300);
  }
}
let weighing;

async function sayCost(told) {
  try {
    const cost = await project.weigh();
    const will = cost.trouble ? `dvc repro would stop: ${cost.trouble}` : `dvc repro will redo ${tellCost(cost)}.`;
    told.textContent = `. ${will}`;
  } catch { // there are no tiles yet; of what is wrong the next look at the server tells
    const pages = project.pages.waiting.length;
    if (pages) told.textContent = `. dvc repro will read ${count(pages, "page")} anew.`;
  }
}

async function undo() {
  try {
    await view.flush?.();
    const undone = await project.undo();
    const stay = undone.stays ? ` Lines that were changed outside this page since stay: ${undone.stays}.` : "";
    say(`Undone: ${undone.told}.${stay}`);
    await project.look();
    view.show?.(undone.ids);
  } catch (error) {
    fail(error);
  }
}

function help() {
  const keys = [...view.keys(), [view.owns?.("u") ? "Ctrl+Z" : "u, Ctrl+Z", "undo the last correction, also one of yesterday"], ["?", "this help"]];
  place("keys").querySelector("dl").replaceChildren(
    ...keys.flatMap(([key, what]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, what)]),
  );
  place("keys").showModal();
}

function press(event) {
  if (place("keys").open || event.defaultPrevented) return;
  const isUndo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
  const writes = event.target.closest?.("input[type=text], textarea, select");
  if (isUndo && !writes) undo();
  else if (event.ctrlKey || event.metaKey || event.altKey || writes) return;
  else if (view?.press(event)) { /* it is the view's */ }
  else if (event.key === "u") undo();
  else if (event.key === "?") help();
  else return;
  event.preventDefault();
}

function choose() {
  const wanted = VIEWS.find((one) => one.name === location.hash.slice(1)) ?? VIEWS[0];
  view?.close();
  view = wanted;
  place("views").replaceChildren(...VIEWS.map((one) => make("a", {
    href: `#${one.name}`, "aria-current": one === view ? "page" : null,
  }, one.title)));
  place("views").hidden = VIEWS.length < 2;
  place("view").replaceChildren();
  view.open(place("view"), page);
}

if (project) {
  document.body.classList.toggle("writing", project.writing);
  document.title = `Review · ${project.title || project.folder}`;
  place("title").textContent = project.title || project.folder;
  project.addEventListener("change", () => { tellWaiting(); tellTrouble(); });
  project.addEventListener("trouble", tellTrouble);
  project.addEventListener("told", (event) => say(event.detail));
  place("undo").addEventListener("click", undo);
  place("help").addEventListener("click", help);
  document.addEventListener("keydown", press);
  addEventListener("hashchange", choose);
  addEventListener("beforeunload", (event) => { if (project.isBusy) event.preventDefault(); });
  await project.look();
  choose();
  project.watch();
}
