"""Killed in the middle, a stage leaves nothing that looks whole and is not.

The short form of benchmarks/kills.py: here each stage dies at a rename, where most could go wrong.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import DATA_STAGES, digests

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals"),
]

# Die before the n-th rename, or after it.
DYING = """
import os, signal, sys
from pathlib import Path

replace, left, when = Path.replace, int(sys.argv.pop()), sys.argv.pop()

def dying(self, target):
    global left
    left -= 1
    if left == 0 and when == "after":
        replace(self, target)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)

Path.replace = dying
from pipeline.cli import main
main()
"""

# Write half a file and half a folder, with two processes at work, until a signal comes.
WAITING = """
import sys, time
from pipeline import parallel
from pipeline.atomic import whole_file, whole_folder
from pipeline.stages import balance

def wait(project, params):
    with whole_file(project.output("x.csv")) as part, whole_folder(project.output("f")) as folder:
        for path in (part, folder / "page.jpg"):
            path.write_text("half")
        parallel.PATIENCE = 0.0
        for _ in parallel.map_in_order(time.sleep, [0, 0, 0.1, 0.1, 60, 60], jobs=2):
            print("at work", flush=True)

balance.balance = wait
if __name__ == "__main__":
    from pipeline.__main__ import main
    main()
"""


def run_stage(project, stage):
    command = [sys.executable, "-m", "pipeline", stage, "-q"]
    subprocess.run(command, cwd=project, check=True)


@pytest.mark.parametrize(
    ("stage", "when", "rename"),
    [
        ("segment", "before", 1),  # the old overlays are still in their place
        ("segment", "after", 4),
        ("normalise", "after", 2),  # the old folder is out of the way, the new one not there yet
        ("augment", "before", 3),
        ("plan", "before", 2),
    ],
)
def test_killed_at_a_rename_and_run_again_it_is_as_if_nothing_had_been(
    project, prep, stage, when, rename
):
    for name in DATA_STAGES[: DATA_STAGES.index(stage) + 1]:
        assert prep(name, "-q") == (0, "", "")
    undisturbed = digests(project)
    command = [sys.executable, "-c", DYING, stage, when, str(rename)]
    assert subprocess.run(command, cwd=project, check=False).returncode == -signal.SIGKILL
    left = digests(project)
    whole = {name: digest for name, digest in left.items() if ".part-" not in name}
    assert whole.items() <= undisturbed.items()
    assert any(project.rglob(".part-*")) or when == "after"
    run_stage(project, stage)
    assert digests(project) == undisturbed


def start_waiting(project):
    """Start a stage that is in the middle of its work, with two processes, when this returns."""
    script = project / "waiting.py"
    script.write_text(WAITING, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, script, "balance"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    for _ in range(4):
        assert process.stdout.readline() == "at work\n"
    return process


def session(number):
    """Return the living processes of a session (Linux)."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, its_session = path.read_text().rsplit(")")[-1].split()[:4]
            if int(its_session) == number and state != "Z":
                found.add(int(path.parent.name))
    return found


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
@pytest.mark.parametrize("whom", [os.kill, os.killpg], ids=["alone", "group"])
def test_a_signal_ends_all_at_once_with_one_line_and_leaves_nothing(project, number, code, whom):
    process = start_waiting(project)
    assert len(digests(project / "processed")) == 2
    start = time.monotonic()
    whom(process.pid, number)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (code, "Stopped.\n")
    assert time.monotonic() - start < 2
    assert digests(project / "processed") == {}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux for its processes")
def test_killed_the_processes_that_it_had_started_end_too(project):
    process = start_waiting(project)
    others = session(process.pid) - {process.pid}
    assert len(others) >= 2
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while session(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert session(process.pid) == set()
    process.stdout.close()
    process.stderr.close()


def test_a_stop_ends_it_even_when_nobody_is_left_to_read_the_line():
    """As with Ctrl-C in `prep ... 2>&1 | tee log`, where tee is gone first."""
    code = (
        "import os, signal, time; from pipeline.stopping import end_at_once_from_now_on\n"
        "end_at_once_from_now_on(); os.kill(os.getpid(), signal.SIGINT); time.sleep(60)"
    )
    read, write = os.pipe()
    os.close(read)
    assert subprocess.run([sys.executable, "-c", code], stderr=write, check=False).returncode == 130
    os.close(write)
