"""Output in any encoding: nothing ends for a sign that it lacks, and numbers stay what they are."""

import io
import sys

import pytest
from conftest import run_to, write_params

from pipeline import console
from pipeline.signs import spell_out_from_now_on


@pytest.fixture
def pipe(monkeypatch):
    """Make the output a pipe of an encoding; return what reads what came through."""

    def lay(encoding):
        raw = io.BytesIO()
        for name in ("stdout", "stderr"):
            stream = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
            monkeypatch.setattr(sys, name, stream)
        monkeypatch.setattr(console.out, "quiet", False)
        return lambda: raw.getvalue().decode(encoding)

    return lay


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("utf-8", "−1.2 ≥ ± ▲ ü 漢"),
        ("cp1252", r"-1.2 >= ± ^ ü \u6f22"),
        ("latin-1", r"-1.2 >= ± ^ ü \u6f22"),
        ("cp437", r"-1.2 ≥ ± ^ ü \u6f22"),
        ("ascii", r"-1.2 >= +- ^ \xfc \u6f22"),
        ("cp1251", r"-1.2 >= ± ^ \xfc \u6f22"),
    ],
)
def test_what_an_encoding_lacks_is_spelled_out_and_the_rest_stays(pipe, encoding, expected):
    read = pipe(encoding)
    spell_out_from_now_on()
    for print_line in (console.say, console.warn, console.fail, console.emit):
        print_line("−1.2 ≥ ± ▲ ü 漢")
    console.show("− ▼", ["a"], [["−1.2 ≥ ± ▲ ü 漢"]])
    assert read().count(expected) == 5


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_names_that_are_no_text_are_shown_in_any_encoding(pipe, encoding):
    read = pipe(encoding)
    spell_out_from_now_on()
    console.fail("no file b\udcff.png")
    console.emit("b\udcff.png\n")
    assert read() == "Error: no file b\\udcff.png\nb\\udcff.png\n"


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize("words", [("plan",), ("no\udcff",), ("show", "ü≥.h5"), ("-h",)])
def test_no_command_ends_for_a_sign(project, prep, pipe, monkeypatch, encoding, words):
    from pipeline import cli

    run_to(prep, "augment")
    write_params(project, compare={"margin": 0.05})
    read = pipe(encoding)
    monkeypatch.setattr(sys, "argv", ["prep", *words])
    with pytest.raises(SystemExit):
        cli.main()
    assert len(read()) > 10
