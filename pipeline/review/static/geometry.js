// Boxes [x0, y0, x1, y1] in pixels of a page, x1 and y1 exclusive: moved, resized, merged, split.

const LEAST = 3; // pixels of a side

export const middle = ([x0, y0, x1, y1]) => [(x0 + x1) / 2, (y0 + y1) / 2];

export const isSame = (one, other) => one.every((side, n) => side === other[n]);

const clamp = (value, low, high) => Math.round(Math.min(Math.max(value, low), high));

// A box moved, but not off a page of [width, height].
export function move([x0, y0, x1, y1], dx, dy, [width, height]) {
  const x = clamp(x0 + dx, 0, width - (x1 - x0)), y = clamp(y0 + dy, 0, height - (y1 - y0));
  return [x, y, x + x1 - x0, y + y1 - y0];
}

// A box with some sides moved: h and v say which, -1 for left or upper, 1 for right or lower, 0 none.
export function resize([x0, y0, x1, y1], [h, v], dx, dy, [width, height]) {
  return [
    h < 0 ? clamp(x0 + dx, 0, x1 - LEAST) : x0, v < 0 ? clamp(y0 + dy, 0, y1 - LEAST) : y0,
    h > 0 ? clamp(x1 + dx, x0 + LEAST, width) : x1, v > 0 ? clamp(y1 + dy, y0 + LEAST, height) : y1,
  ];
}

// The box between two points, null for one that is too small to be meant.
export function between([ax, ay], [bx, by], least, [width, height]) {
  const box = [
    clamp(Math.min(ax, bx), 0, width), clamp(Math.min(ay, by), 0, height),
    clamp(Math.max(ax, bx), 0, width), clamp(Math.max(ay, by), 0, height),
  ];
  return Math.min(box[2] - box[0], box[3] - box[1]) >= Math.max(least, LEAST) ? box : null;
}

// The box around some.
export const enclose = (boxes) => [
  Math.min(...boxes.map((one) => one[0])), Math.min(...boxes.map((one) => one[1])),
  Math.max(...boxes.map((one) => one[2])), Math.max(...boxes.map((one) => one[3])),
];

// A box cut across its longer side, there where `inkAt` (box -> ink of each column or row) has least.
export function split([x0, y0, x1, y1], inkAt) {
  const isWide = x1 - x0 >= y1 - y0, length = isWide ? x1 - x0 : y1 - y0;
  if (length < 2 * LEAST) return null;
  const at = (isWide ? x0 : y0) + findGap(inkAt?.([x0, y0, x1, y1], isWide), length);
  return isWide ? [[x0, y0, at, y1], [at, y0, x1, y1]] : [[x0, y0, x1, at], [x0, at, x1, y1]];
}

// Where in the middle half least ink is, nearest to the middle; the middle if nothing is known.
function findGap(ink, length) {
  const half = Math.round(length / 2), first = Math.max(LEAST, Math.round(length / 4));
  if (!ink) return half;
  let best = half;
  for (let n = first; n <= length - first; n++) {
    const less = ink[n] - ink[best];
    if (less < 0 || (less === 0 && Math.abs(n - half) < Math.abs(best - half))) best = n;
  }
  return best;
}

// The place of the next box in a direction [h, v], -1 for none.
export function findNext(boxes, at, [h, v]) {
  const [x, y] = middle(boxes[at]);
  let best = -1, least = Infinity;
  boxes.forEach((box, n) => {
    const [dx, dy] = [middle(box)[0] - x, middle(box)[1] - y];
    const along = h * dx + v * dy, aside = Math.abs(h * dy + v * dx);
    if (n !== at && along > 0 && along > aside / 2 && along + 2 * aside < least) {
      least = along + 2 * aside;
      best = n;
    }
  });
  return best;
}
