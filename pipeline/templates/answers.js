
// Which pictures: one experiment's answers against another's, drawn from what each run said.
const make = (name, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};
const byPlace = (id) => document.getElementById(id);
const minus = (text) => text.replace("-", "−");
const choose = (select, names, chosen) => {
  select.replaceChildren(...names.map((name) => make("option", { value: name, textContent: name })));
  select.value = names.includes(chosen) ? chosen : names[0] ?? "";
};

const answers = readData("answer-data");
if (answers) {
  const { classes, arms, shown } = answers, names = Object.keys(arms);
  const codes = (text) => [...text].map((letter) => letter.codePointAt(0) - 48);
  const labels = codes(answers.labels);
  for (const arm of Object.values(arms)) {
    arm.said = arm.predicted.map(codes);
    arm.sure = codes(arm.sure); // per cent
  }
  const places = labels.map((_, n) => n);
  const pictureOf = new Map(shown.map((one) => [one.n, one]));

  // The wrong class that was given most often, the first one on a tie; null where there is none.
  const findUsualMistake = (rows, n) => {
    const counts = new Map();
    for (const row of rows) if (row[n] !== labels[n]) counts.set(row[n], (counts.get(row[n]) ?? 0) + 1);
    return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0]?.[0] ?? null;
  };
  const shareOf = (count, total) => (total ? count / total : 0);
  const inMost = (rows, test) => {
    const shares = places.map((n) => shareOf(rows.filter((_, seed) => test(seed, n)).length, rows.length));
    return places.filter((n) => shares[n] > 0.5).sort((a, b) => shares[b] - shares[a]);
  };

  const leastSure = (arm, other, n) => Math.min(arm.sure[n], other.sure[n]);

  // Seed by seed, each with its own partner: what turned in more than half of them.
  const compare = (arm, other) => {
    const seeds = arm.seeds.filter((seed) => other.seeds.includes(seed));
    const after = seeds.map((seed) => arm.said[arm.seeds.indexOf(seed)]);
    const before = seeds.map((seed) => other.said[other.seeds.indexOf(seed)]);
    const isRight = (rows) => (seed, n) => rows[seed][n] === labels[n];
    const was = isRight(before), is = isRight(after);
    const still = inMost(after, (seed, n) => !was(seed, n) && !is(seed, n));
    return {
      seeds, before, after,
      repaired: inMost(after, (seed, n) => !was(seed, n) && is(seed, n)),
      broken: inMost(after, (seed, n) => was(seed, n) && !is(seed, n)),
      still: still.sort((a, b) => leastSure(arm, other, b) - leastSure(arm, other, a)),
    };
  };

  const drawFigure = (n, caption) => {
    const { source, width, sharp, origin, line, file } = pictureOf.get(n);
    const image = make("img", { src: source, width, alt: `test picture: ${caption}`, className: sharp ? "sharp" : "" });
    const button = make("button", { type: "button", className: "enlarge", title: line ? "Enlarge, and copy the line that leaves it out" : "Enlarge" }, image);
    if (line) button.dataset.line = line;
    if (file) button.dataset.file = file;
    const figure = make("figure", { title: origin }, button, make("figcaption", { textContent: caption }, make("small", { textContent: origin.split("/").at(-1) })));
    figure.style.setProperty("--width", `${width}px`);
    return figure;
  };
  const drawGallery = (kind, title, what, all, describe) => {
    const chosen = byPlace("answer-class").value;
    const found = chosen === "" ? all : all.filter((n) => labels[n] === Number(chosen));
    const drawn = found.filter((n) => pictureOf.has(n)).slice(0, answers.gallery);
    const few = drawn.length < found.length ? ` ${drawn.length} of them:` : "";
    const pictures = found.length === 1 ? "1 test picture" : `${found.length.toLocaleString("en")} test pictures`;
    return make("div", { className: "kind", hidden: ![kind, ""].includes(byPlace("answer-kind").value) },
      make("h3", {}, ...title),
      make("p", { className: "quiet", textContent: `${pictures} ${what}.${few}` }),
      make("div", { className: "gallery" }, ...drawn.map((n) => drawFigure(n, describe(n)))));
  };
  const sign = (textContent, className) => make("span", { textContent, className, ariaHidden: "true" });
  const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

  const drawGalleries = (name, otherName) => {
    const arm = arms[name], other = arms[otherName];
    const mistakes = places.filter((n) => arm.sure[n] > 0).sort((a, b) => arm.sure[b] - arm.sure[a]);
    const describeMistake = (n) => {
      const given = findUsualMistake(arm.said, n);
      const runs = arm.said.filter((row) => row[n] === given).length;
      return `${classes[labels[n]]}, read as ${classes[given]}, ${arm.sure[n]} % sure, by ${runs} of ${count(arm.seeds.length, "run")}`;
    };
    const galleries = [drawGallery("mistakes", [`Mistakes of ${name}, the surest first`], "that most runs got wrong", mistakes, describeMistake)];
    if (other) {
      const { seeds, before, after, repaired, broken, still } = compare(arm, other);
      const said = (rows, n) => classes[findUsualMistake(rows, n)];
      const inSeeds = `in most of ${count(seeds.length, "seed")} that both have`;
      if (!seeds.length)
        galleries.push(make("p", { className: "missing", textContent: `${name} and ${otherName} share no seed, so nothing can be called repaired or broken.` }));
      else galleries.push(
        drawGallery("repaired", [sign("▲", "helps"), " Repaired"], `that ${otherName} gets wrong and ${name} right, ${inSeeds}`, repaired, (n) => `${classes[labels[n]]}; ${otherName} said ${said(before, n)}`),
        drawGallery("broken", [sign("▼", "hurts"), " Broken"], `that ${otherName} gets right and ${name} wrong, ${inSeeds}`, broken, (n) => `${classes[labels[n]]}; ${name} says ${said(after, n)}`),
        drawGallery("wrong with both", ["Wrong with both, the surest first: are their labels right?"], `that neither gets right, ${inSeeds}`, still, (n) => {
          const [first, second] = [said(before, n), said(after, n)];
          const sure = `${leastSure(arm, other, n)} % sure`;
          return first === second ? `${classes[labels[n]]}; both say ${first}, ${sure}` : `${classes[labels[n]]}; ${otherName} says ${first}, ${name} ${second}, ${sure}`;
        }));
    }
    byPlace("answer-galleries").replaceChildren(...galleries);
  };

  const totalOf = (row) => row.reduce((sum, value) => sum + value, 0);
  const averageOf = (arm) => arm.confusion.map((row) => row.map((value) => value / arm.tested));
  const drawCell = (value, old, row, hit, isCount) => {
    const total = totalOf(row);
    if (!total) return make("td", { className: "quiet", textContent: "–" });
    const digits = isCount ? 0 : 1, unit = isCount ? 1 : 100 / total;
    const share = old === null ? value / total : value / total - old;
    const shownValue = old === null ? value * unit : share * total * unit;
    const good = old === null ? hit : share > 0 === hit;
    const empty = old === null ? value === 0 : Math.abs(shownValue) < 0.5 * 10 ** -digits;
    const text = empty ? (old === null ? "" : "·") : minus((old === null || shownValue < 0 ? "" : "+") + shownValue.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
    const cell = make("td", { className: good ? (old === null ? "hit" : "better") : old === null ? "miss" : "worse", textContent: text });
    cell.style.setProperty("--share", Math.min(1, (old === null ? 1 : 2) * Math.abs(share)) ** 0.5);
    return cell;
  };
  const drawMatrix = (title, now, before) => {
    const isCount = byPlace("answer-unit").value === "count";
    const head = make("tr", {}, make("td"), ...classes.map((name) => make("th", { scope: "col", textContent: name })));
    const span = make("th", { className: "side", scope: "colgroup", colSpan: classes.length, textContent: "predicted" });
    const rows = now.map((row, i) => make("tr", {}, make("th", { scope: "row", textContent: classes[i] }),
      ...row.map((value, j) => drawCell(value, before ? shareOf(before[i][j], totalOf(before[i])) : null, row, i === j, isCount))));
    const table = make("table", { className: "heat" }, make("thead", {}, make("tr", {}, make("td", { className: "side", textContent: "true" }), span), head), make("tbody", {}, ...rows));
    const scroll = make("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: title }, table);
    return make("div", {}, make("p", { className: "quiet", textContent: title }), scroll);
  };
  const drawMatrices = (name, otherName) => {
    const isCount = byPlace("answer-unit").value === "count";
    const runs = arms[name].tested > 1 ? `, mean of ${arms[name].tested} runs` : "";
    const matrices = [drawMatrix(`${name}: ${isCount ? "test pictures" : "% of each class's test pictures"}${runs}`, averageOf(arms[name]), null)];
    if (arms[otherName]) matrices.push(drawMatrix(`${name} against ${otherName}: ${isCount ? "pictures" : "points"} more or fewer`, averageOf(arms[name]), averageOf(arms[otherName])));
    byPlace("answer-matrices").replaceChildren(...matrices);
  };

  const chosenArm = byPlace("answer-arm"), chosenOther = byPlace("answer-other");
  const draw = () => {
    drawMatrices(chosenArm.value, chosenOther.value);
    drawGalleries(chosenArm.value, chosenOther.value);
  };
  const chooseArm = () => {
    const others = names.filter((name) => name !== chosenArm.value);
    choose(chosenOther, others, arms[chosenArm.value].control ?? "none");
    chosenOther.parentElement.hidden = !others.length;
    draw();
  };
  choose(chosenArm, names, answers.first);
  chosenArm.addEventListener("change", chooseArm);
  for (const select of [chosenOther, ...["answer-class", "answer-kind", "answer-unit"].map(byPlace)]) select.addEventListener("change", draw);
  chooseArm();
}

// Why: for each picture what spoke for either network's answer.
const reasons = readData("reason-data");
if (reasons) {
  const { arms, pictures } = reasons, names = Object.keys(arms);
  const chosenArm = byPlace("reason-arm"), chosenOther = byPlace("reason-other");
  const draw = () => {
    const [name, otherName] = [chosenArm.value, chosenOther.value], arm = arms[name], other = arms[otherName];
    const items = pictures.map((one, n) => ({ ...one, n, first: other.said[n], second: arm.said[n] }))
      .filter(({ label, first, second }) => label !== first || label !== second);
    const turned = ({ first, second }) => first !== second;
    const figures = [...items.filter(turned), ...items.filter((item) => !turned(item))].map(({ n, label, source, width, sharp, origin, first, second }) => {
      const said = (network, answer) => [`${network}: `, make("span", { className: answer === label ? "helps" : "hurts", textContent: `${answer}\u00a0${answer === label ? "✓" : "✗"}` })];
      const draw = (src, alt, ...caption) => make("figure", { title: origin },
        make("button", { type: "button", className: "enlarge", title: "Enlarge" }, make("img", { src, alt, width, className: sharp ? "sharp" : "" })),
        make("figcaption", {}, ...caption));
      const figures = [
        draw(source, `a test picture of ${label}`, label, make("small", { textContent: origin.split("/").at(-1) })),
        draw(other.maps[n], `what spoke for ${first}`, ...said(otherName, first)),
        draw(arm.maps[n], `what spoke for ${second}`, ...said(name, second)),
      ];
      const group = make("div", { className: "looked" }, ...figures);
      for (const figure of figures) figure.style.setProperty("--width", `${width}px`);
      return group;
    });
    const nothing = make("p", { textContent: "Both are right in all of these pictures." });
    byPlace("reason-list").replaceChildren(...(figures.length ? figures : [nothing]));
  };
  choose(chosenArm, names, reasons.first);
  const chooseArm = () => {
    const others = names.filter((name) => name !== chosenArm.value);
    choose(chosenOther, others.length ? others : names, arms[chosenArm.value].control ?? names[0]);
    draw();
  };
  chosenArm.addEventListener("change", chooseArm);
  chosenOther.addEventListener("change", draw);
  chooseArm();
}
