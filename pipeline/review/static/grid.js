// A grid of tiles of which only those in sight are there: thousands scroll like ten.
//
// Items are rows of tiles.h5, in any order. Their pictures come as sheets: one PNG for as many items
// in turn as a sheet holds, wherever in the file they stand.

import { make } from "./elements.js";

const OVER = 2; // rows above and below what is seen
const REST = 60; // milliseconds without scrolling before pictures are asked for
const GAP = 8, LABEL = 24, EDGE = 3; // pixels between tiles, below each, and around its picture

export class Grid extends EventTarget {
  // describe(row): { label, note, kind, name } of an item; kind is a class name for its colour
  constructor(place, describe) {
    super();
    this.describe = describe;
    this.items = [];
    this.marks = new Set(); // rows
    this.at = 0; // the item that has the focus
    this.side = 84;
    this.seen = new Map(); // grid row -> element
    this.known = new Set(); // addresses of sheets that were asked for
    this.canvas = make("div", { class: "canvas", role: "presentation" });
    this.element = make("div", {
      class: "grid", role: "grid", tabindex: "0", "aria-multiselectable": "true",
      "aria-label": "Tiles", onscroll: () => this.render(), onclick: (event) => this.click(event),
      onfocus: () => this.mark(), onblur: () => this.mark(),
    }, this.canvas);
    place.append(this.element);
    this.observer = new ResizeObserver(() => { this.layOut(); });
    this.observer.observe(this.element);
  }

  close() { this.observer.disconnect(); }

  // Show items; the one with the focus keeps it where it is still there.
  fill(tiles, items, focused = this.items[this.at]) {
    this.tiles = tiles;
    this.items = items;
    this.at = Math.max(0, items.indexOf(focused));
    const kept = new Set(items);
    for (const row of this.marks) if (!kept.has(row)) this.marks.delete(row);
    this.sheets = new Map(); // first item -> address
    this.layOut();
    this.reveal();
  }

  get row() { return this.items[this.at]; }

  // The items that a key acts on: those that are marked, or the one with the focus.
  get chosen() {
    if (this.marks.size) return this.items.filter((row) => this.marks.has(row));
    return this.items.length ? [this.row] : [];
  }

  resize(side) {
    this.side = side;
    this.layOut();
    this.reveal();
  }

  layOut() {
    const width = this.element.clientWidth - GAP, across = this.side + 2 * EDGE + GAP;
    if (width <= 0) return;
    this.columns = Math.max(1, Math.floor(width / across));
    this.canvas.style.inlineSize = `${this.columns * across - GAP}px`;
    this.rowCount = Math.ceil(this.items.length / this.columns);
    this.canvas.style.blockSize = `${this.rowCount * this.step}px`;
    this.element.setAttribute("aria-rowcount", this.rowCount);
    this.element.setAttribute("aria-colcount", this.columns);
    this.clear();
    this.render();
  }

  get step() { return this.side + 2 * EDGE + LABEL + GAP; }

  clear() {
    this.canvas.replaceChildren();
    this.seen.clear();
  }

  render() {
    const top = this.element.scrollTop, height = this.element.clientHeight;
    const first = Math.max(0, Math.floor(top / this.step) - OVER);
    const last = Math.min(this.rowCount - 1, Math.ceil((top + height) / this.step) + OVER);
    for (const [number, element] of this.seen) {
      if (number < first || number > last) { element.remove(); this.seen.delete(number); }
    }
    for (let number = first; number <= last; number++) {
      if (!this.seen.has(number)) {
        const element = this.makeRow(number);
        this.seen.set(number, element);
        this.canvas.append(element);
      }
    }
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.showPictures(true), REST);
    this.showPictures(false);
    this.mark();
  }

  makeRow(number) {
    const row = make("div", { class: "row", role: "row", "aria-rowindex": number + 1 });
    row.style.transform = `translateY(${number * this.step}px)`;
    const start = number * this.columns;
    for (let n = start; n < Math.min(start + this.columns, this.items.length); n++) {
      row.append(this.makeCell(n));
    }
    return row;
  }

  makeCell(n) {
    const picture = make("div", { class: "picture" });
    picture.style.inlineSize = picture.style.blockSize = `${this.side}px`;
    const cell = make("div", {
      class: "cell", role: "gridcell", id: `item-${n}`, "aria-colindex": (n % this.columns) + 1,
    }, picture, make("div", { class: "label" }));
    cell.style.inlineSize = `${this.side + 2 * EDGE}px`;
    this.tell(cell, n);
    return cell;
  }

  tell(cell, n) {
    const { label, note, kind, name } = this.describe(this.items[n]);
    cell.className = `cell ${kind}`;
    cell.setAttribute("aria-label", name);
    cell.lastChild.replaceChildren(
      make("b", {}, label), ...(note ? [make("span", {}, note)] : []),
    );
    cell.setAttribute("aria-selected", this.marks.has(this.items[n]));
  }

  // Tell all that is seen anew: labels changed.
  update() {
    for (const [number, element] of this.seen) {
      [...element.children].forEach((cell, n) => this.tell(cell, number * this.columns + n));
    }
    this.mark();
  }

  // Where the picture of an item is: the address of its sheet, and the place in it.
  locate(n) {
    const { most, columns } = this.tiles.sheet;
    const size = Math.min(100, most);
    const first = Math.floor(n / size) * size;
    if (!this.sheets.has(first)) {
      const rows = this.items.slice(first, first + size).join(",");
      this.sheets.set(first, `/api/sheet/${this.tiles.digest}?rows=${rows}`);
    }
    const held = Math.min(size, this.items.length - first), across = Math.min(columns, held);
    return {
      address: this.sheets.get(first), across, down: Math.ceil(held / across),
      column: (n - first) % across, row: Math.floor((n - first) / across),
    };
  }

  // Give the tiles in sight their pictures; while one scrolls fast, only from sheets that are there.
  showPictures(all) {
    for (const [number, element] of this.seen) {
      [...element.children].forEach((cell, column) => {
        const picture = cell.firstChild;
        if (picture.style.backgroundImage) return;
        const found = this.locate(number * this.columns + column);
        if (!all && !this.known.has(found.address)) return;
        this.known.add(found.address);
        setPicture(picture, found);
      });
    }
  }

  // Show where the focus is, and what is marked.
  mark() {
    for (const cell of this.canvas.querySelectorAll(".at")) cell.classList.remove("at");
    const cell = document.getElementById(`item-${this.at}`);
    if (cell && this.items.length) {
      cell.classList.add("at");
      this.element.setAttribute("aria-activedescendant", cell.id);
    } else this.element.removeAttribute("aria-activedescendant");
  }

  reveal() {
    if (!this.columns) return;
    const top = Math.floor(this.at / this.columns) * this.step;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + this.step > scrollTop + clientHeight) this.element.scrollTop = top + this.step - clientHeight;
    this.render();
    this.dispatchEvent(new Event("focused"));
  }

  go(n, extend = false) {
    const to = Math.min(Math.max(n, 0), this.items.length - 1);
    if (to < 0) return;
    if (extend) {
      const [low, high] = [Math.min(this.at, to), Math.max(this.at, to)];
      for (let k = low; k <= high; k++) this.marks.add(this.items[k]);
    }
    this.at = to;
    this.reveal();
    if (extend) this.changeMarks();
  }

  goTo(row) {
    const n = this.items.indexOf(row);
    if (n >= 0) this.go(n);
    return n >= 0;
  }

  toggle(row = this.row) {
    if (row === undefined) return;
    if (!this.marks.delete(row)) this.marks.add(row);
    this.changeMarks();
  }

  unmark() {
    this.marks.clear();
    this.changeMarks();
  }

  changeMarks() {
    this.update();
    this.dispatchEvent(new Event("marked"));
  }

  click(event) {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    const n = Number(cell.id.slice(5));
    if (event.shiftKey) this.go(n, true);
    else {
      this.go(n);
      if (event.ctrlKey || event.metaKey || this.marking) this.toggle();
    }
  }

  // Take a key that moves or marks; true when it did.
  press(event) {
    const seen = Math.max(1, Math.floor(this.element.clientHeight / this.step) - 1) * this.columns;
    const steps = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns,
      PageUp: -seen, PageDown: seen, Home: -Infinity, End: Infinity,
    };
    if (event.key in steps) this.go(this.at + steps[event.key], event.shiftKey);
    else if (event.key === " ") { this.toggle(); }
    else if (event.key === "Escape" && this.marks.size) this.unmark();
    else return false;
    return true;
  }
}

// Show the part of a sheet that is one tile, as large as the element is.
export function setPicture(element, { address, across, down, column, row }) {
  const share = (place, many) => (many > 1 ? (100 * place) / (many - 1) : 0);
  element.style.backgroundImage = `url("${address}")`;
  element.style.backgroundSize = `${100 * across}% ${100 * down}%`;
  element.style.backgroundPosition = `${share(column, across)}% ${share(row, down)}%`;
}
