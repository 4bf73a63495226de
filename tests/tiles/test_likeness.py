"""Label safety: a mirrored b is a d, a turned 6 is a 9, and a small shift is neither."""

import re

import cv2
import numpy as np
import pytest
from conftest import run_to, write_params
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist
from scipy.stats import binomtest

from pipeline.augmentation.parsing import parse_op
from pipeline.augmentation.recipes import apply, draw
from pipeline.intake import images
from pipeline.tiles.likeness import (
    bound_excess,
    count_needed,
    find_resemblances,
    map_originals,
    measure_distances,
    shrink,
    standardise,
)

pytestmark = pytest.mark.slow

OPS = {
    "shift": {"x": [-0.05, 0.05], "y": [-0.05, 0.05]},
    "slide": {"transform": "shift", "x": 0.05, "y": -0.05},
    "rotate": {"degrees": [-10, 10]},
    "zoom": {"factor": [0.9, 1.1]},
    "flip": {},
    "upside-down": {"transform": "rotate", "degrees": 180},
    "duplicate": {},
}


def draw_letter(letter, dice):
    """Return a 28x28x1 tile of a letter that is slanted, placed and written a little anew."""
    page = np.zeros((56, 56), np.uint8)
    scale, width = dice.uniform(1.3, 1.6), int(dice.integers(3, 6))
    (across, up), _ = cv2.getTextSize(letter, cv2.FONT_HERSHEY_SIMPLEX, scale, width)
    foot = (56 - across) // 2, (56 + up) // 2
    cv2.putText(page, letter, foot, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, width, cv2.LINE_AA)
    slant = np.array([[1, dice.uniform(-0.15, 0.15), 0], [0, 1, 0]])
    slant[:, 2] = dice.uniform(-2, 2, 2)
    page = cv2.warpAffine(page, slant, (56, 56))
    return cv2.resize(page, (28, 28), interpolation=cv2.INTER_AREA)[..., None]


def draw_letters(letters, count):
    dice = np.random.default_rng(0)
    tiles = np.array([draw_letter(letter, dice) for letter in letters for _ in range(count)])
    return tiles, np.repeat(np.arange(len(letters)), count)


def make_variants(name, tiles):
    op = parse_op(name, OPS[name])
    return apply(op, tiles, draw(op, 1, [str(row) for row in range(len(tiles))], 0))


def find_warnings(name, tiles, labels, classes):
    space = map_originals(tiles, labels, len(classes))
    found = find_resemblances(space, make_variants(name, tiles), np.arange(len(tiles)))
    return {classes[pair.label] + classes[pair.looks_like] for pair in found if pair.warns}


def read_digits(count):
    """Return some of scikit-learn's real digits of each class as 28x28 tiles."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    rows = np.concatenate([np.flatnonzero(digits.target == label)[:count] for label in range(10)])
    grey = (digits.images[rows] * 15).astype(np.uint8)
    tiles = np.zeros((len(rows), 28, 28, 1), np.uint8)
    for tile, digit in zip(tiles, grey, strict=True):
        tile[4:24, 4:24, 0] = cv2.resize(digit, (20, 20), interpolation=cv2.INTER_LINEAR)
    return tiles, digits.target[rows]


# --- what is flagged ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("letters", "op", "expected"),
    [
        ("bdo", "flip", {"bd", "db"}),
        ("69", "upside-down", {"69", "96"}),
        ("bdo", "shift", set()),
        ("bdo", "slide", set()),
        ("bdo", "rotate", set()),
        ("bdo", "zoom", set()),
        ("bdo", "duplicate", set()),
    ],
)
def test_printed_letters(letters, op, expected):
    assert find_warnings(op, *draw_letters(letters, 20), letters) == expected


def test_real_digits_turned_upside_down():
    assert {"69", "96"} <= find_warnings("upside-down", *read_digits(60), "0123456789")


@pytest.mark.parametrize("op", ["shift", "slide", "rotate", "zoom"])
def test_real_digits_moved_a_little(op):
    assert find_warnings(op, *read_digits(60), "0123456789") == set()


def test_a_pair_says_how_many_and_which():
    tiles, labels = draw_letters("bd", 20)
    half = np.arange(0, 40, 2)  # ten of each
    variants = np.concatenate([make_variants("flip", tiles[half[:10]]), tiles[half[10:]]])
    (pair,) = find_resemblances(map_originals(tiles, labels, 2), variants, half)
    assert (pair.label, pair.looks_like) == (0, 1)
    assert (pair.share, pair.original_share, pair.excess) == (1.0, 0.0, 1.0)
    assert pair.low < 1.0 == pair.high
    # All ten pairs speak for it, and two ordered pairs of classes were asked.
    assert pair.p == pytest.approx(2 * binomtest(10, 10, alternative="greater").pvalue)
    assert sorted(pair.examples) == list(range(10))


def test_the_worst_example_comes_first():
    tiles, labels = draw_letters("bd", 20)
    variants = make_variants("flip", tiles)
    variants[7] = tiles[30]  # a very d
    pairs = find_resemblances(map_originals(tiles, labels, 2), variants, np.arange(40))
    assert next(pair for pair in pairs if pair.label == 0).examples[0] == 7


def test_what_looks_like_nothing_is_no_finding():
    """A closed set of classes would have to call noise and blank tiles something."""
    tiles, labels = draw_letters("bdo", 20)
    noise = np.random.default_rng(1).integers(0, 256, tiles.shape, dtype=np.uint8)
    space = map_originals(tiles, labels, 3)
    assert find_resemblances(space, noise, np.arange(60)) == []
    assert find_resemblances(space, np.zeros_like(tiles), np.arange(60)) == []


def test_a_class_of_one_tile_or_none_draws_nothing_to_it():
    tiles, labels = draw_letters("bd", 12)
    kept = np.arange(13)  # twelve b, one d, and a class without tiles
    space = map_originals(tiles[kept], labels[kept], 3)
    pairs = find_resemblances(space, make_variants("flip", tiles[kept]), kept)
    assert {(pair.label, pair.looks_like) for pair in pairs} == {(1, 0)}
    assert not any(pair.warns for pair in pairs), "one d is too few to tell"


@pytest.mark.parametrize(("count", "warns"), [(5, False), (6, True)])
def test_so_many_tiles_are_needed_for_a_warning(count, warns):
    assert count_needed(2) == 6
    assert bool(find_warnings("flip", *draw_letters("bd", count), "bd")) == warns


# --- distances and numbers, by other means ------------------------------------------------------


def test_small_pictures_are_blurred_means():
    tile = np.random.default_rng(0).integers(0, 256, (1, 28, 28, 1), dtype=np.uint8)
    means = tile[0, ..., 0].reshape(14, 2, 14, 2).mean(axis=(1, 3))
    expected = gaussian_filter(means, 0.5, mode="mirror", truncate=4)
    np.testing.assert_allclose(shrink(tile)[0, ..., 0], expected, atol=0.1)


@pytest.mark.parametrize("channels", [1, 3])
def test_distances_are_those_of_the_best_move_without_the_parent(channels):
    dice = np.random.default_rng(0)
    originals = dice.integers(0, 256, (7, 20, 20, channels), dtype=np.uint8)
    variants = dice.integers(0, 256, (4, 20, 20, channels), dtype=np.uint8)
    labels, parents = np.array([0, 1, 0, 1, 1, 0, 1]), np.array([2, 0, 6, 3])
    found = measure_distances(variants, parents, standardise(shrink(originals)), labels, 3)

    flat = shrink(originals).reshape(7, -1)
    padded = np.pad(shrink(variants), ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    moves = [padded[:, y : y + 14, x : x + 14].reshape(4, -1) for y in range(5) for x in range(5)]
    expected = np.min([cdist(moved, flat, "correlation") for moved in moves], axis=0)
    expected[np.arange(4), parents] = np.inf
    for label in (0, 1):
        nearest = expected[:, labels == label].min(axis=1)
        np.testing.assert_allclose(found[:, label], nearest, atol=1e-5)
    assert np.isinf(found[:, 2]).all()


def test_the_interval_of_the_excess():
    # (8 - 2) / 50 +- 1.96 sqrt(11 - 36/50) / 50
    assert bound_excess(8, 2, 48) == pytest.approx((-0.0057, 0.2457), abs=1e-4)
    assert bound_excess(0, 0, 10) == pytest.approx((-0.1633, 0.1633), abs=1e-4)


def test_the_interval_covers_the_truth():
    dice = np.random.default_rng(0)
    drawn = dice.multinomial(40, [0.2, 0.05, 0.75], size=2000)
    covered = [low <= 0.15 <= high for low, high in (bound_excess(g, n, 40) for g, n, _ in drawn)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(
    ("tiles", "labels"),
    [
        (np.zeros((2, 28, 28), np.uint8), np.array([0, 1])),
        (np.zeros((2, 28, 28, 1)), np.array([0, 1])),
        (np.zeros((2, 28, 28, 1), np.uint8), np.array([0, 1, 1])),
        (np.zeros((2, 28, 28, 1), np.uint8), np.array([0, -1])),
        (np.zeros((2, 28, 28, 1), np.uint8), np.array([0, 2])),
    ],
)
def test_originals_that_do_not_fit_are_refused(tiles, labels):
    with pytest.raises(ValueError, match="must be"):
        map_originals(tiles, labels, 2)


@pytest.mark.parametrize("parents", [[0, 0], [0]])
def test_parents_that_do_not_fit_are_refused(parents):
    tiles, labels = draw_letters("bd", 3)
    with pytest.raises(ValueError, match="parents"):
        find_resemblances(map_originals(tiles, labels, 2), tiles[:2], np.array(parents))


# --- the command --------------------------------------------------------------------------------


def write_letters(folder, count=20):
    """Make the project one of pictures of b and d, with a flip and a small shift."""
    dice = np.random.default_rng(0)
    for letter in "bd":
        target = folder / "raw/letters" / letter
        target.mkdir(parents=True)
        for number in range(count):
            picture = images.encode_png(240 - draw_letter(letter, dice)[..., 0] // 255 * 200)
            (target / f"{number:02}.png").write_bytes(picture)
    write_params(
        folder,
        sources=[{"path": "raw/letters", "layout": "whole"}],
        classes=["b", "d"],
        split={"test": 0.3, "val": 0.2, "seed": 2},  # the letters that train are clear ones
        augment={"flip": {"copies": 2}, "shift": {"x": [-0.05, 0.05]}},
        experiments={"none": {}, "flip": {"ops": ["flip"]}},
    )


def test_the_command_warns_of_a_mirrored_b_and_exits_with_0(project, prep):
    write_letters(project)
    run_to(prep, "augment")
    before = sorted(project.rglob("*"))
    code, printed, errors = prep("check", "labels")
    assert code == 0
    table = [line.split() for line in printed.splitlines() if line.startswith("flip ")]
    assert sorted(line[:3] for line in table) == [["flip", "b", "d"], ["flip", "d", "b"]]
    assert all(line[-1].endswith("-flip-0") for line in table)
    for one, other in ("bd", "db"):
        assert re.search(rf"'{one}' look like '{other}' \((9\d|100) % of its variants\)", errors)
    assert "under flip; none looks like another under shift; by one variant each" in printed
    assert sorted(project.rglob("*")) == before


def test_the_command_can_be_asked_for_one_op(project, prep):
    write_letters(project)
    run_to(prep, "augment")
    code, printed, errors = prep("check", "labels", "--only", "shift")
    assert (code, errors) == (0, "")
    assert printed.startswith("check labels: none looks like another under shift; by one variant")
    code, _, errors = prep("check", "labels", "--only", "shfit")
    assert code == 1
    assert "there is no op 'shfit' in params.yaml. Did you mean 'shift'?" in errors


def test_the_command_says_which_classes_are_too_small(project, prep):
    write_letters(project, count=8)
    run_to(prep, "augment")
    code, _, errors = prep("check", "labels")
    assert code == 0
    assert "too few training tiles to tell what becomes of 'b' (4), 'd' (4)" in errors
    assert "with 2 classes each needs 6 or more" in errors


def test_the_command_wants_the_variants_first(project, prep):
    run_to(prep, "split")
    code, _, errors = prep("check", "labels")
    assert code == 1
    assert "Make it with: prep augment" in errors
