"""Rows labelled and boxes drawn in a real browser: by mouse, finger and keys."""

import json
import os

import numpy as np
import pytest
from browsed import becomes, press, saved
from reviewed import write_project, write_tiles

from pipeline.dataset.store import write_glyphs
from pipeline.dataset.tables import COLUMNS, read_table, write_table
from pipeline.intake.drawn_boxes import read_drawn_boxes
from pipeline.intake.labels import read_overrides

pytestmark = pytest.mark.slow

CLASSES = tuple("0123456789")
PAGE = "raw/scans/page-000.png"


@pytest.fixture
def folder(tmp_path):
    """A project of 60 tiles on three pages, two rows of ten on each, none with a label."""
    ids = write_project(tmp_path, tiles=60, classes=CLASSES)
    table = tmp_path / "processed/boxes.csv"
    rows = [row | {"label": ""} for row in read_table(table, COLUMNS["boxes"])]
    write_table(table, COLUMNS["boxes"], rows)
    write_tiles(tmp_path, [(one, "") for one in ids], CLASSES)
    write_glyphs(
        tmp_path / "processed/glyphs.h5",
        ((one, draw_glyph(number)) for number, one in enumerate(ids)),
    )
    return tmp_path


def draw_glyph(number):
    """Return a 1 or a 7, in turn, as prep's own model reads it."""
    glyph = np.zeros((60, 40), np.uint8)
    glyph[6:54, 18:24] = 255
    if number % 2:
        glyph[6:54, 18:24] = 0
        glyph[6:12, 6:34] = 255
        for y in range(12, 54):
            x = 30 - (y - 12) // 3
            glyph[y, x : x + 6] = 255
    return glyph


def labels_of(folder):
    return {one.id: one.label for one in read_overrides(folder, CLASSES)}


def boxes_of(folder, name=PAGE):
    found = read_drawn_boxes(folder, CLASSES)
    return [(*one.drawn.box, one.drawn.label) for one in found if one.source == name]


def open_rows(show, server, **options):
    page = show(server, view="Rows", **options)
    page.wait_for_selector(".by:has-text('Suggested')")
    return page


def open_pages(show, server, **options):
    page = show(server, view="Pages", **options)
    page.wait_for_selector(".box")
    return page


def typed(page):
    return page.locator(".hand input").input_value()


# --- Rows --------------------------------------------------------------------------------------


def test_a_row_is_confirmed_by_one_key_and_mended_by_two(folder, serve, show):
    page = open_rows(show, serve(folder))
    assert typed(page) == "1717171717"
    press(page, "Enter", "ArrowRight", "5", "-", "Enter")
    ids = [row["id"] for row in read_table(folder / "processed/boxes.csv", COLUMNS["boxes"])]
    wanted = dict(zip(ids, "171717171715-7171717", strict=False))
    becomes(page, lambda: labels_of(folder), wanted)
    becomes(page, lambda: typed(page), "1717171717")
    becomes(page, page.locator("output").inner_text, "4 rows to go, 40 boxes")


def test_a_row_is_typed_or_pasted_whole_and_undone(folder, serve, show):
    page = open_rows(show, serve(folder))
    page.keyboard.type("0522185946")
    assert typed(page) == "0522185946"
    press(page, "Backspace")
    assert typed(page) == "0522185947"
    press(page, "6", "Enter")
    saved(page)
    assert "".join(labels_of(folder).values()) == "0522185946"
    press(page, "u")
    page.wait_for_selector("text=Undone: 10 tiles: several labels")
    assert not (folder / "raw/labels.csv").exists()
    page.wait_for_selector(".line[aria-current][data-n='0']")


def test_more_labels_than_boxes_are_told_and_typing_keeps_the_focus(folder, serve, show):
    page = open_rows(show, serve(folder))
    for letter in "1234567890":
        press(page, letter)
        assert page.evaluate("document.activeElement.closest('.hand') !== null")
    assert page.locator("#told").is_hidden()
    press(page, "5")
    told = "This row has 10 boxes: the label of the last one was typed over."
    assert page.locator("#told").inner_text() == told
    assert typed(page) == "1234567895"


def test_what_is_no_class_is_told_and_a_box_without_label_is_not_passed_over(folder, serve, show):
    (folder / "processed/glyphs.h5").unlink()
    page = show(serve(folder), view="Rows")
    page.wait_for_selector(".by:has-text('No suggestions')")
    assert typed(page) == "·" * 10
    press(page, "k")
    assert "“k” is no class" in page.locator("#told").inner_text()
    page.keyboard.type("12345")
    press(page, "Enter")
    assert "no label yet" in page.locator("#told").inner_text()
    assert "box 6 of 10: none" in page.locator(".hand input").get_attribute("aria-label")
    assert not (folder / "raw/labels.csv").exists()


def test_words_are_typed_by_their_first_letters(tmp_path, serve, show):
    ids = write_project(tmp_path, tiles=6, classes=("cat", "dog", "donkey"))
    write_tiles(tmp_path, [(one, "") for one in ids], ("cat", "dog", "donkey"))
    page = show(serve(tmp_path), view="Rows")
    page.wait_for_selector(".by:has-text('No suggestions')")
    classes = ("cat", "dog", "donkey")
    for letters, shown in (("c", "cat ·"), ("don", "cat donkey")):
        page.keyboard.type(letters)
        press(page, "Enter")
        becomes(page, lambda: typed(page), shown)
        becomes(
            page, lambda: page.evaluate("document.activeElement.closest('.hand') !== null"), True
        )
    press(page, "Enter")
    becomes(
        page, lambda: [one.label for one in read_overrides(tmp_path, classes)], ["cat", "donkey"]
    )


def test_a_finger_does_the_same(folder, serve, show):
    page = open_rows(show, serve(folder), width=380, has_touch=True)
    page.tap(".line[aria-current] [data-cell='2'] rect")
    page.keyboard.insert_text("4")  # as the keyboard of a phone does
    page.tap("text=Confirm")
    saved(page)
    assert "".join(labels_of(folder).values()) == "1747171717"


# --- Boxes -------------------------------------------------------------------------------------


def test_by_keys_a_box_is_moved_resized_labelled_deleted_merged_and_split(folder, serve, show):
    page = open_pages(show, serve(folder))
    found = [(10 + 25 * n, 10, 20 + 25 * n, 22) for n in range(10)]
    press(page, "Home", "Shift+ArrowDown")
    saved_boxes(page, folder, (10, 11, 20, 23, ""))
    press(page, "Control+ArrowRight", "Control+Shift+ArrowUp")
    saved_boxes(page, folder, (10, 10, 21, 23, ""))
    press(page, "7")
    page.wait_for_selector("#waiting:has-text('1 correction')")
    # It is the box that was there, by its centre.
    becomes(page, lambda: list(labels_of(folder).values()), ["7"])
    press(page, "Home", "Delete")
    page.wait_for_selector("text=19 boxes")
    becomes(page, lambda: len(boxes_of(folder)), 19)
    assert {one[:4] for one in boxes_of(folder)} >= set(found[1:])
    merge_first_two(page, folder)
    split_merged(page, folder)


def merge_first_two(page, folder):
    """Merge the second and the third box of the page, of which the first is deleted."""
    press(page, "Home", " ", "ArrowRight", " ", "m")
    page.wait_for_selector("text=18 boxes")
    saved_boxes(page, folder, (35, 10, 70, 22, ""))


def split_merged(page, folder):
    press(page, "s")
    page.wait_for_selector("text=19 boxes")
    becomes(page, lambda: len(boxes_of(folder)), 19)
    halves = [one for one in boxes_of(folder) if one[0] >= 35 and one[2] <= 70 and one[3] == 22]
    assert len(halves) == 2
    assert halves[0][2] == halves[1][0]


def test_an_answer_that_comes_late_brings_no_box_back(folder, serve, show):
    """The page asks for its boxes after each save: what it hears of before the next is old."""
    page = open_pages(show, serve(folder))
    late = []
    page.route("**/api/boxes/*", lambda route: late.append((route, route.fetch())))
    press(page, "Home", "Delete")
    page.wait_for_selector("text=19 boxes")
    becomes(page, lambda: len(late) > 0, True)
    saved(page)
    merge_first_two(page, folder)
    saved(page)
    for route, answer in late[:1]:
        route.fulfill(response=answer)
    page.evaluate("fetch('/api/state').then((one) => one.text())")  # it was heard by now
    split_merged(page, folder)
    page.unroute_all()


def saved_boxes(page, folder, wanted):
    """Wait until a box is in the file."""
    for _ in range(50):
        saved(page)
        if (folder / "raw/boxes.csv").exists() and wanted in boxes_of(folder):
            return
        page.wait_for_timeout(100)
    raise AssertionError((wanted, boxes_of(folder)))


def test_with_the_mouse_a_box_is_drawn_moved_and_resized(folder, serve, show):
    page = open_pages(show, serve(folder))
    seen = page.locator(".sheet").bounding_box()
    scale = seen["width"] / 300

    def drag(x0, y0, x1, y1):
        mouse = page.mouse
        mouse.move(seen["x"] + x0 * scale, seen["y"] + y0 * scale)
        mouse.down()
        mouse.move(seen["x"] + (x0 + x1) / 2 * scale, seen["y"] + (y0 + y1) / 2 * scale)
        mouse.move(seen["x"] + x1 * scale, seen["y"] + y1 * scale)
        mouse.up()

    drag(100, 200, 160, 290)
    page.wait_for_selector("text=21 boxes")
    saved_boxes(page, folder, (100, 200, 160, 290, ""))
    drag(130, 245, 140, 265)
    saved_boxes(page, folder, (110, 220, 170, 310, ""))
    drag(170, 310, 190, 300)
    saved_boxes(page, folder, (110, 220, 190, 300, ""))
    assert len(boxes_of(folder)) == 21
    drag(400, 0, 5, 380)  # it begins outside of the page
    assert len(boxes_of(folder)) == 21


def test_what_is_not_used_is_taken_in_with_a_click(folder, serve, show):
    sheet = read_table(folder / "processed/boxes.csv", COLUMNS["boxes"])[0]["id"].rsplit("-", 2)[0]
    row = {"id": f"{sheet}-150-320", "source": PAGE, "page": 0, "x0": 130, "y0": 300, "x1": 170,
           "y1": 340, "label": "3", "reason": "unclear"}  # fmt: skip
    write_table(folder / "processed/left_out.csv", COLUMNS["left_out"], [row])
    page = open_pages(show, serve(folder))
    page.click(".box.unused rect")
    assert page.locator("#box-told").inner_text() == "Not used: unclear."
    page.click("text=Take it in")
    saved_boxes(page, folder, (130, 300, 170, 340, "3"))
    assert len(boxes_of(folder)) == 21
    page.click("text=Back to the boxes that are found")
    page.wait_for_selector("text=20 boxes, 1 not used")
    saved(page)
    assert not (folder / "raw/boxes.csv").exists()


def test_boxes_of_two_labels_merge_to_one_without(folder, serve, show):
    page = open_pages(show, serve(folder))
    press(page, "Home", "7", "7", "3")
    becomes(page, lambda: list(labels_of(folder).values()), ["7", "7", "3"])
    press(page, "Home", " ", "ArrowRight", " ", "m")
    saved_boxes(page, folder, (10, 10, 45, 22, "7"))
    press(page, " ", "ArrowRight", " ", "m")
    saved_boxes(page, folder, (10, 10, 70, 22, ""))


def test_a_finger_draws_only_where_that_is_chosen_and_else_scrolls(folder, serve, show):
    page = open_pages(show, serve(folder), width=380, has_touch=True, is_mobile=True)
    box = page.locator(".box").nth(3)
    box.locator("rect").tap()
    assert "at" in page.locator(f'.box[data-n="{box.get_attribute("data-n")}"]').get_attribute(
        "class"
    )
    page.tap("text=More …")
    page.locator(".by-finger input").check()
    page.locator(".sheet").evaluate(
        """(svg) => {
            const seen = svg.getBoundingClientRect(), s = seen.width / 300;
            const fire = (name, x, y) => svg.dispatchEvent(new PointerEvent(name, {
                pointerId: 1, pointerType: "touch", bubbles: true,
                clientX: seen.left + x * s, clientY: seen.top + y * s }));
            svg.setPointerCapture = () => {};
            fire("pointerdown", 100, 200);
            fire("pointermove", 150, 260);
            fire("pointerup", 160, 290);
        }"""
    )
    saved_boxes(page, folder, (100, 200, 160, 290, ""))


def test_two_pages_open_at_once_do_not_overwrite_each_other(folder, serve, show):
    server = serve(folder)
    one, other = open_pages(show, server), open_pages(show, server)
    press(one, "Home", "Delete")
    one.wait_for_selector("text=19 boxes")
    saved(one)
    other.wait_for_selector("text=19 boxes")
    press(other, "Home", "Delete")
    other.wait_for_selector("text=18 boxes")
    saved(other)
    assert len(boxes_of(folder)) == 18


def test_while_dvc_reads_raw_boxes_wait(folder, serve, show):
    page = open_pages(show, serve(folder))
    (folder / ".dvc/tmp").mkdir(parents=True)
    lock = folder / ".dvc/tmp/rwlock"
    lock.write_text(json.dumps({"read": {str(folder / "raw"): [{"pid": os.getpid()}]}}))
    press(page, "Home", "Delete")
    page.wait_for_selector("text=dvc repro is reading raw/")
    assert not (folder / "raw/boxes.csv").exists()
    lock.write_text("{}")
    saved(page)
    assert len(boxes_of(folder)) == 19


# --- For everybody -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "scheme"), [(380, "light"), (380, "dark"), (1600, "light"), (1600, "dark")]
)
def test_axe_finds_nothing_serious(folder, serve, show, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = open_rows(show, serve(folder), width=width, scheme=scheme)
    press(page, "Enter", "4", "-")
    saved(page)
    for view in ("Rows", "Pages"):
        if view == "Pages":
            page.click("nav >> text=Pages")
            page.wait_for_selector(".box")
            press(page, "Home", "Delete", "ArrowRight")
            saved(page)
        page.wait_for_timeout(400)
        found = axe.Axe().run(page).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert [(one["id"], one["nodes"][0]["html"]) for one in serious] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_by_keyboard_alone_everything_is_reached(folder, serve, show):
    page = open_rows(show, serve(folder))
    for view, wanted in (
        ("rows", {"Confirm Enter", "Leave out -", "Mend the boxes", "Undo", "Keys"}),
        ("pages", {"New box n", "Split s", "Delete Del", "›", "Keys"}),
    ):
        page.evaluate(f"location.hash = '#{view}'")
        page.wait_for_selector(".hand, .box")
        page.wait_for_timeout(300)
        press(page, "Enter" if view == "rows" else "Home")
        reached = set()
        for _ in range(60):
            press(page, "Tab")
            reached.add(page.evaluate("document.activeElement.textContent"))
        assert wanted <= reached
