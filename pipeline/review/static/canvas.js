// A page with boxes on it, which a mouse, a finger or keys draw, move and resize.
//
// Items are { box, kind, label, name }; what was done is told by events: "focused", "marked", and
// "done" with detail { did, n, box }: of a new box n is -1.

import { between, findNext, isSame, move, resize } from "./geometry.js";
import { draw, make } from "./elements.js";

const HANDLES = [[-1, -1], [0, -1], [1, -1], [1, 0], [1, 1], [0, 1], [-1, 1], [-1, 0]];
const CURSORS = ["nwse", "ns", "nesw", "ew", "nwse", "ns", "nesw", "ew"];
const STILL = 3; // pixels of the screen that a hand may tremble
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Canvas extends EventTarget {
  constructor(place) {
    super();
    this.items = [];
    this.at = -1;
    this.marks = new Set(); // places of items
    this.zoom = 1;
    this.drawing = false; // whether a finger draws, too
    this.size = [1, 1];
    this.paper = draw("g");
    this.layer = draw("g");
    this.handles = draw("g");
    this.fresh = draw("rect", { class: "fresh", visibility: "hidden" });
    this.svg = draw("svg", { class: "sheet" }, this.paper, this.layer, this.handles, this.fresh);
    this.element = make("div", {
      class: "canvas-place", tabindex: "0", role: "application", "aria-roledescription": "page with boxes", "aria-label": "Page with its boxes",
    }, this.svg);
    place.append(this.element);
    this.svg.addEventListener("pointerdown", (event) => this.take(event));
    this.observer = new ResizeObserver(() => this.layOut());
    this.observer.observe(this.element);
  }

  close() { this.observer.disconnect(); }

  // Show a page: the address of its picture, [width, height], its items.
  fill(address, size, items) {
    if (address !== this.address) {
      this.address = address;
      this.size = size;
      this.at = -1;
      this.marks.clear();
      this.zoom = 1;
      this.picture = new Image();
      this.picture.src = address;
      this.image = draw("image", { href: address, width: size[0], height: size[1], preserveAspectRatio: "none" });
      this.paper.replaceChildren(draw("rect", { class: "paper", width: size[0], height: size[1] }), this.image);
      this.svg.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
      this.element.scrollTop = this.element.scrollLeft = 0;
    }
    const place = (box) => (box ? items.findIndex((one) => isSame(one.box, box)) : -1);
    const same = place(this.item?.box);
    this.marks = new Set([...this.marks].map((n) => place(this.items[n]?.box)).filter((n) => n >= 0));
    this.items = items;
    this.at = same >= 0 ? same : Math.min(this.at, items.length - 1);
    this.layOut();
  }

  get item() { return this.items[this.at]; }

  // The places that a key acts on: what is marked, or what has the focus.
  get chosen() { return this.marks.size ? [...this.marks].sort((a, b) => a - b) : this.at >= 0 ? [this.at] : []; }

  resizeTo(zoom) {
    this.zoom = zoom;
    this.layOut();
    this.reveal();
  }

  layOut() {
    const room = this.element.clientWidth - 16, [width, height] = this.size;
    if (room <= 0) return;
    const fit = Math.min(room / width, Math.max(320, this.element.clientHeight - 16) / height, 4);
    this.scale = fit * this.zoom;
    this.svg.setAttribute("width", Math.round(width * this.scale));
    this.svg.setAttribute("height", Math.round(height * this.scale));
    this.render();
  }

  render() {
    const unit = 1 / this.scale;
    const order = this.items.map((_, n) => n).sort((a, b) => area(this.items[b].box) - area(this.items[a].box));
    this.layer.replaceChildren(...order.map((n) => this.drawItem(n, unit)));
    this.showHandles();
    this.dispatchEvent(new Event("focused"));
  }

  drawItem(n, unit) {
    const { box, kind, label } = this.items[n];
    const [x, y, , y1] = box;
    const word = label ? draw("text", { x, y: y - 3 * unit < 14 * unit ? y1 + 14 * unit : y - 3 * unit, "font-size": 14 * unit, "stroke-width": 3 * unit }, label) : "";
    const state = `${n === this.at ? " at" : ""}${this.marks.has(n) ? " marked" : ""}`;
    return draw("g", { class: `box ${kind}${state}`, "data-n": n }, draw("rect", shape(box)), word);
  }

  showHandles() {
    const item = this.item, unit = 1 / this.scale;
    if (!item) { this.handles.replaceChildren(); return; }
    const [x0, y0, x1, y1] = item.box, extent = Math.max(x1 - x0, y1 - y0) * this.scale;
    if (item.kind === "unused") {
      // A speck would not be seen without a ring around it.
      this.handles.replaceChildren(...(extent > 24 ? [] : [draw("circle", { cx: (x0 + x1) / 2, cy: (y0 + y1) / 2, r: 18 * unit, class: "ring" })]));
      return;
    }
    const large = matchMedia("(hover: none)").matches ? 13 : 5;
    const isSmall = Math.min(x1 - x0, y1 - y0) * this.scale < 36;
    this.handles.replaceChildren(...HANDLES.map(([h, v], n) => {
      if (isSmall && !(h && v)) return ""; // there is room for the corners only
      const [x, y] = [h < 0 ? x0 : h > 0 ? x1 : (x0 + x1) / 2, v < 0 ? y0 : v > 0 ? y1 : (y0 + y1) / 2];
      return draw("g", { class: "handle", "data-handle": n },
        draw("circle", { cx: x, cy: y, r: (large + 4) * unit, class: "reach" }),
        draw("circle", { cx: x, cy: y, r: 4.5 * unit, class: `knob ${CURSORS[n]}` }));
    }));
  }

  go(n, keep = false) {
    if (!this.items.length) return;
    this.at = (n + this.items.length) % this.items.length;
    if (!keep) this.reveal();
    this.render();
  }

  goTo(box) {
    const n = this.items.findIndex((one) => isSame(one.box, box));
    if (n >= 0) this.go(n);
  }

  reveal() {
    if (!this.item) return;
    const [x0, y0, x1, y1] = this.item.box.map((side) => side * this.scale), place = this.element;
    const out = x0 < place.scrollLeft || x1 > place.scrollLeft + place.clientWidth
      || y0 < place.scrollTop || y1 > place.scrollTop + place.clientHeight;
    if (out) place.scrollTo((x0 + x1 - place.clientWidth) / 2, (y0 + y1 - place.clientHeight) / 2);
  }

  toggle(n = this.at) {
    if (n < 0) return;
    if (!this.marks.delete(n)) this.marks.add(n);
    this.render();
  }

  unmark() {
    this.marks.clear();
    this.render();
  }

  // --- Mouse and finger -----------------------------------------------------------------------

  point(event) {
    const seen = this.svg.getBoundingClientRect();
    return [(event.clientX - seen.left) / this.scale, (event.clientY - seen.top) / this.scale];
  }

  take(event) {
    if (event.button) return;
    this.element.focus({ preventScroll: true });
    const handle = event.target.closest(".handle"), over = event.target.closest(".box");
    const n = handle ? this.at : over ? Number(over.dataset.n) : -1;
    if (n < 0) {
      if (event.pointerType === "touch" && !this.drawing) return; // it scrolls
      this.follow(event, (from, to) => { this.drawFresh(between(from, to, 4 / this.scale, this.size)); }, (from, to) => {
        this.fresh.setAttribute("visibility", "hidden");
        const box = between(from, to, 4 / this.scale, this.size);
        if (box) this.done("drawn", -1, box);
      });
      return;
    }
    const wasAt = n === this.at;
    if (event.shiftKey || event.ctrlKey || event.metaKey) { this.go(n, true); this.toggle(n); event.preventDefault(); return; }
    if (!wasAt) this.go(n, true);
    if (this.items[n].kind.includes("unused") || (event.pointerType === "touch" && !wasAt)) return;
    const first = this.items[n].box, sides = handle && HANDLES[Number(handle.dataset.handle)];
    const change = ([ax, ay], [bx, by]) => (sides ? resize(first, sides, bx - ax, by - ay, this.size) : move(first, bx - ax, by - ay, this.size));
    this.follow(event, (from, to) => this.shift(n, change(from, to)), (from, to) => this.done(sides ? "resized" : "moved", n, change(from, to)));
  }

  // Follow a pointer until it is let go; what moved less than a hand trembles did not move.
  follow(event, moved, ended) {
    const from = this.point(event), start = [event.clientX, event.clientY], ending = new AbortController();
    let isMoved = false;
    const { signal } = ending;
    this.svg.setPointerCapture(event.pointerId);
    event.preventDefault();
    this.svg.addEventListener("pointermove", (one) => {
      isMoved ||= Math.hypot(one.clientX - start[0], one.clientY - start[1]) > STILL;
      if (isMoved) moved(from, this.point(one));
    }, { signal });
    this.svg.addEventListener("pointerup", (one) => {
      ending.abort();
      if (isMoved) ended(from, this.point(one));
    }, { signal });
    this.svg.addEventListener("pointercancel", () => { ending.abort(); this.layOut(); }, { signal });
  }

  drawFresh(box) {
    if (!box) return;
    for (const [name, value] of Object.entries(shape(box))) this.fresh.setAttribute(name, value);
    this.fresh.setAttribute("visibility", "visible");
  }

  // Show a box elsewhere, before it is let go there.
  shift(n, box) {
    const rect = this.layer.querySelector(`[data-n="${n}"] rect`);
    for (const [name, value] of Object.entries(shape(box))) rect.setAttribute(name, value);
    this.handles.replaceChildren();
  }

  done(did, n, box) { this.dispatchEvent(new CustomEvent("done", { detail: { did, n, box } })); }

  // --- Keys -----------------------------------------------------------------------------------

  // Take a key that goes, marks, moves or resizes; true when it did.
  press(event) {
    const arrow = ARROWS[event.key];
    if (arrow && this.items.length) this.pressArrow(event, arrow);
    else if (event.key === "PageDown" || event.key === "Home") this.go(event.key === "Home" ? 0 : this.at + 1);
    else if (event.key === "PageUp" || event.key === "End") this.go(event.key === "End" ? -1 : this.at - 1);
    else if (event.key === " ") this.toggle();
    else if (event.key === "Escape" && this.marks.size) this.unmark();
    else return false;
    return true;
  }

  pressArrow(event, [h, v]) {
    if (this.at < 0) { this.go(0); return; }
    const isHeld = event.shiftKey || event.ctrlKey || event.metaKey;
    if (!isHeld) {
      const next = findNext(this.items.map((one) => one.box), this.at, [h, v]);
      if (next >= 0) this.go(next);
      return;
    }
    if (this.item.kind.includes("unused")) return;
    const { box } = this.item, step = Math.max(1, Math.round((box[3] - box[1]) / 20));
    const ends = event.shiftKey && (event.ctrlKey || event.metaKey) ? [-Math.abs(h), -Math.abs(v)] : [Math.abs(h), Math.abs(v)];
    if (event.ctrlKey || event.metaKey) this.done("resized", this.at, resize(box, ends, h * step, v * step, this.size));
    else this.done("moved", this.at, move(box, h * step, v * step, this.size));
  }
}

const area = ([x0, y0, x1, y1]) => (x1 - x0) * (y1 - y0);
const shape = ([x0, y0, x1, y1]) => ({ x: x0, y: y0, width: x1 - x0, height: y1 - y0 });
