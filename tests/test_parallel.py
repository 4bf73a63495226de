"""Work over processes: the same results in the same order, whatever their number."""

import os
import signal
import time
from collections import defaultdict

import pytest

from pipeline import parallel
from pipeline.errors import DataError
from pipeline.parallel import map_in_order


def square_slowly(number):
    time.sleep(0.01 * (number % 3))
    return number**2, os.getpid()


def fail_at_seven(number):
    if number == 7:
        raise DataError("seven is no good")
    return number


@pytest.fixture(autouse=True)
def _no_processes_yet(monkeypatch):
    monkeypatch.setattr(parallel, "_spent", defaultdict(float))


def test_quick_work_stays_in_this_process():
    results = list(map_in_order(square_slowly, range(9), jobs=2))
    assert results == [(n**2, os.getpid()) for n in range(9)]


def test_long_work_is_shared_and_stays_in_order(monkeypatch):
    monkeypatch.setattr(parallel, "PATIENCE", 0.0)
    results = list(map_in_order(square_slowly, range(40), jobs=2))
    assert [square for square, _ in results] == [n**2 for n in range(40)]
    assert len({process for _, process in results}) > 1


def test_patience_is_for_all_work_together(monkeypatch):
    monkeypatch.setattr(parallel, "PATIENCE", 0.05)  # seconds: more than one of these takes
    for _ in range(4):
        results = list(map_in_order(square_slowly, range(4), jobs=2))
    assert {process for _, process in results}.isdisjoint({os.getpid()})


def test_an_error_in_another_process_comes_back(monkeypatch):
    monkeypatch.setattr(parallel, "PATIENCE", 0.0)
    with pytest.raises(DataError, match="seven is no good"):
        list(map_in_order(fail_at_seven, range(20), jobs=2))


def die_of_hunger(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_process_that_the_system_ends_is_told(monkeypatch):
    monkeypatch.setitem(parallel._spent, 2, 60)  # work that takes its time
    with pytest.raises(DataError, match=r"as it does when memory runs out\. .*--jobs 1"):
        list(map_in_order(die_of_hunger, range(4), jobs=2))
