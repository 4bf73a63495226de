"""The digit model that comes with prep: trained on MNIST, drawn again with every pen.

    python benchmarks/digits.py FOLDER --train    # makes pipeline/network/digits.npz anew
    python benchmarks/digits.py FOLDER            # how MNIST and drawn digits are read, by brush

FOLDER holds MNIST's four IDX files. A digit of MNIST is thinned to its skeleton, bent, and drawn
again with a brush of any width; `normalise_mnist` then makes its tile, as it does of whatever a
person draws. Digits drawn along splines join them: hands that MNIST lacks write a 1 with a flag and
a foot. Training takes some seven minutes on one core; the test set is only measured on.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.intake.outside import read_outside
from pipeline.network import building, fitting, shipped
from pipeline.subjects.search import search_scan, tell_layout
from pipeline.tiles.normalising import normalise_mnist

if TYPE_CHECKING:
    import keras

SIDE, FINE = shipped.SIDE, 3
CANVAS = SIDE * FINE  # pixels a side on which digits are drawn again: the digit fills 60
CONVOLUTIONS = ((24, 1), (48, 2), (48, 1), (64, 2))  # channels and stride of each, 3 x 3
STEPS = ((2200, 0.002), (1200, 0.0005), (600, 0.0001))  # how many, at which learning rate
BATCH = 128
THINNED = 24_000  # digits whose skeletons are drawn again; to thin them all takes two minutes
# Shares of a batch: MNIST's own tiles; drawn along splines. The others are drawn again.
OWN, SPLINES = 0.3, 0.15
WIDTHS = (1.0, 16.5)  # pixels of the canvas, of a brush: a 60th to a quarter of the digit's height
BRUSHES = (4, 6, 8, 12, 16, 20, 25, 30)  # pixels of a picture of 280, measured on

# Strokes of digits in a square of side 1, as points of a spline; a point twice makes a corner.
PATHS = {
    0: ["55,2 25,10 8,50 25,90 55,98 85,80 92,45 80,12 55,2",
        "50,0 15,20 12,75 45,100 85,80 88,25 60,0 40,5"],
    1: ["50,0 50,100", "60,0 45,100", "28,25 50,0 50,0 50,100", "20,30 55,0 55,0 52,100",
        "28,22 50,0 50,0 50,100|25,100 75,100", "15,35 52,0 52,0 52,98|20,98 85,98"],
    2: ["12,25 30,3 65,3 80,28 55,60 10,98 10,98 90,98",
        "15,20 45,0 80,18 70,50 15,95 15,95 35,85 60,97 92,92",
        "10,30 25,5 60,0 82,22 68,52 30,85 12,92 25,78 45,90 90,97"],
    3: ["15,12 45,0 78,18 65,42 40,47 40,47 75,55 82,80 50,100 12,88",
        "15,2 85,2 85,2 45,40 45,40 80,50 85,80 50,100 12,90",
        "12,20 40,0 75,12 70,38 38,46 72,52 88,75 55,100 10,85"],
    4: ["30,0 12,60 12,60 88,60|68,25 66,100", "65,0 8,68 8,68 92,68|65,0 65,100",
        "65,100 65,0 65,0 8,65 8,65 92,65", "20,5 18,50 18,50 80,52|80,0 76,100"],
    5: ["82,2 25,2 25,2 20,45 20,45 55,36 85,60 75,90 40,100 10,88",
        "25,2 20,45 20,45 60,38 88,68 55,100 12,90|25,2 85,2",
        "80,0 30,3 30,3 18,48 18,48 60,40 82,70 60,97 12,97"],
    6: ["72,2 35,25 12,70 35,98 75,92 85,68 60,52 25,62 14,75",
        "60,0 25,35 15,75 45,100 80,80 65,52 30,58 16,72",
        "85,8 50,5 18,45 18,85 55,100 88,75 65,50 20,68"],
    7: ["10,3 88,3 88,3 40,100", "10,3 88,3 88,3 40,100|25,50 75,50",
        "12,18 12,2 12,2 88,2 88,2 55,50 42,100", "8,8 45,2 88,6 60,45 45,100",
        "10,5 86,2 86,2 45,98|30,52 78,48"],
    8: ["75,15 45,0 20,20 45,45 80,70 55,100 20,80 45,50 78,25 75,12",
        "50,47 22,35 28,5 70,5 78,32 50,47 15,65 22,95 78,95 85,65 50,47",
        "80,10 40,2 22,25 60,50 85,80 45,100 15,78 50,48 85,20 78,8"],
    9: ["82,25 55,0 20,15 22,45 55,52 80,30 80,10 80,10 76,60 70,100",
        "80,20 45,0 15,25 35,52 75,40 82,12 82,50 65,90 30,100",
        "78,5 78,5 35,5 18,35 50,50 78,28 78,5 78,5 78,100"],
}  # fmt: skip

Tiles = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Dice = np.random.Generator


# --- drawing digits again ---


def _deletable(half: int) -> npt.NDArray[np.bool_]:
    """Tell by a pixel's eight neighbours (bits, clockwise from above) whether thinning takes it."""
    codes = np.arange(256)
    near = (codes[:, None] >> np.arange(8)) & 1
    count = near.sum(axis=1)
    turns = ((near == 0) & (np.roll(near, -1, axis=1) == 1)).sum(axis=1)
    up, right, down, left = near[:, 0], near[:, 2], near[:, 4], near[:, 6]
    first, second = ((up, right, down), (right, down, left)) if half == 0 else (
        (up, right, left), (up, down, left))  # fmt: skip
    free = (np.prod(first, axis=0) == 0) & (np.prod(second, axis=0) == 0)
    return (count >= 2) & (count <= 6) & (turns == 1) & free


_TABLES = (_deletable(0), _deletable(1))
_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def thin(masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Thin masks (N, h, w) to skeletons a pixel wide (Zhang and Suen 1984)."""
    masks = np.pad(masks, ((0, 0), (1, 1), (1, 1))).astype(np.uint8)
    inner = masks[:, 1:-1, 1:-1]
    while True:
        before = int(inner.sum())
        for table in _TABLES:
            codes = np.zeros(inner.shape, np.uint8)
            for bit, (dy, dx) in enumerate(_AROUND):
                height, width = inner.shape[1:]
                codes |= masks[:, 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width] << bit
            inner &= ~table[codes]
        if int(inner.sum()) == before:
            return inner.astype(bool)


def enlarge(tile: Tiles) -> npt.NDArray[np.bool_]:
    """Return where the ink of a tile (28, 28) is, on the canvas."""
    fine = cv2.resize(tile, (CANVAS, CANVAS), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.GaussianBlur(fine, (0, 0), 1.1) > 110)


def find_skeletons(tiles: Tiles) -> Tiles:
    """Return the skeletons of tiles (N, 28, 28, 1) on the canvas, their bits packed."""
    parts = []
    for start in range(0, len(tiles), 250):
        masks = np.stack([enlarge(tile[..., 0]) for tile in tiles[start : start + 250]])
        parts.append(np.packbits(thin(masks).reshape(len(masks), -1), axis=1))
    return np.concatenate(parts)


def follow(points: Floats, steps: int = 12) -> Floats:
    """Return a Catmull-Rom spline (M, 2) through points (N, 2)."""
    p = np.concatenate([points[:1], points, points[-1:]])
    t = np.linspace(0, 1, steps)[:, None, None]
    a, b, c, d = p[:-3], p[1:-2], p[2:-1], p[3:]
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return curve.transpose(1, 0, 2).reshape(-1, 2).astype(np.float32)


def draw_path(path: str, dice: Dice) -> npt.NDArray[np.bool_]:
    """Draw the skeleton of a digit on the canvas, each point a little elsewhere."""
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    width = dice.uniform(28, 53)
    for stroke in path.split("|"):
        points = np.array([pair.split(",") for pair in stroke.split()], np.float32) / 100
        _, same = np.unique(points, axis=0, return_inverse=True)
        points += dice.normal(0, 0.035, points.shape)[same.ravel()].astype(np.float32)
        place = (follow(points) - 0.5) * (width, 57) + CANVAS / 2
        cv2.polylines(canvas, [np.rint(place).astype(np.int32)], False, 1)
    return canvas > 0


def bend(dice: Dice, side: int, fine: int) -> tuple[Floats, Floats]:
    """Draw a warp of a square: turn, slant, stretch and waver; returns where each pixel is from."""
    turn, slant = dice.normal(0, 0.12), dice.normal(0, 0.12)
    wide, high = np.exp(dice.normal(0, (0.14, 0.06)))
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.array([[cos / wide, -sin + slant], [sin, cos / high]], np.float32)
    y, x = np.mgrid[:side, :side].astype(np.float32) - (side - 1) / 2
    waver = dice.normal(0, 0.35 * fine, (2, 5, 5)).astype(np.float32)
    dx, dy = (cv2.resize(one, (side, side), interpolation=cv2.INTER_CUBIC) for one in waver)
    centre = (side - 1) / 2
    return (matrix[0, 0] * x + matrix[0, 1] * y + dx + centre,
            matrix[1, 0] * x + matrix[1, 1] * y + dy + centre)  # fmt: skip


def brush(skeleton: npt.NDArray[np.bool_], dice: Dice) -> Tiles:
    """Draw a bent skeleton with a brush of any width and make its tile, (28, 28)."""
    away = cv2.distanceTransform((~skeleton).astype(np.uint8), cv2.DIST_L2, 5)
    away = cv2.remap(away, *bend(dice, CANVAS, FINE), cv2.INTER_LINEAR,
                     borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    width = np.exp(dice.uniform(*np.log(WIDTHS)))
    soft = dice.uniform(0.5, 2.5)
    return normalise_mnist((255 * np.clip((width / 2 - away) / soft + 0.5, 0, 1)).astype(np.uint8))


def nudge(tile: Tiles, dice: Dice) -> Tiles:
    """Bend a tile of MNIST's own (28, 28) a little."""
    warp = bend(dice, SIDE, 1)
    return np.asarray(cv2.remap(tile, *warp, cv2.INTER_LINEAR), np.uint8)


class Drawer:
    """Batches of a training: MNIST's own tiles, the same drawn again, and digits from splines."""

    def __init__(self, tiles: Tiles, labels: npt.NDArray[np.int64]) -> None:
        self.tiles, self.labels = tiles, labels
        self.skeletons = find_skeletons(tiles[:THINNED])

    def batch(self, part: int, step: int) -> tuple[Tiles, npt.NDArray[np.int64]]:
        """Return a batch of a part of the training: tiles and labels."""
        dice = np.random.default_rng([7, part, step])
        labels = np.empty(BATCH, np.int64)
        made = np.empty((BATCH, SIDE, SIDE, 1), np.uint8)
        for place in range(BATCH):
            if place < OWN * BATCH:
                row = dice.integers(len(self.tiles))
                labels[place], tile = self.labels[row], nudge(self.tiles[row, ..., 0], dice)
            elif place < (OWN + SPLINES) * BATCH:
                labels[place] = dice.integers(10)
                paths = PATHS[int(labels[place])]
                tile = brush(draw_path(paths[dice.integers(len(paths))], dice), dice)
            else:
                row = dice.integers(len(self.skeletons))
                bits = np.unpackbits(self.skeletons[row], count=CANVAS * CANVAS)
                labels[place] = self.labels[row]
                tile = brush(bits.reshape(CANVAS, CANVAS).astype(bool), dice)
            made[place, ..., 0] = tile
        return made, labels


# --- training and measuring ---


def build_reader(shape: tuple[int, int, int], classes: int) -> "keras.Model":
    """Make the network: what `pipeline.network.shipped` can compute, and no more."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input(shape, dtype="uint8"),
            layers.Rescaling(1 / 255),
            *(layers.Conv2D(wide, 3, strides=s, activation="relu") for wide, s in CONVOLUTIONS),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(96, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(classes, activation="softmax"),
        ]
    )


def train(folder: Path, target: Path) -> None:
    """Train the network on MNIST's training set and write its weights."""
    mnist = read_outside(folder, "train")
    drawer = Drawer(mnist.images, mnist.labels)
    model = building.build_own(build_reader, "digits", (SIDE, SIDE, 1), 10)
    building.restart(model, seed=0)
    for number, (steps, rate) in enumerate(STEPS):
        model.optimizer.learning_rate = rate
        history = fitting.fit(
            model, partial(drawer.batch, number), steps=steps, validate_every=200, keep="average"
        )
        print(f"{steps} steps at {rate}: loss {history.rows[-1].loss:.4f}", flush=True)
    weights = [layer.get_weights() for layer in model.layers if layer.weights]
    strides = [stride for _, stride in CONVOLUTIONS] + [1, 1]
    shipped.write_layers(
        target,
        [shipped.Layer(*pair, stride) for pair, stride in zip(weights, strides, strict=True)],
    )


def draw_picture(skeleton: npt.NDArray[np.bool_], width: int, dice: Dice) -> Tiles:
    """Draw a skeleton with a round brush somewhere on a white canvas of 280 pixels, (280, 280)."""
    y, x = np.nonzero(skeleton)
    sides = np.array([np.ptp(x), np.ptp(y)])
    # Large enough for its hollows to stay open, and within the canvas.
    scale = min(max(dice.uniform(110, 225), 3.2 * width), 272 - width) / max(sides)
    corner = dice.uniform(width / 2 + 2, 278 - width / 2 - scale * sides)
    places = np.rint(scale * np.column_stack([x - x.min(), y - y.min()]) + corner).astype(int)
    pixels = np.column_stack([x, y]).tolist()
    place_of = {tuple(pixel): place.tolist() for pixel, place in zip(pixels, places, strict=True)}
    canvas = np.full((280, 280), 255, np.uint8)
    for (left, top), place in place_of.items():
        for beside in ((left + 1, top), (left, top + 1), (left + 1, top + 1), (left - 1, top + 1)):
            cv2.line(canvas, place, place_of.get(beside, place), 0, width, cv2.LINE_AA)
    return canvas


def read_picture(picture: Tiles) -> int:
    """Return the digit that `prep predict` reads, -1 where it sees none, or several."""
    found = search_scan(picture, tell_layout(picture), None).subjects
    if len(found) != 1 or found[0].pixels is None:
        return -1
    return int(shipped.predict(normalise_mnist(found[0].pixels)[None, ..., None]).argmax())


def measure(folder: Path, count: int) -> None:
    """Print how many of MNIST's test digits are read, as they are and drawn with each brush."""
    test = read_outside(folder, "test")
    right = shipped.predict(test.images).argmax(axis=1) == test.labels
    print(f"MNIST, {len(right):,} test digits: {100 * right.mean():.2f} %")
    dice = np.random.default_rng(1)
    rows = dice.permutation(len(test.labels))[:count]
    skeletons = thin(np.stack([enlarge(tile[..., 0]) for tile in test.images[rows]]))
    for width in BRUSHES:
        read = [read_picture(draw_picture(skeleton, width, dice)) for skeleton in skeletons]
        share = np.mean(np.array(read) == test.labels[rows])
        print(f"drawn with a brush of {width} pixels, {count}: {100 * share:.1f} %", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mnist", type=Path, help="the folder of MNIST's four IDX files")
    parser.add_argument("--train", action="store_true", help="train the model first")
    parser.add_argument("--count", type=int, default=400, help="test digits drawn with a brush")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.train:
        train(options.mnist, shipped.FILE)
    measure(options.mnist, options.count)
