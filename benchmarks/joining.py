"""Train the model that divides rows into glyphs: python benchmarks/joining.py FONTS [--save FILE].

FONTS is a text file with lines such as `kana,kanji /path/of/a/font.ttf`: the kinds of pages (see
hands.py) that the font writes. Pages are drawn with each, and a network of one hidden layer learns
to rate runs of parts so that the right division of a row is the likeliest of all (a conditional
random field over segments: Sarawagi and Cohen, 2004). Prints how many glyphs come out whole on the
tenth of the pages that it was not trained on.

The model that comes with prep learned in 20 rounds from 939 pages, drawn with Klee, Yusei Magic,
YOzFont, Noto, Breip, Because We, Comic Neue, Steve Hand and Lohit while the drawing was still being
widened (.992 of the glyphs of held-out pages); 480 pages of this file give .988. The file holds no
shape of a font.
"""

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

import hands
import numpy as np
import numpy.typing as npt

from pipeline.pages import joining, partition
from pipeline.pages.pieces import boxes_of, find_pieces, find_writing, usual_size

Floats = npt.NDArray[np.float64]
Row = tuple[Floats, partition.Flags, partition.Spans]  # features (m, n), which runs are true

_HIDDEN = 32
_BATCH = 64  # rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fonts", type=Path)
    parser.add_argument("--pages", type=int, default=480)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--save", type=Path)
    args = parser.parse_args()
    pages = list(read_pages(args.fonts, args.pages))
    held = [row for page in pages[::10] for row in page]
    kept = [row for number, page in enumerate(pages) if number % 10 for row in page]
    weights = train(kept, args.epochs, held)
    if args.save:
        np.savez_compressed(
            args.save, **{f"layer{k}": layer.astype(np.int32) for k, layer in enumerate(weights)}
        )


def read_pages(fonts: Path, count: int) -> Iterator[list[Row]]:
    """Draw pages and yield the rows of each, with the truth."""
    choices = [
        (kind, font)
        for line in fonts.read_text().splitlines()
        for kinds, font in [line.split(maxsplit=1)]
        for kind in kinds.split(",")
    ]
    kinds = sorted({kind for kind, _ in choices})
    for number in range(count):
        rng = np.random.default_rng([20, number])
        kind = kinds[number % len(kinds)]
        of_kind = [font for other, font in choices if other == kind]
        font = of_kind[number // len(kinds) % len(of_kind)]
        yield list(read_rows(*hands.draw_any_page(kind, font, rng)))


def read_rows(coverage: hands.Coverage, owner: npt.NDArray[np.int32]) -> Iterator[Row]:
    """Yield the rows of parts that a drawn page gives, with their true division."""
    pieces = find_pieces(coverage)
    height, stroke = usual_size(pieces, np.ones(len(pieces.areas), bool))
    dots = joining.find_dots(pieces, height, stroke)
    writing = find_writing(pieces, height, stroke) | dots
    rows, height = joining.arrange_parts(pieces, writing, height)
    if not rows:
        return
    whose = np.full(len(pieces.areas), -1)
    inked = pieces.labels > 0
    whose[pieces.labels[inked] - 1] = owner[inked]  # a piece is of one character
    boxes = [boxes_of(pieces, row) for row in rows]
    page = partition.describe_page(boxes, height)
    for row, places in zip(rows, boxes, strict=True):
        areas = np.array([pieces.areas[part].sum() for part in row])
        owners = [int(whose[max(part, key=lambda piece: pieces.areas[piece])]) for part in row]
        edges = [0, *(np.flatnonzero(np.diff(owners)) + 1).tolist(), len(row)]
        lengths = np.diff(edges)
        if lengths.max() > partition.LONGEST or len(row) == 1:
            continue
        spans = partition.list_spans(len(row))
        features = partition.describe_spans(places, areas, spans, height, page)
        fits = partition.fit_glyphs(features)
        edge_pairs = set(itertools.pairwise(edges))
        true = np.array([tuple(span) in edge_pairs for span in spans[fits].tolist()])
        if true.sum() == len(edge_pairs):
            yield features[fits], true, spans[fits]


def train(rows: list[Row], epochs: int, held: list[Row]) -> list[Floats]:
    """Train the network by Adam; return its layers in whole 1024ths."""
    rng = np.random.default_rng(7)
    inputs = rows[0][0].shape[1]
    every = np.concatenate([features for features, _, _ in rows]) / partition.UNIT
    mean, spread = every.mean(axis=0), every.std(axis=0) + 0.05
    layers = [
        rng.normal(0, inputs**-0.5, (inputs, _HIDDEN)),
        np.zeros(_HIDDEN),
        rng.normal(0, _HIDDEN**-0.5, (_HIDDEN, 1)),
        np.zeros(1),
    ]
    moments = [[np.zeros_like(layer), np.zeros_like(layer)] for layer in layers]
    step = 0
    for epoch in range(epochs):
        order = rng.permutation(len(rows))
        for start in range(0, len(order), _BATCH):
            step += 1
            batch = [rows[index] for index in order[start : start + _BATCH]]
            slopes = find_slopes(layers, batch, mean, spread)
            rate = 0.004 * (1 - epoch / epochs)
            for layer, slope, moment in zip(layers, slopes, moments, strict=True):
                moment[0] += 0.1 * (slope - moment[0])
                moment[1] += 0.001 * (slope**2 - moment[1])
                layer -= (
                    rate
                    * (moment[0] / (1 - 0.9**step))
                    / (np.sqrt(moment[1] / (1 - 0.999**step)) + 1e-8)
                )
        if epoch % 5 == 4 or epoch == epochs - 1:
            whole = fold(layers, mean, spread)
            print(
                f"epoch {epoch + 1}: {measure(whole, held):.4f}, "
                f"seen {measure(whole, rows[:300]):.4f}",
                flush=True,
            )
    return fold(layers, mean, spread)


def fold(layers: list[Floats], mean: Floats, spread: Floats) -> list[Floats]:
    """Take the scaling of the features into the first layer, and round to 1024ths."""
    first = layers[0] / spread[:, None]
    offset = layers[1] - mean @ first
    return [np.rint(layer * partition.UNIT) for layer in (first, offset, layers[2], layers[3])]


def find_slopes(
    layers: list[Floats], batch: list[Row], mean: Floats, spread: Floats
) -> list[Floats]:
    """Return the slope of the mean loss of some rows in each layer."""
    values = (np.concatenate([row[0] for row in batch]) / partition.UNIT - mean) / spread
    hidden = np.maximum(values @ layers[0] + layers[1], 0)
    ratings = (hidden @ layers[2] + layers[3])[:, 0]
    wrong, at = np.empty(len(ratings)), 0
    for features, true, spans in batch:
        own = slice(at, at + len(features))
        wrong[own] = weigh_spans(ratings[own], spans) - true
        at += len(features)
    wrong /= len(batch)
    back = (wrong[:, None] * layers[2].T) * (hidden > 0)
    return [
        values.T @ back + 1e-5 * layers[0],
        back.sum(axis=0),
        hidden.T @ wrong[:, None] + 1e-5 * layers[2],
        wrong.sum(keepdims=True),
    ]


def weigh_spans(ratings: Floats, spans: partition.Spans) -> Floats:
    """Return how likely each run is a segment of the row, of all ways to divide it."""
    longest, count = partition.LONGEST, int(spans.max())
    table = np.full((count, longest), -np.inf)
    table[spans[:, 0], spans[:, 1] - spans[:, 0] - 1] = ratings
    ahead, behind = np.full(count + 1, -np.inf), np.full(count + 1, -np.inf)
    ahead[0] = behind[count] = 0
    for at in range(1, count + 1):
        reach = min(longest, at)
        back = at - 1 - np.arange(reach)
        ahead[at] = np.logaddexp.reduce(ahead[back] + table[back, np.arange(reach)])
    for at in range(count - 1, -1, -1):
        reach = min(longest, count - at)
        behind[at] = np.logaddexp.reduce(behind[at + 1 : at + 1 + reach] + table[at, :reach])
    return np.exp(ahead[spans[:, 0]] + ratings + behind[spans[:, 1]] - ahead[count])


def measure(weights: list[Floats], rows: list[Row]) -> float:
    """Return the share of true runs that are found, over those found and missed (F1)."""
    found = true = right = 0
    for features, wanted, spans in rows:
        ratings = partition.rate_spans(features, tuple(weights))
        cut = {tuple(span) for span in partition.find_best_cut(ratings, spans).tolist()}
        truth = {tuple(span) for span in spans[wanted].tolist()}
        found, true, right = found + len(cut), true + len(truth), right + len(cut & truth)
    return 2 * right / (found + true)


if __name__ == "__main__":
    main()
