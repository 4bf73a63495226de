// How a person says a class: by its own key where its name is one character, else by typing.

import { make } from "./elements.js";

const SPARE = { leave: ["x"], accept: ["a"], undo: ["u"] };

export class Naming {
  constructor(classes) {
    this.classes = classes;
    const single = classes.filter((name) => [...name].length === 1);
    this.byKey = new Map(single.map((name) => [name, name]));
    for (const name of single) {
      for (const other of [name.toLowerCase(), name.toUpperCase()]) {
        if (!this.byKey.has(other)) this.byKey.set(other, name);
      }
    }
  }

  // The class that a key is, "" for none.
  find(key) { return this.byKey.get(key) ?? ""; }

  // Whether a letter still has its usual meaning: no class is called so.
  isSpare(what, key) { return SPARE[what].includes(key) && !this.byKey.has(key); }

  get hasWords() { return this.byKey.size < this.classes.length && this.classes.some((name) => [...name].length > 1); }

  // The key of a class as a person reads it, "" where it is to be typed.
  keyOf(name) { return this.byKey.get(name) === name ? name : ""; }
}

// Ask for a class by name; give its name, or null.
export function askName(classes, begun = "") {
  const list = make("datalist", { id: "class-names" }, ...classes.map((name) => make("option", { value: name })));
  const input = make("input", {
    type: "text", list: "class-names", autocomplete: "off", spellcheck: "false", "aria-describedby": "name-hint",
    "aria-label": "Name of the class",
  });
  const hint = make("p", { id: "name-hint", role: "status", class: "quiet" });
  const form = make("form", { method: "dialog" }, input, list, hint,
    make("div", { class: "buttons" }, make("button", { value: "ok" }, "Relabel"), make("button", { value: "", formnovalidate: true }, "Cancel")));
  const dialog = make("dialog", { class: "naming", "aria-label": "Relabel" }, form);
  const meant = () => complete(classes, input.value);
  input.value = begun;
  const tell = () => {
    const found = meant();
    const isBegun = input.value.trim() !== "";
    hint.textContent = found ? `Enter: ${found}` : isBegun ? "No class begins like that." : "Type the first letters of a class.";
  };
  input.addEventListener("input", tell);
  document.body.append(dialog);
  dialog.showModal();
  input.setSelectionRange(begun.length, begun.length);
  tell();
  return new Promise((done) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      done(dialog.returnValue === "ok" ? meant() : null);
    });
  });
}

// The class that a few letters mean: its name, or the only or first one that begins so; null for none.
export function complete(classes, text) {
  const begun = text.trim().toLowerCase();
  if (!begun) return null;
  return classes.find((name) => name === text.trim())
    ?? classes.find((name) => name.toLowerCase() === begun)
    ?? classes.find((name) => name.toLowerCase().startsWith(begun))
    ?? classes.find((name) => name.toLowerCase().includes(begun)) ?? null;
}
