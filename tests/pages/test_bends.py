"""Lines are drawn along a known curve; straightened, each must lie in one row."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from pipeline.pages import bends, furniture

HEIGHT, WIDTH = 1203, 851
LENGTH, THICKNESS = 200, 10
FULL = 0.7
ROWS = np.arange(90, HEIGHT, 55)
Curve = npt.NDArray[np.float64]


def curve(kind: str, row: float) -> Curve:
    """Return how far a line of this row lies below it, at each column."""
    x = np.linspace(0, 1, WIDTH)
    return {
        "leaning": 0.08 * WIDTH * (x - 0.5),
        "arched": 0.24 * WIDTH * x * (1 - x),
        "waved": 0.03 * WIDTH * np.sin(2 * np.pi * x),
        "by the binding": 0.05 * WIDTH * x**4,
        "in perspective": 0.12 * WIDTH * (x - 0.5) * (row / HEIGHT - 0.4),
        "level": 0 * x,
    }[kind]


def draw_rules(kind: str, density: float = 0.2, pen: int = 2) -> npt.NDArray[np.float32]:
    page = np.zeros((HEIGHT, WIDTH), np.uint8)
    for row in ROWS:
        points = np.stack([np.arange(WIDTH), row + curve(kind, row)], axis=1)
        cv2.polylines(page, [np.int32(points * 16)], False, 255, pen, cv2.LINE_AA, shift=4)
    return (page / 255 * density).astype(np.float32)


def draw_writing() -> npt.NDArray[np.float32]:
    """Return two rows of T, which have a bar, as density."""
    page = np.zeros((HEIGHT, WIDTH), np.uint8)
    for y in (330, 700):
        for x in range(90, WIDTH - 90, 80):
            cv2.line(page, (x - 22, y), (x + 22, y), 255, 6, cv2.LINE_AA)
            cv2.line(page, (x, y), (x, y + 60), 255, 6, cv2.LINE_AA)
    return (page / 255 * FULL).astype(np.float32)


BENT = ["leaning", "arched", "waved", "by the binding", "in perspective"]


@pytest.mark.parametrize("kind", BENT)
def test_straightened_lines_are_level(kind: str) -> None:
    page = draw_rules(kind)
    bend = bends.find_bend(page, LENGTH, THICKNESS, faintest=0.03)
    assert bend is not None
    for row in ROWS[3:-3]:
        line = row + curve(kind, row)
        there = [bend.up[round(y), x] for x, y in enumerate(line) if 0 <= y < HEIGHT - 1]
        # Within the length that is looked at at once it may drift by a row or two.
        near = [np.ptp(there[x : x + LENGTH // 3]) for x in range(0, len(there), LENGTH // 3)]
        assert max(near) < 4


@pytest.mark.parametrize("kind", BENT)
def test_what_is_straightened_and_restored_is_where_it_was(kind: str) -> None:
    bend = bends.find_bend(draw_rules(kind), LENGTH, THICKNESS, faintest=0.03)
    assert bend is not None
    place = np.add.outer(np.arange(HEIGHT), np.zeros(WIDTH)).astype(np.float32)
    back = bend.restore(bend.straighten(place))
    np.testing.assert_allclose(back[80:-80], place[80:-80], atol=1)


def test_level_lines_and_writing_do_not_bend() -> None:
    assert bends.find_bend(draw_rules("level"), LENGTH, THICKNESS, 0.03) is None
    assert bends.find_bend(draw_writing(), LENGTH, THICKNESS, 0.03) is None
    assert bends.find_bend(np.zeros((HEIGHT, WIDTH), np.float32), LENGTH, THICKNESS, 0.03) is None
    assert bends.find_bend(np.zeros((40, 30), np.float32), 6, 5, 0.03) is None


@pytest.mark.parametrize("turned", [False, True], ids=["level", "upright"])
@pytest.mark.parametrize("density", [0.2, 0.65])
@pytest.mark.parametrize("kind", BENT)
def test_bent_lines_go_and_strokes_stay(kind: str, density: float, turned: bool) -> None:
    writing, lines = draw_writing(), draw_rules(kind, density)
    if turned:
        writing, lines = np.ascontiguousarray(writing.T), np.ascontiguousarray(lines.T)
        writing, lines = writing[:WIDTH], lines[:WIDTH]
    page = np.maximum(writing, lines)
    cleaned, rules = furniture.remove_rules(page, FULL, LENGTH, THICKNESS, 0.03)
    dark = density > FULL / 2
    assert np.mean(cleaned[writing < 0.01] > FULL / 4) < (0.004 if dark else 0.001)
    assert np.mean(cleaned[writing > 0.6 * FULL] > FULL / 2) > (0.94 if dark else 0.99)
    assert (rules.upright if turned else rules.level).any()
