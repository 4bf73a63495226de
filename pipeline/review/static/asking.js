// The server asked, and what it says in words when it can't.

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
  get isSoon() { return this.status === 503; }
  get isStranger() { return this.status === 403; }
}

const GONE = "prep review does not answer: was it stopped? Start it again, and open the address that it prints.";

export const ask = (path) => request(path, {});
export const send = (path, content) => request(path, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(content),
});

async function request(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Refused(0, GONE);
  }
  const text = await answer.text();
  if (answer.ok) return JSON.parse(text);
  let told = text;
  try { told = JSON.parse(text).error; } catch { /* it is the guard's plain text */ }
  throw new Refused(answer.status, told || `The server answers ${answer.status}.`);
}
