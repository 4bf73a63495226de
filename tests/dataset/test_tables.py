"""CSV tables: what is written comes back, whatever a name holds; what is no table is an error."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dataset.tables import read_table, write_table
from pipeline.errors import DataError

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"))


@given(rows=st.lists(st.fixed_dictionaries({"id": NAMES, "label": NAMES}), max_size=8))
@settings(max_examples=60)
def test_any_text_comes_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    write_table(path, ("id", "label"), rows)
    assert read_table(path, ("id", "label")) == rows


def test_pandas_reads_the_same_and_lines_end_alike_everywhere(tmp_path):
    write_table(tmp_path / "t.csv", ("a", "b"), [{"a": 1, "b": 'x,"y"'}, {"a": 2}])
    assert (tmp_path / "t.csv").read_bytes() == b'a,b\n1,"x,""y"""\n2,\n'
    table = pd.read_csv(tmp_path / "t.csv", keep_default_na=False)
    assert table.to_dict("records") == [{"a": 1, "b": 'x,"y"'}, {"a": 2, "b": ""}]


def test_missing_columns_are_named(tmp_path):
    write_table(tmp_path / "t.csv", ("id",), [])
    with pytest.raises(DataError, match=r"t\.csv lacks the columns label, group"):
        read_table(tmp_path / "t.csv", ("id", "label", "group"))


def test_what_is_no_text_is_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00id")
    with pytest.raises(DataError, match="no CSV table"):
        read_table(tmp_path / "t.csv", ("id",))
