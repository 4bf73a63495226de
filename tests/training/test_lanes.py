"""How many trainings run at once: bounded by processors, memory and what there is to do."""

from pathlib import Path

import pytest

from pipeline.training import lanes


@pytest.fixture
def machine(monkeypatch):
    """Pretend to be a machine with so many processors and so much free memory."""

    def pretend(processors, free):
        monkeypatch.setattr("joblib.cpu_count", lambda: processors)
        monkeypatch.setattr(lanes, "find_free_memory", lambda: free)
        monkeypatch.setattr(lanes, "CARD", Path("/no/such/card"))

    return pretend


@pytest.mark.parametrize(
    ("processors", "free", "jobs", "runs", "expected"),
    [
        (4, 50_000, None, 48, 4),
        (4, 50_000, None, 3, 3),  # no more than there are runs
        (4, 50_000, None, 0, 1),
        (4, 50_000, 9, 48, 9),  # what was asked for
        (8, 3_000, None, 48, 3),  # (3,000 - 512) / 800
        (8, 500, None, 48, 1),  # one at least
        (8, 500, 2, 48, 2),
        (2, None, None, 48, 2),  # not known
    ],
)
def test_as_many_as_there_is_room_for(machine, processors, free, jobs, runs, expected):
    machine(processors, free)
    assert lanes.count_lanes(jobs, runs, 512) == expected


def test_a_graphics_card_is_not_shared(machine, monkeypatch, tmp_path):
    machine(4, 50_000)
    monkeypatch.setattr(lanes, "CARD", tmp_path)
    assert lanes.count_lanes(None, 48, 512) == 1
    assert lanes.count_lanes(3, 48, 512) == 3


def test_free_memory_is_what_the_machine_and_the_container_leave(tmp_path):
    said = tmp_path / "meminfo"
    said.write_text("MemTotal:  16000000 kB\nMemAvailable:    8000000 kB\n")
    assert lanes.read_machine(said) == pytest.approx(8192)
    assert lanes.read_machine(tmp_path / "none") is None
    for name, text in (("max", "4000000000"), ("current", "1500000000"),
                       ("stat", "anon 5\ninactive_file 500000000\n")):  # fmt: skip
        (tmp_path / f"memory.{name}").write_text(text)
    assert lanes.read_group(tmp_path) == pytest.approx(3000)
    (tmp_path / "memory.max").write_text("max\n")
    assert lanes.read_group(tmp_path) is None
    assert lanes.read_group(tmp_path / "none") is None
