"""The page in a real browser: corrected by keys, undone, restarted, and by two at once."""

import json
import os
from pathlib import Path

import pytest
from browsed import becomes, press, saved
from reviewed import write_project, write_suspects, write_tiles

from pipeline.intake.labels import read_overrides

pytestmark = pytest.mark.slow

CLASSES = tuple("0123456789")
EVIL = '<img src=x onerror="document.title=1">'


@pytest.fixture
def folder(tmp_path):
    """A project of 60 tiles of ten classes on three pages."""
    write_project(tmp_path, tiles=60, classes=CLASSES)
    return tmp_path


def labels_of(folder):
    return {one.id: one.label for one in read_overrides(folder, CLASSES)}


def text_of(page, number):
    return page.locator(f"#item-{number}").get_attribute("aria-label")


# --- The task -------------------------------------------------------------------------------


def test_fifty_planted_errors_of_1500_tiles_take_sixty_keys_with_a_restart_in_between(
    tmp_path, serve, show
):
    """Ten of the list are right: confirmed. A restart forgets nothing."""
    ids = write_project(tmp_path, tiles=1500, pages=15, classes=CLASSES)
    planted = {ids[n]: CLASSES[(n + 3) % 10] for n in range(7, 1500, 30)}
    assert len(planted) == 50
    wrong = [(name, CLASSES[ids.index(name) % 10], true) for name, true in planted.items()]
    write_suspects(tmp_path, wrong)
    server = serve(tmp_path)
    page = show(server)
    assert page.locator("select").first.input_value() == "label"
    keys = ["a"] * 20
    press(page, *keys)
    saved(page)
    server.stop()
    page = show(serve(tmp_path, port=server.port))
    assert page.locator("output").inner_text() == "30 tiles"
    assert text_of(page, 0).startswith("7, read 0")
    rest = ["a"] * 28 + ["0", "0"]
    press(page, *rest)
    saved(page)
    assert len(keys + rest) <= 60
    assert labels_of(tmp_path) == planted
    lines = (tmp_path / "raw/labels.csv").read_text().splitlines()
    assert lines[0] == "source,id,label"
    assert len(lines) == 51
    assert "50 corrections saved" in page.locator("#waiting").inner_text()


def test_several_that_are_marked_take_one_key(tmp_path, serve, show):
    ids = write_project(tmp_path, tiles=300, pages=3, classes=CLASSES)
    wrong = [(ids[n], CLASSES[n % 10], CLASSES[(n + 5) % 10]) for n in range(50)]
    write_suspects(tmp_path, wrong)
    page = show(serve(tmp_path))
    press(page, "Shift+End", "a")
    saved(page)
    assert labels_of(tmp_path) == {name: true for name, _, true in wrong}
    press(page, "u")
    page.wait_for_selector("text=Undone: 50 tiles")
    assert not (tmp_path / "raw/labels.csv").exists()


def test_keys_relabel_leave_out_confirm_mark_and_undo(folder, serve, show):
    page = show(serve(folder))
    ids = page.evaluate("fetch('/api/tiles').then((one) => one.json()).then((one) => one.ids)")
    press(page, "4", "x", "Enter", "ArrowRight", "Delete", "Space", "ArrowRight", "Space", "7")
    saved(page)
    expected = {ids[0]: "4", ids[1]: "-", ids[2]: "2", ids[4]: "-", ids[5]: "7", ids[6]: "7"}
    assert labels_of(folder) == expected
    assert text_of(page, 0) == "4, was 0; raw/scans/page-000.png, row 0, column 0"
    assert text_of(page, 2).startswith("2, confirmed")
    assert text_of(page, 4).startswith("out, was 4")
    for key in ("u", "Control+z", "u", "u"):
        press(page, key)
        page.wait_for_timeout(150)
    assert labels_of(folder) == {ids[0]: "4"}
    press(page, "Home", "End")
    assert page.locator(".cell.at").get_attribute("id") == "item-59"


def test_words_are_typed_and_completed_and_their_letters_are_no_commands(tmp_path, serve, show):
    names = ("cat", "caterpillar", "x", EVIL)
    ids = write_project(tmp_path, classes=names)
    page = show(serve(tmp_path))
    press(page, "ArrowRight", "c")
    page.locator(".naming input").type("aterp")
    assert page.locator("#name-hint").inner_text() == "Enter: caterpillar"
    press(page, "Enter")
    saved(page)
    press(page, "x")  # a class of this project; to leave out is Delete
    saved(page)
    press(page, "/")
    page.locator(".naming input").type("<IMG")
    press(page, "Enter")
    saved(page)
    press(page, "Delete")
    saved(page)
    said = {one.id: one.label for one in read_overrides(tmp_path, names)}
    # ids[1] is a caterpillar already: confirmed
    assert said == {ids[1]: "caterpillar", ids[2]: "x", ids[3]: EVIL, ids[4]: "-"}
    assert page.title() == "Review · Bars and squares"
    assert page.locator("img").count() == 0


def test_mouse_and_touch_do_the_same(folder, serve, show):
    page = show(serve(folder), width=380, has_touch=True)
    ids = page.evaluate("fetch('/api/tiles').then((one) => one.json()).then((one) => one.ids)")
    page.locator("#item-1").tap()
    page.get_by_role("button", name="5", exact=True).tap()
    page.tap("text=More …")
    page.get_by_label("Mark several").check()
    page.locator("#item-3").tap()
    page.locator("#item-4").tap()
    page.get_by_role("button", name="Leave out 2 tiles").tap()
    saved(page)
    assert labels_of(folder) == {ids[1]: "5", ids[3]: "-", ids[4]: "-"}
    page.get_by_role("button", name="Undo").tap()
    page.wait_for_selector("text=Undone: 2 tiles")
    assert labels_of(folder) == {ids[1]: "5"}


# --- Others at work --------------------------------------------------------------------------


def test_two_pages_see_each_other_and_neither_overwrites(folder, serve, show):
    server = serve(folder)
    one, other = show(server), show(server)
    press(one, "4")
    saved(one)
    other.wait_for_selector("#item-0.changed")
    assert text_of(other, 0).startswith("4, was 0")
    path = folder / "raw/labels.csv"
    text = path.read_text()
    path.write_text(text.replace(",4\n", ",6\n"))
    press(other, "Home", "9")  # before it has heard of that
    other.wait_for_selector("#trouble:not([hidden])", state="attached")
    assert ",6\n" in path.read_text()
    one.wait_for_selector("#item-0[aria-label^='6']")


def test_a_file_that_is_broken_meanwhile_is_told_and_mended_goes_on(folder, serve, show):
    page = show(serve(folder))
    path = folder / "raw/labels.csv"
    path.write_text("source,label\nraw/scans/page-000.png,seven\n")
    page.wait_for_selector("#trouble >> text=line 2: 'seven'")
    path.unlink()
    page.wait_for_selector("#trouble", state="hidden")


def test_tiles_that_are_made_anew_keep_the_place_by_id(folder, serve, show):
    """Missing for a moment, then there with the correction and in another order."""
    page = show(serve(folder))
    ids = page.evaluate("fetch('/api/tiles').then((one) => one.json()).then((one) => one.ids)")
    press(page, "ArrowRight", "ArrowRight", "8")
    saved(page)
    assert page.locator(".facts dd >> nth=1").inner_text() == ids[3]
    tiles = folder / "processed/tiles.h5"
    tiles.unlink()
    page.wait_for_selector("#trouble >> text=made anew")
    labels = {name: CLASSES[n % 10] for n, name in enumerate(ids)} | {ids[2]: "8"}
    write_tiles(folder, [(name, labels[name]) for name in reversed(ids)], CLASSES)
    page.wait_for_selector("#trouble", state="hidden")
    page.wait_for_selector("text=Nothing waits")
    assert page.locator(".facts dd >> nth=1").inner_text() == ids[3]
    assert page.locator(".cell.at").get_attribute("id") == "item-56"


def test_what_is_done_while_dvc_reads_raw_is_saved_when_it_has(folder, serve, show):
    page = show(serve(folder))
    lock = folder / ".dvc/tmp/rwlock"
    lock.parent.mkdir(parents=True)
    readers = {str(folder / "raw"): [{"pid": os.getpid(), "cmd": "dvc repro"}]}
    lock.write_text(json.dumps({"read": readers, "write": {}}))
    press(page, "4", "5")
    page.wait_for_selector("text=dvc repro is reading raw/")
    assert text_of(page, 1).startswith("5, was 1")
    assert "2 corrections being saved" in page.locator("#waiting").inner_text()
    assert not (folder / "raw/labels.csv").exists()
    lock.write_text("{}")
    saved(page)
    assert list(labels_of(folder).values()) == ["4", "5"]


def test_a_page_of_other_settings_asks_to_be_loaded_again(folder, serve, show):
    page = show(serve(folder))
    params = folder / "params.yaml"
    params.write_text(params.read_text().replace("title: Bars", "title: Rods"))
    page.wait_for_selector("#trouble >> text=params.yaml was changed since: load this page again")
    page.reload()
    page.wait_for_selector("#title >> text=Rods and squares")
    page.wait_for_selector("#trouble", state="hidden")


def test_what_cannot_be_read_is_told_as_what_it_is(folder, serve, show):
    """That tiles are being made anew is said of tiles alone."""
    page = show(serve(folder))
    for bad, good, told in (
        (folder / "raw/boxes.csv", None, "raw/boxes.csv is a folder; it has to be a file"),
        (folder / "params.yaml", folder / "aside.yaml", "There is no params.yaml in"),
        (folder / "processed/tiles.h5", folder / "aside.h5", "The tiles are being made anew"),
    ):
        bad.rename(good) if good else bad.mkdir()
        page.wait_for_selector(f"#trouble >> text=/^{told}/")
        good.rename(bad) if good else bad.rmdir()
        page.wait_for_selector("#trouble", state="hidden")


def test_before_there_are_tiles_it_says_what_makes_them_and_waits(folder, serve, browser):
    tiles = folder / "processed/tiles.h5"
    tiles.rename(folder / "aside.h5")
    page = browser.new_page()
    page.goto(serve(folder).address)
    page.wait_for_selector("#trouble >> text=Make it with: prep normalise")
    (folder / "aside.h5").rename(tiles)
    page.wait_for_selector("#item-0")
    page.wait_for_selector("#trouble", state="hidden")
    page.close()


def test_a_server_that_is_gone_is_told(folder, serve, show):
    server = serve(folder)
    page = show(server)
    server.stop()
    page.wait_for_selector("#trouble >> text=prep review does not answer")


def test_a_server_that_was_started_anew_is_told_as_such(folder, serve, show):
    first = serve(folder)
    page = show(first)
    first.stop()
    page.wait_for_selector("#trouble:has-text('does not answer')")
    serve(folder, port=first.port)
    page.wait_for_selector("#trouble:has-text('was started anew since')")


def test_where_there_is_little_room_the_filters_are_behind_a_button(folder, serve, show):
    page = show(serve(folder), width=380)
    for view, hidden in (("Tiles", "Class"), ("Rows", "Rows with labels too")):
        page.click(f"nav >> text={view}")
        other = page.get_by_label(hidden, exact=True)
        assert other.is_hidden()
        page.click("text=More …")
        assert other.is_visible()
        assert page.locator(".filters").evaluate("(one) => one.scrollWidth <= one.clientWidth")
        page.click("text=Less")
        assert other.is_hidden()


def test_an_empty_name_is_asked_for_and_a_wrong_one_is_told(tmp_path, serve, show):
    write_project(tmp_path, classes=("cat", "dog", "donkey"))
    page = show(serve(tmp_path))
    press(page, "/")
    hint = page.locator("#name-hint")
    becomes(page, hint.inner_text, "Type the first letters of a class.")
    press(page, "d")
    becomes(page, hint.inner_text, "Enter: dog")
    press(page, "x")
    becomes(page, hint.inner_text, "No class begins like that.")


# --- For everybody --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "scheme"), [(380, "light"), (380, "dark"), (1600, "light"), (1600, "dark")]
)
def test_axe_finds_nothing_serious(folder, serve, show, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    ids = write_project(folder, tiles=60, classes=CLASSES)
    write_suspects(folder, [(ids[n], CLASSES[n], CLASSES[9 - n]) for n in range(9)])
    page = show(serve(folder), width=width, scheme=scheme)
    press(page, "a", "x", "Enter", "Space")
    saved(page)
    page.wait_for_timeout(400)
    for look in ("the page", "the help"):
        if look == "the help":
            press(page, "?")
        found = axe.Axe().run(page).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert [(one["id"], one["nodes"][0]["html"]) for one in serious] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_by_keyboard_alone_everything_is_reached(folder, serve, show):
    page = show(serve(folder))
    reached = set()
    for _ in range(60):
        press(page, "Tab")
        reached.add(page.evaluate("document.activeElement.textContent"))
    assert {"Undo", "Keys"} & reached
    assert any(text.startswith("Leave out") for text in reached)
    assert any(text.startswith("Confirm") for text in reached)
    press(page, "Escape")
    page.locator(".grid").focus()
    press(page, "?")
    assert page.locator("dialog").is_visible()
    press(page, "Escape")
    assert not page.locator("dialog").is_visible()


def test_sixty_thousand_tiles_are_there_at_once(tmp_path, serve, show):
    """Only those in sight are drawn, wherever one scrolls to."""
    write_project(tmp_path, tiles=60_000, pages=600, classes=CLASSES)
    page = show(serve(tmp_path))
    assert page.locator("output").inner_text() == "60,000 tiles"
    for share in (0.5, 1, 0.01):
        page.evaluate(
            f"const g = document.querySelector('.grid'); g.scrollTop = {share} * g.scrollHeight"
        )
        page.wait_for_selector(".cell .picture:not([style*=sheet])", state="detached")
        assert page.locator(".cell").count() < 400
    press(page, "End", "3")
    saved(page)
    assert list(labels_of(tmp_path).values()) == ["3"]


def test_the_place_on_its_page_is_shown(folder, serve, show):
    page = show(serve(folder))
    page.wait_for_selector(".context image")
    address = page.locator(".context image").get_attribute("href")
    answer = page.request.get(server_of(page) + address)
    assert answer.headers["content-type"] == "image/jpeg"


def server_of(page):
    return page.evaluate("location.origin")


def test_filters_leave_what_was_chosen(folder, serve, show):
    page = show(serve(folder))
    page.get_by_label("Class", exact=True).select_option("=7")
    assert page.locator("output").inner_text() == "6 tiles"
    page.get_by_label("Page", exact=True).select_option("p1")
    assert page.locator("output").inner_text() == "2 tiles"
    page.locator(".grid").focus()
    press(page, "5")
    saved(page)
    page.get_by_label("Class", exact=True).select_option("=5")
    assert page.locator("output").inner_text() == "3 tiles"
    assert Path(folder / "raw/labels.csv").exists()
