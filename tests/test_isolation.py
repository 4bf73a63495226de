"""Work in processes that may die: one item is lost, and it is known which and why."""

import os
import subprocess
import sys
import time
from functools import partial
from multiprocessing import active_children
from pathlib import Path

import hostile_work
import pytest

from pipeline.errors import DataError
from pipeline.isolation import Death, map_isolated


@pytest.fixture
def left_over():
    """Return the processes that the test has started and that are still there."""
    before = set(active_children())  # joblib's, of an earlier test
    return lambda: set(active_children()) - before


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_isolated_work_is_in_order_and_elsewhere(jobs, left_over):
    results = list(map_isolated(hostile_work.meet, list(map(str, range(70))), jobs))
    assert [item for item, _ in results] == [str(number) for number in range(70)]
    processes = {process for _, process in results}
    assert os.getpid() not in processes and 1 <= len(processes) <= jobs
    assert not left_over()


def test_no_items_need_no_process():
    assert list(map_isolated(hostile_work.meet, [])) == []


@pytest.mark.parametrize(
    ("item", "how"),
    [
        ("crash", "SIGSEGV"),
        ("leave", "exit code 7"),
        ("killed", "SIGKILL"),
        ("asleep", "SIGALRM"),
        ("busy", "SIGALRM"),
    ],
)
def test_a_death_costs_one_item(item, how):
    items = [*"abcdef", item, *"ghijkl", item]
    results = list(map_isolated(hostile_work.meet, items, jobs=2))
    deaths = [str(result) for result in results if isinstance(result, Death)]
    assert deaths == [how, how]
    assert [r if isinstance(r, Death) else r[0] for r in results] == [
        results[6] if name == item else name for name in items
    ]
    assert results[6].out_of_time == (how == "SIGALRM")


@pytest.mark.skipif(sys.platform != "linux", reason="this system does not count data")
def test_more_memory_than_allowed_is_refused():
    assert list(map_isolated(hostile_work.eat, [50, 200, 50], jobs=1)) == [
        "50 MB", "refused", "50 MB",
    ]  # fmt: skip


def test_a_process_killed_by_chance_costs_nothing(tmp_path):
    work = partial(hostile_work.die_the_first_time, tmp_path)
    assert list(map_isolated(work, range(20), jobs=2)) == list(range(20))
    assert len(list(tmp_path.iterdir())) == 7


def test_an_error_in_an_isolated_process_comes_back(left_over):
    results = map_isolated(hostile_work.refuse_seven, range(20), jobs=2)
    assert [next(results) for _ in range(7)] == list(range(7))
    with pytest.raises(DataError, match="seven is no good") as error:
        next(results)
    assert "in refuse_seven" in error.value.__notes__[0], "it says where it was raised"
    assert not left_over()


def test_processes_end_with_who_asked_for_them(left_over):
    results = map_isolated(hostile_work.meet, [*"ab", "asleep"], jobs=2)
    next(results)
    assert left_over()
    results.close()
    assert not left_over()


def test_processes_that_do_not_start_are_an_error():
    with pytest.raises(DataError, match=r"do not start \(exit code 3\)"):
        list(map_isolated(hostile_work.Unwelcome(), [1, 2, 3], jobs=1))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_workers_end_with_the_process_that_asked_for_the_work(tmp_path):
    """Killed, it can stop nobody; the work would go on for minutes."""
    script = (
        "import hostile_work\n"
        "from pipeline.isolation import map_isolated\n"
        f"list(map_isolated(hostile_work.report_and_wait, [{str(tmp_path)!r}] * 2, 2, 1))\n"
    )
    asker = subprocess.Popen([sys.executable, "-c", script], env=os.environ
                             | {"PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip
    while len(found := list(tmp_path.iterdir())) < 2:
        assert asker.poll() is None
        time.sleep(0.05)
    asker.kill()
    asker.wait()
    workers = [int(path.name) for path in found]
    patience = time.monotonic() + 30
    while any(is_running(worker) for worker in workers):
        assert time.monotonic() < patience, "they go on"
        time.sleep(0.05)


def is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # One that has ended and that nobody has asked for is there in name only.
    return " Z " not in Path(f"/proc/{process}/stat").read_text().split(")")[1][:3]
