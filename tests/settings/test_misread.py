"""Names that YAML takes for something else: told as they stand in the file, with what they become.

What each is read as is what PyYAML itself makes of it; written here by hand.
"""

import pytest

from pipeline.errors import DataError
from pipeline.settings.loading import load_params

TEXT = """\
sources:
  - {{path: {path}, layout: whole}}
classes: [{name}, x]
augment: {{{op}: {{transform: flip}}}}
experiments:
  none: {{}}
  some: {{ops: ['flip'], classes: {chosen}}}
compare: {{questions: {asked}}}
report: {{title: {title}}}
"""
USUAL = {
    "path": "raw/a", "name": "y", "op": "flip", "chosen": "[x]", "asked": "[]", "title": "t",
}  # fmt: skip


@pytest.fixture
def load(tmp_path):
    def load_with(**changes):
        path = tmp_path / "params.yaml"
        path.write_text(TEXT.format(**USUAL | changes), encoding="utf-8")
        return load_params(path)

    return load_with


@pytest.mark.parametrize(
    "name, meaning",
    [
        ("010", "the number 8"),
        ("00", "the number 0"),
        ("1_0", "the number 10"),
        ("0x41", "the number 65"),
        ("0b11", "the number 3"),
        ("12:30", "the number 750"),
        ("+5", "the number 5"),
        ("-0", "the number 0"),
        ("1.50", "the number 1.5"),
        ("no", "false"),
        ("Yes", "true"),
        ("OFF", "false"),
        ("2024-01-01", "a date"),
        ("2024-99-99", "a date"),
        ("~", "nothing"),
        ("null", "nothing"),
        ("=", "a sign of YAML's own"),
    ],
)
def test_a_class_that_is_not_read_as_written_is_told_and_put_in_quotes_it_is_read(
    load, name, meaning
):
    with pytest.raises(DataError) as error:
        load(name=name)
    told = f"{name} is read as {meaning}; put it in quotes, as in '{name}'"
    assert str(error.value) == f"params.yaml: classes (line 3): {told}"
    assert load(name=f"'{name}'").classes == (name, "x")


def test_a_class_that_would_be_a_hidden_file_is_not_the_cure(load):
    with pytest.raises(DataError, match=r"\.5 is read as the number 0\.5; .*quotes, as in '0\.5'"):
        load(name=".5")
    assert load(name="'0.5'").classes == ("0.5", "x")


@pytest.mark.parametrize("name", ["7", "-5", "1234567890123", "1e3", "0o7", "08", "y", "a:b", "№1"])
def test_what_is_read_as_it_is_written_needs_no_quotes(load, name):
    assert load(name=name).classes == (name, "x")


@pytest.mark.parametrize(
    "changes, place",
    [
        ({"chosen": "[x, 010]"}, "experiments.some.classes (line 7)"),
        ({"chosen": "{flip: [x, 010]}"}, "experiments.some.classes.flip (line 7)"),
        ({"chosen": "{010: [x]}"}, "experiments.some.classes (line 7)"),
        ({"asked": "[{experiment: some, class: 010}]"}, "compare.questions.class (line 8)"),
        ({"asked": "[{experiment: 010, class: x}]"}, "compare.questions.experiment (line 8)"),
        ({"op": "010"}, "augment (line 4)"),
        ({"path": "010"}, "sources.path (line 2)"),
        ({"title": "010"}, "report.title (line 9)"),
    ],
)
def test_so_it_is_wherever_a_name_stands(load, changes, place):
    with pytest.raises(DataError) as error:
        load(**changes)
    told = "010 is read as the number 8; put it in quotes, as in '010'"
    assert str(error.value) == f"params.yaml: {place}: {told}"


@pytest.mark.parametrize("op", ["1e3", "08", "0o7"])
def test_an_op_that_only_dvc_takes_for_a_number_is_told_too(load, op):
    """Prep would know it, but `dvc repro` would find nothing to do for it, and say nothing."""
    with pytest.raises(DataError, match=rf"augment \(line 4\): {op} is read as a number by DVC"):
        load(op=op)
    assert load(op=f"flip: {{}}, '{op}'").augment[op].name == op


def test_an_alias_is_told_where_a_name_is_wanted_and_an_empty_entry_as_such(load):
    with pytest.raises(DataError, match=r"classes \(line 3\): 010 is read as"):
        load(name="&it 010", chosen="[*it]")
    with pytest.raises(DataError, match=r"params\.yaml: classes\.0: an entry is empty"):
        load(name='!!null ""')


def test_of_many_such_names_some_are_told_and_the_rest_counted(load):
    with pytest.raises(DataError) as error:
        load(name=", ".join(f"{number:04o}" for number in range(30)))
    lines = str(error.value).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "params.yaml: 20 names more like that"
