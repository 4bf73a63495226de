"""What is printed: nothing hides in a name, nothing moves without a terminal."""

import io
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipeline import console


@pytest.fixture(autouse=True)
def not_quiet(monkeypatch):
    monkeypatch.setattr(console.out, "quiet", False)


def test_control_characters_and_markup_are_shown_as_they_are(capsys):
    console.say("a\x1b[31mb [red]c[/red] \u202etxt.exe")
    assert capsys.readouterr().out == "a\\x1b[31mb [red]c[/red] \\u202etxt.exe\n"


def test_errors_go_to_the_other_stream(capsys):
    console.fail("no [bold] way")
    assert capsys.readouterr() == ("", "Error: no [bold] way\n")


def test_progress_is_silent_without_a_terminal(capsys):
    assert list(console.track([1, 2], "work")) == [1, 2]
    with console.progress("work", 2) as advance:
        advance()
    assert capsys.readouterr() == ("", "")


def test_quiet_silences_all_but_errors(capsys, monkeypatch):
    console.be_quiet()
    console.say("made")
    console.show("table", ["a"], [["1"]])
    console.fail("wrong")
    assert capsys.readouterr() == ("", "Error: wrong\n")


def test_a_wide_table_is_not_cut_without_a_terminal(capsys):
    console.show("title", ["name", *"abcdefgh"], [["row", *["x" * 30] * 8]])
    assert capsys.readouterr().out.count("x" * 30) == 8


# --- tables on a narrow terminal -------------------------------------------------------------


@pytest.fixture
def narrow(monkeypatch):
    """Make `show` believe in a terminal so many columns wide; return what it printed."""

    def show(width, columns, rows):
        terminal = Console(width=width, force_terminal=True, color_system=None, record=True,
                           file=io.StringIO())  # fmt: skip
        monkeypatch.setattr(console, "out", terminal)
        console.show("title", columns, rows)
        return terminal.export_text().splitlines()

    return show


def test_cells_wrap_between_words_and_the_widest_gives_way_first(narrow):
    rows = [["flip", "97.6", "one two three four"]]
    shown = narrow(26, ["experiment", "accuracy", "what it says"], rows)
    assert max(map(len, shown)) <= 26
    words = " ".join(shown).split()
    for word in ("experiment", "accuracy", "three", "97.6"):
        assert word in words


def test_columns_that_do_not_fit_are_dealt_to_tables_below_each_other(narrow):
    shown = narrow(30, ["experiment", *"abcdef"], [["flip", *["+12.345"] * 6]])
    heads = [line.split() for line in shown if line.startswith("experiment")]
    assert heads == [["experiment", "a", "b"], ["experiment", "c", "d"], ["experiment", "e", "f"]]
    assert sum(line.count("+12.345") for line in shown) == 6
    assert sum(line.startswith("flip") for line in shown) == 3


def test_a_word_that_is_wider_than_the_terminal_is_folded_and_not_cut(narrow):
    shown = narrow(20, ["name", "file"], [["a", "x" * 50]])
    assert sum(line.count("x") for line in shown) == 50


def test_a_long_name_gives_way_before_a_number_is_torn(narrow):
    name = "flip-of-every-cat-that-looks-to-the-left-and-has-long-whiskers"
    shown = narrow(40, ["experiment", "accuracy", "difference"], [[name, "97.64", "+12.345"]])
    assert max(map(len, shown)) <= 40
    numbers = " ".join(shown).split()
    assert numbers.count("97.64") == numbers.count("+12.345") == 1


@given(
    st.integers(20, 100),
    st.lists(st.lists(st.text("abc ", min_size=1, max_size=30), min_size=4, max_size=4)),
)
def test_nothing_is_lost_in_any_terminal(width, rows):
    terminal = Console(width=width, force_terminal=True, color_system=None, record=True,
                       file=io.StringIO())  # fmt: skip
    before, console.out = console.out, terminal
    try:
        console.show("title", ["first", "second", "third", "fourth"], rows)
    finally:
        console.out = before
    shown = terminal.export_text()
    cells = [cell for row in rows for cell in row[1:]]
    for letter in "ab":  # c, d and all else stand in the heads too
        assert shown.count(letter) >= sum(cell.count(letter) for cell in cells)


# --- one bar for all of a long work ------------------------------------------------------------


def test_a_bar_says_which_run_it_is_and_how_long_the_rest_will_take(monkeypatch):
    """A quarter is done after twenty seconds: a minute is left."""
    shown = io.StringIO()
    terminal = Console(width=80, force_terminal=True, color_system=None, file=shown)
    monkeypatch.setattr(console, "out", terminal)
    clock = iter([0.0, *[20.0] * 1000])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    asked = threading.Event()

    def tell():
        if len(calls) > 1:
            asked.set()
        calls.append(1)
        return 250.0, "run 3 of 12"

    calls = []
    with console.watch(tell, 1000):
        assert asked.wait(30)
    assert "run 3 of 12" in shown.getvalue()
    assert "about 60 s left" in shown.getvalue()


def test_without_a_terminal_nobody_is_asked(capsys):
    with console.watch(lambda: pytest.fail("asked"), 1000):
        pass
    assert capsys.readouterr() == ("", "")
