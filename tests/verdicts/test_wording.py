"""Every number is written in one way, wherever it stands."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.verdicts.wording import (
    write_difference,
    write_interval,
    write_mean,
    write_p,
    write_percent,
    write_visible,
)


@pytest.mark.parametrize(
    ("share", "written"),
    [
        (0.0, "0.0"),
        (-0.0, "0.0"),
        (-0.0003, "−0.03"),
        (0.0003, "+0.03"),
        (-0.00003, "0.0"),
        (-0.051, "−5.1"),
        (0.0384, "+3.8"),
        (-0.00096, "−0.10"),
        (1.0, "+100.0"),
    ],
)
def test_a_difference_has_its_sign_and_nothing_has_none(share, written):
    assert write_difference(share) == written


def test_what_is_not_known_is_not_written():
    assert write_percent(None) == write_interval(None, 0.1) == write_p(None) == ""
    assert write_visible(None) == write_visible(0.0) == ""
    assert write_mean(0.5, None) == "50.0"


def test_the_same_number_reads_the_same_in_a_mean_a_difference_and_an_interval():
    assert write_mean(0.95125, 0.0004) == "95.1 ± 0.04"
    assert write_interval(-0.0004, 0.031) == "[−0.04, +3.1]"
    assert write_visible(0.117) == "11.7"
    assert write_visible(1.2) == "over 100"
    assert (write_p(0.0004), write_p(0.0351)) == ("< 0.001", "0.035")


@given(st.floats(-1, 1))
def test_what_is_written_reads_back_and_zero_is_never_negative(share):
    written = write_difference(share)
    assert math.isclose(float(written.replace("−", "-")), 100 * share, abs_tol=0.0501)
    assert "-" not in written
    assert float(written.replace("−", "-")) != 0 or written == "0.0"
