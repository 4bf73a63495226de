"""Pages drawn with known glyphs: boxes, reading order, polarity, blank paper, cells."""

import cv2
import numpy as np
import pytest

from pipeline import pages


def draw_page(words, size=(1100, 820), paper=235, pen=40, pitch=(90, 130), start=(90, 120)):
    """Draw digits in rows with OpenCV's stroke font; return the page and the true boxes."""
    page = np.full(size, paper, np.uint8)
    boxes = []
    for row, word in enumerate(words):
        for column, letter in enumerate(word):
            alone = np.zeros(size, np.uint8)
            at = (start[0] + column * pitch[0], start[1] + row * pitch[1])
            cv2.putText(alone, letter, at, cv2.FONT_HERSHEY_SIMPLEX, 2.2, 255, 6, cv2.LINE_AA)
            share = alone / 255.0
            page = (page * (1 - share) + pen * share).astype(np.uint8)
            ys, xs = np.nonzero(alone > 127)
            boxes.append((xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))
    return page, boxes


def overlap(first, second):
    """Return the intersection over union of two boxes."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (first, second)]
    return shared / (sum(areas) - shared)


def test_finds_every_glyph_in_reading_order():
    page, truth = draw_page(["0123", "456789", "27"])
    found = pages.find_glyphs(page, "free")
    assert [(g.row, g.column) for g in found] == (
        [(0, k) for k in range(4)] + [(1, k) for k in range(6)] + [(2, k) for k in range(2)]
    )
    assert all(overlap(g.box, t) > 0.85 for g, t in zip(found, truth, strict=True))


def test_chalk_on_a_board_reads_like_ink_on_paper():
    page, truth = draw_page(["35", "80", "241"], paper=45, pen=225)
    found = pages.find_glyphs(page, "free")
    assert all(overlap(g.box, t) > 0.85 for g, t in zip(found, truth, strict=True))
    assert all(g.pixels.max() > 230 and g.pixels[0].max() == 0 for g in found)


@pytest.mark.parametrize("level", [20, 128, 250])
def test_a_blank_page_has_no_glyphs(level):
    noise = np.random.default_rng(5).normal(level, 2, (401, 303)).clip(0, 255).astype(np.uint8)
    assert pages.find_glyphs(noise, "rows") == []


def test_cells_give_a_glyph_where_there_is_ink():
    page, _ = draw_page(["07", "2"], size=(260, 200), start=(25, 100))
    found = pages.cut_cells(page, 2, 2)
    assert [(g.row, g.column) for g in found] == [(0, 0), (0, 1), (1, 0)]
    assert found[2].box[1] >= 130


def test_one_subject_keeps_all_its_strokes_in_either_polarity():
    dark, truth = draw_page(["4"], size=(150, 131), start=(40, 110))
    for picture in (dark, 255 - dark, cv2.cvtColor(dark, cv2.COLOR_GRAY2RGB)):
        glyph = pages.cut_whole(picture)
        assert glyph is not None
        assert overlap(glyph.box, truth[0]) > 0.9
    assert pages.cut_whole(np.full((40, 31), 200, np.uint8)) is None
