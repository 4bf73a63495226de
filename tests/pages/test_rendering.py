"""The sample's pages: who lands where, what the paper looks like, and that the digits survive."""

import hashlib

import numpy as np
import pytest
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.svm import SVC

from pipeline.pages.rendering import deal_pages, render_page, trace_strokes
from pipeline.tiles.normalising import normalise_mnist

DIGITS = load_digits()
PAGES = deal_pages(DIGITS.target, seed=1)


def rows_of(page):
    """The pictures of one dealt page, as `render_page` takes them."""
    return [list(DIGITS.images[row]) for row in page]


@pytest.fixture(scope="module")
def rendered():
    """Twelve pages as (dealt indices, rendered page)."""
    return [(page, render_page(rows_of(page), seed=n)) for n, page in enumerate(PAGES[:12])]


def find_ink(pixels):
    """Ink as a person would point at it: clearly darker than the page is on the whole."""
    grey = pixels.mean(axis=2)
    return grey < np.median(grey) - 40


# --- dealing --------------------------------------------------------------------------------


def test_row_r_of_every_page_holds_one_or_two_digits_of_class_r():
    for page in PAGES:
        assert len(page) == 10
        for digit, row in enumerate(page):
            assert 1 <= len(row) <= 2
            assert all(DIGITS.target[index] == digit for index in row)


def test_there_are_about_a_hundred_pages_of_about_18_digits():
    sizes = [sum(len(row) for row in page) for page in PAGES]
    assert 80 <= len(PAGES) <= 100
    assert 17 < np.mean(sizes) < 19
    assert len(set(sizes)) > 3  # ragged


def test_no_digit_is_dealt_twice_and_each_class_keeps_the_files_order():
    for digit in range(10):
        dealt = [index for page in PAGES for index in page[digit]]
        assert dealt == sorted(set(dealt))


def test_the_classes_come_out_uneven():
    counts = [sum(len(page[digit]) for page in PAGES) for digit in range(10)]
    assert max(counts) - min(counts) >= 15
    assert min(counts) >= 120


def test_a_page_stays_close_to_one_writer():
    # The file holds 13 writers one after the other, about 138 digits each.
    spans = [max(max(row) for row in page) - min(min(row) for row in page) for page in PAGES]
    assert np.median(spans) < 60
    assert max(spans) < 100


def test_the_rarest_class_decides_how_many_pages_there_are():
    labels = np.delete(np.tile(np.arange(10), 10), [7, 27, 37, 57, 97])  # five sevens are left
    pages = deal_pages(labels, seed=0)
    assert len(pages) == 2
    assert all(
        labels[index] == digit for page in pages for digit in range(10) for index in page[digit]
    )


def test_another_seed_deals_other_counts():
    assert deal_pages(DIGITS.target, seed=1) == PAGES
    assert deal_pages(DIGITS.target, seed=2) != PAGES


# --- strokes --------------------------------------------------------------------------------


def test_the_strokes_hold_as_much_ink_in_each_block_as_the_digit_counts():
    strokes = trace_strokes(DIGITS.images[:150]) > 0.5
    bitmap = strokes[:, 4:-4, 4:-4].reshape(-1, 8, 4, 8, 4)
    difference = bitmap.sum(axis=(2, 4)) - DIGITS.images[:150]
    assert np.abs(difference).mean() < 0.5  # of 16
    assert strokes.sum() == pytest.approx(DIGITS.images[:150].sum(), rel=0.01)


def test_the_strokes_are_those_of_a_pen_and_hang_together():
    eight_connected = np.ones((3, 3))
    pieces = [
        ndimage.label(strokes > 0.5, eight_connected)[1]
        for strokes in trace_strokes(DIGITS.images[:150])
    ]
    assert np.mean(np.array(pieces) == 1) > 0.95


# --- pages ----------------------------------------------------------------------------------


def test_a_page_is_a_postcard_in_colour(rendered):
    for _, page in rendered:
        assert page.pixels.dtype == np.uint8
        assert page.pixels.shape == (1165, 827, 3)  # 148 by 105 mm at 200 dpi


def test_the_truth_names_every_digit_in_reading_order(rendered):
    for dealt, page in rendered:
        assert page.labels.tolist() == [digit for digit in range(10) for _ in dealt[digit]]
        assert page.boxes.shape == (len(page.labels), 4)
        for digit in range(10):
            assert np.all(np.diff(page.boxes[page.labels == digit][:, 0]) > 0)


def test_the_boxes_hold_all_of_the_ink_and_sit_tight(rendered):
    for _, page in rendered:
        ink = find_ink(page.pixels)
        outside = ink.copy()
        for x0, y0, x1, y1 in page.boxes:
            outside[y0:y1, x0:x1] = False
            seen = ink[y0:y1, x0:x1]
            rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
            assert max(rows[0], columns[0]) <= 3
            assert rows[-1] >= y1 - y0 - 4 and columns[-1] >= x1 - x0 - 4
        assert not outside.any()


def test_digits_are_8_to_10_mm_tall(rendered):
    heights = np.concatenate([page.boxes[:, 3] - page.boxes[:, 1] for _, page in rendered])
    millimetres = heights * 25.4 / 200
    assert 8 < np.median(millimetres) < 10
    assert np.percentile(millimetres, 1) > 6.5 and millimetres.max() < 11


def test_rows_are_clearly_apart_and_digits_never_touch(rendered):
    for _, page in rendered:
        for digit in range(10):
            row = page.boxes[page.labels == digit]
            assert np.all(row[1:, 0] - row[:-1, 2] > 20)
            if digit:
                above = page.boxes[page.labels == digit - 1]
                assert row[:, 1].min() - above[:, 3].max() > 8


def test_pages_lie_a_little_askew_each_its_own_way(rendered):
    slopes = []
    for _, page in rendered:
        middles = (page.boxes[:, :2] + page.boxes[:, 2:]) / 2
        steps = [np.diff(middles[page.labels == digit], axis=0) for digit in range(10)]
        across, down = np.concatenate(steps).sum(axis=0)
        slopes.append(down / across)
    degrees = np.degrees(np.arctan(slopes))
    assert np.ptp(degrees) > 1.5
    assert np.abs(degrees).max() < 3


def test_paper_is_light_toned_and_grainy_and_the_ink_dark_with_soft_edges(rendered):
    for _, page in rendered:
        red, green, blue = np.median(page.pixels, axis=(0, 1))
        assert 190 < green < 245 and red > blue + 5  # warm, not white
        blank = page.pixels[:50, :50].mean(axis=2)
        assert 0.8 < blank.std() < 6
        grey = page.pixels.mean(axis=2)
        dark = np.median(grey[find_ink(page.pixels)])
        assert dark < np.median(grey) - 110
        half = (grey > dark + 40) & (grey < np.median(grey) - 40)
        assert 0.03 < half.sum() / find_ink(page.pixels).sum() < 0.4


def test_the_light_is_uneven_but_only_a_little(rendered):
    corners = [
        [np.median(page.pixels[y : y + 80, x : x + 80]) for y in (0, -81) for x in (0, -81)]
        for _, page in rendered
    ]
    spread = np.ptp(corners, axis=1)
    assert spread.max() < 25 and np.median(spread) > 2


def test_the_seed_alone_decides_the_page():
    first, again, other = (render_page(rows_of(PAGES[0]), seed) for seed in (5, 5, 6))
    assert np.array_equal(first.pixels, again.pixels)
    assert np.array_equal(first.boxes, again.boxes)
    assert not np.array_equal(first.boxes, other.boxes)


def test_the_page_is_the_same_on_every_machine():
    # Should a library's new version break this, the sample's ids change: fill in the new digest.
    page = render_page(rows_of(PAGES[3]), seed=3)
    assert hashlib.sha256(page.pixels.tobytes()).hexdigest()[:16] == "44aa09b273b27fbb"


def test_a_finer_scan_shows_the_same_page_with_more_pixels():
    coarse, fine = (render_page(rows_of(PAGES[0]), 5, dpi) for dpi in (200, 300))
    assert fine.pixels.shape == (1748, 1240, 3)
    assert np.abs(fine.boxes / 1.5 - coarse.boxes).max() < 2.5


def test_more_than_the_sheet_holds_is_refused():
    digit = DIGITS.images[0]
    with pytest.raises(ValueError, match="ten rows"):
        render_page([[digit]] * 11, seed=0)
    with pytest.raises(ValueError, match="two digits"):
        render_page([[digit] * 3], seed=0)


# --- what it is for -------------------------------------------------------------------------


def cut_tiles(page):
    """Cut by the true boxes and a plain threshold on grey, then normalise."""
    grey = page.pixels.mean(axis=2)
    paper = np.median(grey)
    for x0, y0, x1, y1 in page.boxes:
        cut = grey[y0:y1, x0:x1]
        coverage = (paper - cut - 12) / (paper - cut.min() - 12)
        yield normalise_mnist(np.rint(255 * np.clip(coverage, 0, 1)).astype(np.uint8))


def test_the_tiles_cut_from_the_pages_can_be_read(rendered):
    tiles = [np.array(list(cut_tiles(page))).reshape(-1, 784) / 255 for _, page in rendered]
    labels = [page.labels for _, page in rendered]
    reader = SVC(C=10).fit(np.concatenate(tiles[::2]), np.concatenate(labels[::2]))
    assert reader.score(np.concatenate(tiles[1::2]), np.concatenate(labels[1::2])) > 0.92
