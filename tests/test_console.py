"""What is printed: nothing hides in a name, nothing moves without a terminal."""

import pytest

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
