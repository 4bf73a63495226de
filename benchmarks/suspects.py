"""Planted label errors: what share of them stands in the first 5 % of the list of suspects?

    python benchmarks/suspects.py PROJECT ... [--mnist FOLDER] [--count 2000] [--cnn STEPS]

The tiles of finished projects (the default sample, photos of two classes), and so many of MNIST's
training digits. Wrong labels are planted in 1, 3 and 10 % of the tiles: among all classes alike
(uniform), or between 4 and 9, 1 and 7, 3 and 5 (look-alikes); means of five draws. At 10 % no list
can have more than half of them in its first 5 %; what a set itself mislabels counts against the
list. Likely: how many of the planted are called likely errors / how many called so are planted.
Where cleanlab is installed its own order, by the same probabilities, stands beside it. With --cnn a
Keras network of `prep train` judges instead, trained so many steps without each fold in turn, once,
at 3 %.
"""

import argparse
import contextlib
import gzip
import resource
import time
from pathlib import Path

import numpy as np

from pipeline.dataset.store import open_dataset
from pipeline.suspects.appearance import learn_appearance
from pipeline.suspects.dividing import divide
from pipeline.suspects.judging import Judged, judge_out_of_fold
from pipeline.suspects.oddities import find_contradictions

FIRST = 0.05
DRAWS = 5
ALIKE = {4: 9, 9: 4, 1: 7, 7: 1, 3: 5, 5: 3}


def read_project(folder):
    """Return tiles, labels, ids and writers of a project's labelled tiles."""
    with open_dataset(folder / "processed/tiles.h5") as tiles:
        rows = tiles.read(np.flatnonzero(tiles.labels >= 0))
    return rows.images, rows.labels.astype(int), rows.ids, rows.groups


def read_mnist(folder, count):
    """Return some of MNIST's training digits; who wrote which is not known."""
    pictures, labels = (
        np.frombuffer(
            gzip.decompress(next(folder.glob(f"train-{part}*.gz")).read_bytes()), np.uint8
        )
        for part in ("images", "labels")
    )
    rows = np.sort(np.random.default_rng(0).permutation(60_000)[:count])
    ids = np.array([f"{row}-0" for row in rows], object)
    tiles = pictures[16:].reshape(-1, 28, 28, 1)[rows]
    return tiles, labels[8:][rows].astype(int), ids, np.full(count, "", object)


def plant(labels, share, alike, seed):
    """Return labels with errors, and where they are."""
    dice, count = np.random.default_rng(seed), round(share * len(labels))
    classes = labels.max() + 1
    among = np.flatnonzero(np.isin(labels, list(ALIKE))) if alike else np.arange(len(labels))
    rows = dice.permutation(among)[:count]
    given = labels.copy()
    given[rows] = (
        [ALIKE[label] for label in labels[rows]]
        if alike
        else (labels[rows] + dice.integers(1, classes, count)) % classes
    )
    return given, rows


def share_found(order, rows, total):
    return np.isin(rows, order[: round(FIRST * total)]).mean()


def order_by_cleanlab(judged):
    """Return cleanlab's orders, by self-confidence and by normalised margin."""
    from cleanlab.rank import get_label_quality_scores

    for method in ("self_confidence", "normalized_margin"):
        scores = get_label_quality_scores(judged.labels, judged.probabilities, method=method)
        yield np.argsort(scores, kind="stable")


def judge_by_network(tiles, labels, folds, steps):
    """Return what a small network says of each fold, trained on the others, mirrored at random."""
    from pipeline.network.building import build

    photo = tiles.shape[3] == 3
    probabilities = np.zeros((len(labels), labels.max() + 1))
    for fold in np.unique(folds):
        name = "deepconv" if photo else "cnn"
        model = build(name, tiles.shape[1:], int(labels.max()) + 1, seed=int(fold))
        dice, own = np.random.default_rng(fold), np.flatnonzero(folds != fold)
        for _ in range(steps):
            batch = dice.choice(own, 32, replace=False)
            pictures = tiles[batch][:, :, ::-1] if photo and dice.random() < 0.5 else tiles[batch]
            model.train_on_batch(pictures, labels[batch])
        probabilities[folds == fold] = model.predict(tiles[folds == fold], verbose=0)
    return Judged(labels, probabilities)


def measure(name, tiles, labels, ids, writers, steps):
    """Print the rows of a set."""
    start = time.perf_counter()
    sample = np.linspace(0, len(tiles) - 1, min(1500, len(tiles)), dtype=int)
    appearance = learn_appearance(tiles[sample])
    windows = [tiles[first : first + 512] for first in range(0, len(tiles), 512)]
    looks = np.concatenate([appearance.describe(window).seen for window in windows])
    folds = divide(ids, writers, labels, np.arange(len(ids))).of_tile
    count = labels.max() + 1
    clean = judge_out_of_fold(looks, labels, folds, count)
    find_contradictions(looks, labels)
    spent, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    accuracy = 100 * (clean.read_as == labels).mean()
    print(
        f"\n{name}: {len(tiles):,} tiles, {accuracy:.1f} % read as labelled, {spent:.0f} s, ",
        end="",
    )
    print(f"{peak / 1024:.0f} MB")
    print("| planted | first 5 % | likely: found / right | cleanlab: self-confidence, margin |")
    for alike in (False, True) if count == 10 else (False,):
        for share in (0.01, 0.03, 0.1):
            found = []
            for seed in range(DRAWS):
                given, rows = plant(labels, share, alike, seed)
                judged = judge_out_of_fold(looks, given, folds, count)
                likely = judged.find_likely()
                right = np.isin(np.flatnonzero(likely), rows).mean()
                found.append(
                    [share_found(judged.rank(), rows, len(ids)), likely[rows].mean(), right]
                )
                with contextlib.suppress(ImportError):
                    orders = order_by_cleanlab(judged)
                    found[-1] += [share_found(order, rows, len(ids)) for order in orders]
            mean = [f"{100 * value:.1f}" for value in np.mean(found, axis=0)]
            kind = f"{share:.0%}, {'look-alikes' if alike else 'uniform'}"
            print(
                f"| {kind} | {mean[0]} | {mean[1]} / {mean[2]} | {', '.join(mean[3:])} |",
                flush=True,
            )
    if steps:
        given, rows = plant(labels, 0.03, False, 0)
        judged = judge_by_network(tiles, given, folds, steps)
        right = 100 * (judged.read_as == labels).mean()
        found = 100 * share_found(judged.rank(), rows, len(ids))
        print(
            f"network, {steps} steps: {right:.1f} % right, {found:.1f} % in the first 5 %",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("projects", nargs="*", type=Path)
    parser.add_argument("--mnist", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--cnn", type=int, default=0, metavar="STEPS")
    options = parser.parse_args()
    for project in options.projects:
        measure(project.name, *read_project(project), options.cnn)
    if options.mnist:
        measure("MNIST", *read_mnist(options.mnist, options.count), options.cnn)


if __name__ == "__main__":
    main()
