"""Drawn pages of characters of many parts, by fonts bent like hands: for benchmarks/joining.py.

A page is coverage, uint8 (h, w), 0 paper, 255 full ink, with `owner` int32 (h, w): which character
each pixel of ink belongs to, from 1; 0 is paper, -1 a speck.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Coverage = npt.NDArray[np.uint8]

HIRAGANA = [chr(code) for code in range(0x3042, 0x3094) if chr(code) not in "ぃぅぇぉゎゐゑ"]
KATAKANA = [chr(code) for code in range(0x30A2, 0x30F4) if chr(code) not in "ィゥェォヮヰヱ"]
# Level 1 of JIS X 0208: the 2,965 kanji in use.
KANJI = [
    bytes((0xA0 + row, 0xA0 + cell)).decode("euc_jp")
    for row in range(16, 47)
    for cell in range(1, 95)
]
LATIN = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
ACCENTED = list("äöüéèêáàâíîóôúûñçåøÄÖÜÉÈÊÁÍÓÑÅijijijij")
MARKS = list('.,:;!?".,:;!?.,..')
FORMULA = list("0123456789=÷%+-×():.=÷%=÷%<>±")
DEVANAGARI = [
    letter + sign
    for letter in "कखगघचछजझटठडढणतथदधनपफबभमयरलवशषसह"
    for sign in ("", "", "ा", "ि", "ी", "ु", "ू", "े", "ै", "ो", "ौ", "ं")
]
TAMIL = [
    letter + sign
    for letter in "கஙசஞடணதநபமயரலவழளறன"
    for sign in ("", "", "", "ி", "ீ", "்", "்", "்", "ு", "ா", "ே", "ை")
]
DIGITS = list("0123456789")
NARROW = list("1l1iIi11l7|!j10")

# Characters of a page's kind; (set, share) each, and whether they are written in cells of a pitch.
KINDS: dict[str, tuple[list[tuple[list[str], float]], bool]] = {
    "kana": ([(HIRAGANA, 0.8), (KATAKANA, 0.15), (list("、。"), 0.05)], True),
    "kanji": ([(HIRAGANA, 0.45), (KANJI, 0.45), (list("、。"), 0.05), (KATAKANA, 0.05)], True),
    "latin": ([(LATIN, 0.6), (ACCENTED, 0.28), (MARKS, 0.12)], False),
    "devanagari": ([(DEVANAGARI, 0.95), (MARKS, 0.05)], False),
    "tamil": ([(TAMIL, 0.9), (MARKS, 0.1)], False),
    "formula": ([(FORMULA, 1.0)], False),
    "digits": ([(DIGITS, 1.0)], False),
    "narrow": ([(NARROW, 0.8), (LATIN, 0.2)], False),
}


@dataclass(frozen=True)
class Hand:
    """How one writer writes: the font bent, the pen, and how evenly."""

    font: ImageFont.FreeTypeFont
    size: int  # pixels of an em
    bend: float  # of an em: how far points of a stroke stray
    stray: float  # of an em: how far a part strays from its place
    thicker: float  # pixels by which a stroke is thicker (or thinner) than the font's
    breaks: float  # breaks of the pen in a character
    slant: float
    stretch: float  # how much wider than the font


def draw_character(text: str, hand: Hand, rng: np.random.Generator) -> tuple[Coverage, int]:
    """Draw one character as a hand writes it; return its coverage and its left edge's column."""
    size, room = hand.size, hand.size
    box = hand.font.getbbox(text)
    width = int(box[2]) + 2 * room
    image = Image.new("L", (width, 3 * room), 0)
    ImageDraw.Draw(image).text((room, int(2.2 * room)), text, 255, hand.font, anchor="ls")
    stretch = np.array([[hand.stretch, 0, room * (1 - hand.stretch)], [0, 1, 0]])
    image = cv2.warpAffine(np.asarray(image), stretch, image.size)
    ink = _stray_parts(image, hand.stray * size, rng)
    ys, xs = np.mgrid[: ink.shape[0], : ink.shape[1]].astype(np.float32)
    coarse = rng.normal(0, hand.bend * size, (2, 7, 7)).astype(np.float32)
    dx, dy = (cv2.resize(field, ink.shape[::-1], interpolation=cv2.INTER_CUBIC) for field in coarse)
    dx += np.float32(hand.slant) * (ys - 2 * room)
    ink = cv2.remap(ink, xs + dx, ys + dy, cv2.INTER_LINEAR)
    return _break_strokes(_change_pen(ink, hand.thicker), hand, rng), room


def _stray_parts(ink: Coverage, stray: float, rng: np.random.Generator) -> Coverage:
    """Move the parts of a character about, each by itself, where they do not touch."""
    count, labels = cv2.connectedComponents((ink > 60).astype(np.uint8))
    if count < 3:
        return ink
    moved = np.zeros_like(ink)
    for part in range(1, count):
        near = cv2.dilate((labels == part).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        own = np.where(near & ((labels == part) | (labels == 0)), ink, 0).astype(np.uint8)
        move = np.array([[1, 0, rng.normal(0, stray)], [0, 1, rng.normal(0, stray)]])
        moved = np.maximum(moved, cv2.warpAffine(own, move, ink.shape[::-1]))
    return moved


def _change_pen(ink: Coverage, thicker: float) -> Coverage:
    """Make strokes thicker by some pixels, or thinner if negative."""
    inked = (ink >= 128).astype(np.uint8)
    away = cv2.distanceTransform(1 - inked, cv2.DIST_L2, 5)
    depth = cv2.distanceTransform(inked, cv2.DIST_L2, 5)
    return np.clip(127.5 + 255 * (depth - np.minimum(away, 9) + thicker / 2), 0, 255).astype(
        np.uint8
    )


def _break_strokes(ink: Coverage, hand: Hand, rng: np.random.Generator) -> Coverage:
    """Lift the pen here and there: a thin gap across a stroke."""
    ys, xs = np.nonzero(ink > 128)
    for _ in range(rng.poisson(hand.breaks) if len(ys) else 0):
        at = int(rng.integers(len(ys)))
        angle = rng.uniform(0, np.pi)
        reach = 0.12 * hand.size * np.array((np.cos(angle), np.sin(angle)))
        ends = (np.array((xs[at], ys[at])) + np.outer((-1, 1), reach)).round().astype(int)
        cv2.line(ink, ends[0].tolist(), ends[1].tolist(), 0, 2)
    return ink


def draw_page(
    texts: Sequence[Sequence[str]],
    hand: Hand,
    rng: np.random.Generator,
    *,
    pitch: float | None,
    space: float,
    leading: float,
    specks: int = 0,
) -> tuple[Coverage, npt.NDArray[np.int32]]:
    """Draw rows of characters ('' is a space between words).

    pitch: ems from one to the next, None for as much as each needs and `space` ems between.
    leading: ems from row to row.
    """
    size = hand.size
    longest = max(len(row) for row in texts)
    width = int(size * (longest * ((pitch or 0.9) + space) + 4))
    height = int(size * (leading * len(texts) + 3))
    page = np.zeros((height, width), np.uint8)
    owner = np.zeros((height, width), np.int32)
    number, uneven = 0, rng.uniform(0.01, 0.05)
    for row, texts_of_row in enumerate(texts):
        base = size * (1.8 + leading * row)
        climb = rng.normal(0, 0.008)
        x = size * rng.uniform(1, 1.6)
        for text in texts_of_row:
            if not text:
                x += size * (pitch or rng.uniform(0.4, 0.9))
                continue
            ink, edge = draw_character(text, hand, rng)
            ys, xs = np.nonzero(ink > 60)
            if len(ys) == 0:
                continue
            top = int(base + climb * x + rng.normal(0, uneven) * size - 2.2 * size)
            if pitch:
                left = int(x + rng.normal(0, uneven) * size - edge)
                x += pitch * size
            else:
                left = int(x) - int(xs.min())
                x += int(np.ptp(xs)) + size * max(space * rng.uniform(0.3, 2.2), 0.05)
            number += 1
            _lay(page, owner, ink, left, top, number, ys, xs)
    _spatter(page, owner, specks, size, rng)
    return page, owner


def _lay(
    page: Coverage,
    owner: npt.NDArray[np.int32],
    ink: Coverage,
    left: int,
    top: int,
    number: int,
    ys: npt.NDArray[np.int64],
    xs: npt.NDArray[np.int64],
) -> None:
    """Put a character on a page, a little to the right of those that it would touch."""
    y0, y1, x0, x1 = ys.min(), ys.max() + 1, xs.min(), xs.max() + 1
    own = ink[y0:y1, x0:x1]
    near = cv2.dilate((own > 60).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    y, x = max(top + y0, 0), max(left + x0, 0)
    if y + own.shape[0] > page.shape[0]:
        return
    while x + own.shape[1] <= page.shape[1]:
        there = owner[y : y + own.shape[0], x : x + own.shape[1]]
        if not (there[near] > 0).any():
            there[own > 60] = number
            target = page[y : y + own.shape[0], x : x + own.shape[1]]
            np.maximum(target, own, out=target)
            return
        x += 2


def _spatter(
    page: Coverage, owner: npt.NDArray[np.int32], count: int, size: int, rng: np.random.Generator
) -> None:
    """Put specks on a page."""
    for _ in range(count):
        x, y = (int(rng.integers(side)) for side in page.shape[::-1])
        blot = np.zeros_like(page)
        cv2.circle(blot, (x, y), max(1, int(size * rng.uniform(0.02, 0.06))), 255, -1)
        free = (blot > 0) & (owner == 0)
        page[free], owner[free] = 255, -1


def _knows(font: ImageFont.FreeTypeFont, text: str) -> bool:
    """Tell whether a font has all of a text's characters, and not its sign for none."""
    none = bytes(font.getmask("\uffff"))
    return all(bytes(font.getmask(character)) not in (none, b"") for character in text[:1])


def choose_texts(
    kind: str, font: ImageFont.FreeTypeFont, rows: int, length: int, rng: np.random.Generator
) -> list[list[str]]:
    """Choose the characters of a page of a kind that a font has, '' where a word ends."""
    sets, _ = KINDS[kind]
    sets = [([text for text in texts if _knows(font, text)], share) for texts, share in sets]
    sets = [(texts, share) for texts, share in sets if texts]
    shares = np.array([share for _, share in sets])
    shares /= shares.sum()
    spaces = 0.03 if KINDS[kind][1] else rng.choice([0.0, 0.1, 0.18])
    return [
        [
            ""
            if rng.uniform() < spaces
            else (chosen := sets[rng.choice(len(sets), p=shares)][0])[rng.integers(len(chosen))]
            for _ in range(length)
        ]
        for _ in range(rows)
    ]


def draw_any_page(
    kind: str, font: str, rng: np.random.Generator
) -> tuple[Coverage, npt.NDArray[np.int32]]:
    """Draw a page of a kind with a font, by a hand of chance."""
    size, square = int(rng.integers(30, 72)), KINDS[kind][1]
    hand = Hand(
        ImageFont.truetype(font, size, layout_engine=ImageFont.Layout.RAQM),
        size,
        bend=rng.uniform(0.005, 0.03),
        stray=rng.uniform(0.0, 0.04) if not square else rng.uniform(0.0, 0.07),
        thicker=size * rng.uniform(-0.015, 0.035),
        breaks=float(rng.choice([0.0, 0.05, 0.3])),
        slant=rng.uniform(-0.1, 0.25) * (rng.uniform() < 0.6),
        stretch=rng.uniform(0.85, 1.35),
    )
    return draw_page(
        choose_texts(kind, hand.font, int(rng.integers(1, 9)), int(rng.integers(3, 24)), rng),
        hand,
        rng,
        pitch=rng.uniform(1.0, 1.6) if square and rng.uniform() < 0.7 else None,
        space=float(rng.choice([0.12, 0.2, 0.35, 0.6, 1.5]))
        if not square
        else rng.uniform(0.12, 0.4),
        leading=rng.uniform(1.5, 2.4),
        specks=int(rng.choice([0, 0, 3, 8])),
    )
