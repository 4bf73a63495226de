"""Kill each stage at any moment: does `dvc repro` always put everything right again?

    python benchmarks/kills.py [--kills 20] [--seed 0] [--without-dvc] [STAGE ...]

On a tiny project, each stage is killed (SIGKILL) at moments spread over its duration, four times in
a row: `prep` alone, `prep` with its worker processes, `dvc repro` with all that it started, and
`dvc` alone, whose stage goes on beside the next `dvc repro`. When `prep` was killed, what stands in
its place has to be whole (what DVC was removing when it was killed may be half gone). Then comes
`dvc repro`, and the project has to hold the same files with the same content as an undisturbed one,
no more and no fewer (of a .keras file the weights and layers count, and what
trainings took does not).

With --without-dvc only `prep` is killed, and `prep` itself puts right what it left, which takes a
tenth of the time.
"""

import argparse
import hashlib
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from collections import Counter
from contextlib import suppress
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import dvc.cli

import pipeline.__main__
from pipeline.commands.init import init_project
from pipeline.notes import NOTES

# The tests make tiny projects too.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from conftest import write_params, write_pictures

FORK = get_context("fork")

WAYS = ("prep alone", "prep with its workers", "dvc repro with its stage", "dvc alone")

# In the report.
DURATIONS = re.compile(
    rb'</td><td data-value="[\d.]+">[\d.]+</td>\s*<td data-value="[\d.]+">[\d,]+</td></tr>'
    rb"|<dt>time spent training</dt>.*"
)

# Files that DVC empties before it writes them, and what it says when it was killed in between; a
# person has to delete them then, too.
EMPTIED = {
    "dvc.lock": "dvc.lock' validation failed",
    ".dvc/tmp/rwlock": "Unable to read RWLock-file",
}

# What each stage writes; a folder that ends with / appears as a whole.
STAGES = {
    "sample": ("raw/sample/",),
    "ingest": ("processed/catalogue.csv",),
    "segment": (
        "processed/boxes.csv", "processed/glyphs.h5", "processed/quarantine.csv",
        "processed/overlays/",
    ),
    "normalise": ("processed/tiles.h5", "processed/contact/"),
    "balance": ("processed/balanced.csv",),
    "split": ("processed/split.csv",),
    "augment@rotate": ("processed/augmented/rotate",),
    "plan": ("processed/experiments/",),
    "train": ("processed/runs/none/fold-0/seed-0/", "processed/scores/none/"),
    "compare": ("processed/ablation.csv", "processed/ablation.json", "processed/ablation.md"),
    "report": ("processed/report/",),
}  # fmt: skip


def make_project(folder: Path, sample: bool) -> None:
    """Make a project with a few pictures and three small experiments, or the default one."""
    init_project(folder, "blank")
    if sample:
        for name in ("params.yaml", "dvc.yaml"):
            shutil.copy(Path(__file__).parents[1] / name, folder)
    else:
        write_params(folder)
        for name in ("first", "second"):
            shutil.rmtree(folder / "raw/pictures" / name, ignore_errors=True)
        write_pictures(folder)


def environment(temporary: Path) -> dict[str, str]:
    """Return the environment of a command: `prep` and `dvc` beside this Python, an own /tmp."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "TMPDIR": str(temporary)}


class Storm:
    """A project, what it holds when nothing disturbs it, and what came of killing it."""

    def __init__(self, folder: Path, last: str, with_dvc: bool) -> None:
        self.folder = folder
        self.last = last  # the stage that undisturbed work ends with
        self.with_dvc = with_dvc
        self.ways = WAYS if with_dvc else WAYS[:2]
        self.temporary = folder.parent / f"{folder.name}-tmp"
        self.temporary.mkdir()
        self.environment = environment(self.temporary)
        make_project(folder, sample=last == "sample")
        self.outcomes: Counter[str] = Counter()
        self.faults: list[str] = []
        self.make_all()
        self.whole = contents(folder)

    def make_all(self) -> None:
        """Bring everything up to the last stage up to date."""
        if self.with_dvc:
            self.run(["dvc", "repro", *stages_up_to(self.last)])  # no stage needs compare's table
        else:
            for name in dict.fromkeys(stage.partition("@")[0] for stage in stages_up_to(self.last)):
                self.run(["prep", name])

    def make(self, stage: str) -> str:
        """Bring a stage up to date and return what was printed."""
        return self.run(["dvc", "repro", stage] if self.with_dvc else command_of(stage, WAYS[0]))

    def start(self, command: list[str]) -> BaseProcess:
        """Start a command in a session of its own; what it prints goes to `printed`."""
        process = FORK.Process(target=run_command, args=(self, command))
        process.start()
        return process

    @property
    def printed(self) -> Path:
        """Where the last command printed to."""
        return self.temporary / "printed.txt"

    def run(self, command: list[str]) -> str:
        """Run a command to its end and return what it printed."""
        process = self.start(command)
        process.join()
        text = self.printed.read_text(encoding="utf-8", errors="replace")
        for name, said in EMPTIED.items():
            if process.exitcode and said in text:
                self.outcomes[f"{name} emptied by DVC"] += 1
                (self.folder / name).unlink()
                return self.run(command)
        if process.exitcode:
            raise RuntimeError(f"{command}: {text[-2000:]}")
        return text

    def kill_often(self, stage: str, count: int, dice: random.Random) -> None:
        """Kill a stage `count` times, in every way in turn, and put it right after every four."""
        took = {way: self.measure(stage, way) for way in self.ways}
        for start in range(0, count, len(self.ways)):
            sessions = []
            for number, way in enumerate(self.ways, start):
                share = (number + dice.random()) / count
                while (session := self.kill_once(stage, way, took[way] * share)) is None:
                    took[way] *= 0.8  # it was done before: the machine is less busy than it was
                sessions.append(session)
            self.put_right(stage, f"{stage}, after {start + len(self.ways)} kills", sessions)
        if self.with_dvc:
            self.make_all()
        self.compare(f"{stage}, at the end")
        held = ", ".join(f"{what} {often}" for what, often in sorted(self.outcomes.items()))
        print(
            f"{stage}, {took[WAYS[0]]:.2f} s: {held}; {len(self.faults)} faults so far", flush=True
        )
        self.outcomes.clear()

    def measure(self, stage: str, way: str) -> float:
        """Return how long a stage takes undisturbed, in seconds."""
        self.forget(stage)
        start = time.perf_counter()
        self.run(command_of(stage, way))
        took = time.perf_counter() - start
        self.make(stage)
        return took

    def forget(self, stage: str) -> None:
        """Remove the stage's outputs, and DVC's cache, which would answer for it."""
        shutil.rmtree(self.folder / ".dvc/cache", ignore_errors=True)
        for output in STAGES[stage]:
            shutil.rmtree(self.folder / output, ignore_errors=True)
            if not output.endswith("/"):
                (self.folder / output).unlink(missing_ok=True)

    def kill_once(self, stage: str, way: str, moment: float) -> int | None:
        """Kill a stage after `moment` seconds and return its session; None if it was done by then.

        Half of the times it has to replace what is there.
        """
        if stage.startswith("train") or self.outcomes["killed"] % 8 < 4:
            self.forget(stage)
        process = self.start(command_of(stage, way))
        process.join(moment)
        if process.exitcode is not None:
            return None
        # Its session, and its group, have the number of the process.
        with suppress(ProcessLookupError):  # it has not come as far as making them
            (os.kill if way.endswith("alone") else os.killpg)(process.pid, signal.SIGKILL)
        process.kill()
        process.join()
        self.outcomes["killed"] += 1
        self.outcomes["left parts"] += any(self.folder.rglob(".part-*"))
        if way.startswith("prep"):
            self.look(stage, f"{stage}, {way}, {moment:.2f} s")
        return process.pid

    def put_right(self, stage: str, what: str, sessions: list[int]) -> None:
        """Run `dvc repro`, and note as a fault whatever is not as it was."""
        try:
            printed = self.make(stage)
        except RuntimeError as error:
            self.note(f"{what}: {error}")
            printed = ""
        self.outcomes["put right"] += 1
        self.outcomes["made again"] += f"Running stage '{stage}'" in printed
        for session in sessions:
            wait_for_session(session)
        self.compare(what)

    def note(self, fault: str) -> None:
        """Keep a fault and print it at once."""
        self.faults.append(fault)
        print(fault, flush=True)

    def look(self, stage: str, what: str) -> None:
        """Note as a fault whatever stands in its place and is not whole."""
        there = contents(self.folder)
        for output in STAGES[stage]:
            wanted = {name for name in self.whole if name.startswith(output)}
            found = {name for name in there if name.startswith(output) and ".part-" not in name}
            if output.endswith("/") and (self.folder / output).exists() and found != wanted:
                self.note(f"{what}: {output} holds {len(found)} of {len(wanted)} files")
            for name in sorted(found & wanted):
                if there[name] != self.whole[name]:
                    self.note(f"{what}: {name} is not whole")

    def compare(self, what: str) -> None:
        """Note as a fault whatever is not as in an undisturbed project."""
        there = contents(self.folder)
        strange = [path.name for path in self.temporary.iterdir() if "joblib" in path.name]
        changed = [name for name in there if there[name] != self.whole.get(name)]
        missing = [name for name in self.whole if name not in there]
        for kind, names in (("differ or are left over", changed + strange), ("lack", missing)):
            if names:
                self.note(f"{what}: {kind}: {', '.join(names[:5])}")


def run_command(storm: Storm, command: list[str]) -> None:
    """Become a command; it is imported here already, so that it is killed at work."""
    os.setsid()
    os.chdir(storm.folder)
    os.environ.update(storm.environment)
    printed = os.open(storm.printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(printed, stream)
    if command[0] == "dvc":
        os._exit(dvc.cli.main(command[1:]))
    sys.argv = command
    code = 0
    try:
        pipeline.__main__.main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    sys.stdout.flush()
    os._exit(code)  # a fork of multiprocessing's would wait for joblib's processes: five minutes


def command_of(stage: str, way: str) -> list[str]:
    """Return the command that is killed."""
    if way.startswith("dvc"):
        return ["dvc", "repro", "--force", "--single-item", stage]
    name, _, key = stage.partition("@")
    option = {"augment": "--only"}
    return ["prep", name, *([option[name], key] if key else [])]


def contents(folder: Path) -> dict[str, str]:
    """Return a digest of each file's content by its path; DVC's and git's own are left out."""
    own = {".dvc", ".git", "dvc.lock"}  # and the notes of sizes and times
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if name.parts[0] not in own and name.name != NOTES and path.is_file():
            found[name.as_posix()] = hashlib.sha256(content_of(path)).hexdigest()
    return found


def content_of(path: Path) -> bytes:
    """Return what a file says, without dates and durations."""
    if path.suffix == ".keras" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            return file.read("config.json") + file.read("model.weights.h5")
    if path.name in ("run.json", "metrics.json"):
        lines = path.read_text(encoding="utf-8").splitlines()
        varying = '"seconds"', '"model.keras"'  # a digest of what holds a date
        kept = [line for line in lines if not line.lstrip().startswith(varying)]
        return "\n".join(kept).encode()
    if path.name == "index.html":  # how long trainings took, and pictures a second
        return DURATIONS.sub(b"", path.read_bytes())
    return path.read_bytes()


def wait_for_session(session: int, patience: float = 30.0) -> None:
    """Wait until no process of a session is left; raises RuntimeError when one stays."""
    deadline = time.monotonic() + patience
    while alive := [pid for pid in processes() if session_of(pid) == session]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"processes {alive} outlive what started them")
        time.sleep(0.1)


def processes() -> list[int]:
    """Return the numbers of all processes (Linux)."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def session_of(process: int) -> int:
    """Return the session of a process, 0 if it is gone or only its exit code is left."""
    try:
        state, _, _, session = Path(f"/proc/{process}/stat").read_text().rsplit(")")[-1].split()[:4]
    except OSError:
        return 0
    return 0 if state == "Z" else int(session)


def stages_up_to(last: str) -> list[str]:
    """Return the stages that a project's road has up to one of them."""
    order = list(STAGES)
    return ["sample"] if last == "sample" else order[1 : order.index(last) + 1]


def divide(stages: list[str]) -> list[list[str]]:
    """Return the stages in the order of the road, those together that share a project.

    Up to plan a project's content is fixed to the byte; from train on DVC sees other bytes each
    time (a .keras file holds a date), which the stages after train answer for.
    """
    order = list(STAGES)
    places = sorted(map(order.index, stages))
    plan = order.index("plan")
    parts = ([p for p in places if low <= p <= high]
             for low, high in ((0, 0), (1, plan), (plan + 1, len(order))))  # fmt: skip
    return [[order[place] for place in part] for part in parts if part]


def main() -> None:
    """Kill every stage, or those that are named, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stages", nargs="*", metavar="STAGE")
    parser.add_argument("--kills", type=int, default=20, help="of each stage")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without-dvc", action="store_true", help="kill and run prep alone")
    options = parser.parse_args()
    for stage in STAGES:
        import_module(f"pipeline.stages.{stage.partition('@')[0]}")
    stages = options.stages or list(STAGES)
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        for chosen in divide(stages):
            storm = Storm(Path(folder, chosen[0]), chosen[-1], not options.without_dvc)
            for stage in chosen:
                storm.kill_often(stage, options.kills, random.Random(f"{options.seed} {stage}"))
            faults += storm.faults
    print(f"{len(faults)} faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
