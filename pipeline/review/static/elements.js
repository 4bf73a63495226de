// Elements made of plain values: text is text, never markup.

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// What chooses that which is shown; where there is little room, all but the first stand behind a button.
export function makeFilters(first, ...others) {
  const rest = make("div", { class: "rest" }, ...others);
  const more = make("button", {
    type: "button", class: "more", "aria-expanded": "false", onclick: () => {
      const isOpen = rest.classList.toggle("open");
      more.setAttribute("aria-expanded", isOpen);
      more.textContent = isOpen ? "Less" : "More …";
    },
  }, "More …");
  return make("form", { class: "filters", "aria-label": "What is shown", onsubmit: (event) => event.preventDefault() }, ...first, more, rest);
}

const SVG = "http://www.w3.org/2000/svg";

export function draw(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export const count = (number, noun) =>
  `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

function tellTime(seconds) {
  if (seconds < 90) return `${Math.max(10, Math.round(seconds / 10) * 10)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

// What `dvc repro` has to do, in words.
export function tellCost({ pages, trainings, seconds, most }) {
  if (!pages) return "nothing";
  const time = seconds === null ? "" : `, about ${tellTime(seconds)}`;
  return `${count(pages, "page")}, ${most && trainings ? "at most " : ""}${trainings ? count(trainings, "training") : "no training"}${time}`;
}
