// What is known of the project: tiles, labels, suspects, costs; read again when one changes.
// A correction is shown at once, sent in order, and sent again while `dvc repro` reads raw/.

import { ask, send, Refused } from "./asking.js";

export const LEFT_OUT = "-";
const PATIENCE = 1500; // milliseconds between two looks at what changed

export class Project extends EventTarget {
  constructor(about) {
    super();
    Object.assign(this, about); // title, folder, classes, writing
    this.about = JSON.stringify(about);
    this.isOther = false; // whether params.yaml says something else by now
    this.tiles = null;
    this.labels = { said: {}, waiting: {}, undo: null, trouble: null };
    this.suspects = {}; // lists by kind
    this.search = { isOn: false, isStale: false, trouble: "" }; // for suspects
    this.parts = null; // of the split: names, and the place in them of each tile
    this.cost = null; // of what waits
    this.pages = { ids: [], waiting: [] }; // those on which boxes can be drawn
    this.sheet = ""; // the id of the one that was looked at last
    this.versions = {};
    this.unsent = []; // corrections that are not on the disk yet
    this.taken = 0; // answers to what was sent
    this.unsentBoxes = 0; // pages whose boxes are not on the disk yet
    this.trouble = "";
  }

  get isBusy() { return this.unsent.length + this.unsentBoxes > 0; }

  // Look for what changed, for ever.
  async watch() {
    for (;;) {
      await this.look();
      await new Promise((done) => setTimeout(done, PATIENCE));
    }
  }

  // One look after the other: what the server said first is never taken for the newer.
  look() {
    this.looking = (this.looking ?? Promise.resolve()).catch(() => {}).then(() => this.lookOnce());
    return this.looking;
  }

  async lookOnce() {
    let unread = "";
    try {
      const versions = await ask("/api/state");
      const changed = Object.entries(versions).filter(([name, version]) => this.versions[name] !== version);
      const failed = [];
      for (const [name, version] of changed) {
        // One that can't be read, as tiles before they are made, keeps no other from being shown.
        await this.read(name, version).catch((error) => failed.push([name, error]));
      }
      if (failed.length) {
        [unread] = failed[0];
        throw failed[0][1];
      }
      this.complain("");
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const isOpen = this.tiles && error.status > 0;
      if (isOpen && error.isStranger) this.complain("prep review was started anew since: open the address that it prints now.");
      else this.complain(isOpen && unread === "tiles" ? `The tiles are being made anew; this page waits. (${error.message})` : error.message);
    }
  }

  async read(name, version) {
    if (name in READERS) await READERS[name](this);
    this.versions[name] = version;
    this.tell(name);
  }

  tell(name) { this.dispatchEvent(new CustomEvent("change", { detail: name })); }

  complain(text) {
    if (text === this.trouble) return;
    this.trouble = text;
    this.dispatchEvent(new CustomEvent("trouble", { detail: text }));
  }

  // The label of a tile as it will be: what waits to be saved, what waits for `dvc repro`, what is.
  labelOf(row) {
    const id = this.tiles.ids[row];
    return this.unsaid(id) ?? this.labels.waiting[id] ?? this.labelInTiles(row);
  }

  labelInTiles(row) {
    const number = this.tiles.label[row];
    return number >= 0 ? this.tiles.names[number] : number === -2 ? LEFT_OUT : "";
  }

  // What was found on the page, before anybody corrected it.
  foundLabel(row) { return this.tiles.found[row] || this.labelInTiles(row); }

  // What raw/labels.csv says of an id, null for nothing.
  saidOf(id) { return this.unsaid(id) ?? this.labels.said[id] ?? null; }

  unsaid(id) {
    for (let n = this.unsent.length - 1; n >= 0; n--) {
      if (id in this.unsent[n].changes) return this.unsent[n].changes[id];
    }
    return undefined;
  }

  // Give tiles labels: rows, and the label of each.
  async correct(rows, labelFor) {
    const sent = { changes: {}, was: {} };
    for (const row of rows) {
      const id = this.tiles.ids[row];
      sent.was[id] = this.saidOf(id);
      sent.changes[id] = labelFor(row);
    }
    this.unsent.push(sent);
    this.tell("labels");
    this.sending = (this.sending ?? Promise.resolve()).then(() => this.sendFirst());
    return this.sending;
  }

  async sendFirst() {
    let failed = null;
    for (;;) {
      try {
        this.take(await send("/api/labels", this.unsent[0]));
        break;
      } catch (error) {
        failed = error;
        if (!(error instanceof Refused) || !error.isSoon) break;
        this.dispatchEvent(new CustomEvent("told", { detail: error.message }));
        failed = null;
        await new Promise((done) => setTimeout(done, PATIENCE));
      }
    }
    this.unsent.shift();
    if (failed) await this.refresh();
    this.tell("labels");
    if (failed) throw failed;
  }

  async undo() {
    await this.sending?.catch(() => {});
    const labels = await send("/api/undo", {});
    this.take(labels);
    this.tell("labels");
    return labels.undone;
  }

  take(labels) {
    this.labels = labels;
    this.taken++;
    this.versions.labels = labels.version;
  }

  async refresh() {
    try { await READERS.labels(this); } catch { /* the next look tells it */ }
  }

  // What `dvc repro` would have to do for all that waits, and for some rows more.
  async weigh(rows = [], labelFor = () => "") {
    const changes = Object.fromEntries(rows.map((row) => [this.tiles.ids[row], labelFor(row)]));
    return send("/api/costs", { changes });
  }

  async lookForErrors() {
    Object.assign(this.search, await send("/api/suspects", {}));
    this.tell("suspects");
  }

  waitingRows() {
    const ids = new Set(Object.keys(this.labels.waiting));
    for (const { changes } of this.unsent) Object.keys(changes).forEach((id) => ids.add(id));
    return [...ids].map((id) => this.rowOf.get(id)).filter((row) => row !== undefined
      && this.labelOf(row) !== this.labelInTiles(row));
  }
}

const READERS = {
  async project(project) {
    project.isOther = project.about !== JSON.stringify(await ask("/api/project"));
  },
  async tiles(project) {
    project.tiles = await ask("/api/tiles");
    project.rowOf = new Map(project.tiles.ids.map((id, row) => [id, row]));
  },
  async labels(project) {
    const { taken } = project;
    const labels = await ask("/api/labels");
    if (taken === project.taken) project.labels = labels; // else it is of the past
  },
  async suspects(project) {
    const found = await ask("/api/suspects");
    project.suspects = found.lists;
    project.search = found;
  },
  async boxes(project) {
    project.pages = await ask("/api/pages");
  },
  async parts(project) {
    project.parts = await ask("/api/parts");
  },
};

export async function openProject() {
  return new Project(await ask("/api/project"));
}
