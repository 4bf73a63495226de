"""Change params.yaml again and again: is the project always what a fresh one would be?

    python benchmarks/soak.py [--changes 30] [--seed 0]

A tiny project's params.yaml is changed, one setting at a time, drawn by chance. After each change
`dvc repro` brings it up to date and `prep check files --tidy` must find nothing wrong; a bit of a
file under processed/ is flipped, its size and time kept, and `prep check files` must name the file;
and a fresh project with the same settings is made by `prep` alone, and must hold the same files, no
more and no fewer, byte for byte (of a .keras file the weights and layers count, and the seconds
that a training took do not).
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from kills import STAGES, contents, environment, make_project

Params = dict[str, Any]

# Nothing reads these: they are there to be looked at, and made again from what is checked.
LOOKED_AT = ("overlays/", "contact/", "report/")


def _toggle_zoom(params: Params) -> None:
    """Add an op with its experiment, or take both out."""
    _toggle("augment", "zoom", {"factor": [0.9, 1.1]})(params)
    _toggle("experiments", "zoom", {"ops": ["zoom"]})(params)


def _set(section: str, **numbers: object) -> Callable[[Params], None]:
    return lambda params: params[section].update(numbers)


def _toggle(section: str, name: str, content: object) -> Callable[[Params], None]:
    """Add an op or an experiment, or take it out again."""

    def change(params: Params) -> None:
        if params[section].pop(name, None) is None:
            params[section][name] = content

    return change


CHANGES: dict[str, Callable[[Params], None]] = {
    "rotate a little": lambda params: params["augment"]["rotate"].update(degrees=[-5, 5]),
    "rotate much": lambda params: params["augment"]["rotate"].update(degrees=[-40, 40]),
    "two copies": lambda params: params["augment"]["flip"].update(copies=2),
    "one copy": lambda params: params["augment"]["flip"].update(copies=1),
    "zoom, or not": _toggle_zoom,
    "one class flipped, or not": _toggle(
        "experiments", "flip-bar", {"ops": ["flip"], "classes": ["bar"], "control": "none"}
    ),
    "online, or not": _toggle("experiments", "fresh", {"ops": ["rotate"], "variants": "online"}),
    "half of the tiles, or not": _toggle("experiments", "none-50", {"share": 0.5}),
    "more steps": _set("train", steps=9),
    "fewer steps": _set("train", steps=6),
    "three seeds": _set("train", seeds=3),
    "two seeds": _set("train", seeds=2),
    "kept: best": _set("train", keep="best"),
    "kept: average": _set("train", keep="average"),
    "folds": _set("split", folds=2),
    "no folds": _set("split", folds=1),
    "another split": _set("split", seed=2),
    "the split": _set("split", seed=1),
    "more to validate": _set("split", val=0.3),
    "less to validate": _set("split", val=0.2),
    "balance none": _set("balance", method="none"),
    "balance": _set("balance", method="undersample"),
    "smaller tiles": _set("tile", size=24),
    "larger tiles": _set("tile", size=28),
    "emnist": _set("tile", method="emnist"),
    "mnist": _set("tile", method="mnist"),
    "a wide margin": _set("compare", margin=5.0),
    "a narrow margin": _set("compare", margin=1.0),
    "another title": _set("report", title="Other bars"),
    "fewer pictures shown": _set("report", gallery=3),
}


class Soak:
    """A project that is changed again and again, and what was found wrong with it."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self.folder, self.dice = folder, dice
        self.place = folder / "changed"
        (folder / "tmp").mkdir()
        self.environment = environment(folder / "tmp")
        make_project(self.place, sample=False)
        self.faults: list[str] = []
        self.run(self.place, sys.executable, "-m", "dvc", "repro", "-q")

    def run(self, place: Path, *command: str, code: int = 0) -> str:
        """Run a command and return what it printed; another exit code than this is a fault."""
        done = subprocess.run(
            command, cwd=place, env=self.environment, capture_output=True, text=True, check=False
        )
        printed = done.stdout + done.stderr
        if done.returncode != code:
            self.note(f"{' '.join(command[-3:])}: exit code {done.returncode}: {printed[-1000:]}")
        return printed

    def note(self, fault: str) -> None:
        """Keep a fault and print it at once."""
        self.faults.append(fault)
        print(f"  FAULT {fault}", flush=True)

    def change(self, number: int) -> None:
        """Change one setting, bring all up to date, and look whether all is as it should be."""
        path = self.place / "params.yaml"
        before = after = path.read_text(encoding="utf-8")
        while after == before:
            name, params = self.dice.choice(list(CHANGES)), yaml.safe_load(before)
            CHANGES[name](params)
            after = yaml.safe_dump(params, sort_keys=False)
        print(f"{number}: {name}", flush=True)
        path.write_text(after, encoding="utf-8")
        self.run(self.place, sys.executable, "-m", "dvc", "repro", "-q")
        self.run(self.place, "prep", "check", "files", "--tidy")
        self.flip()
        self.compare(name)

    def flip(self) -> None:
        """Flip a bit of a file and let `prep check files` find it; then put it right."""
        processed = self.place / "processed"
        files = [
            path
            for path in sorted(processed.rglob("*"))
            if path.is_file()
            and path.stat().st_size
            and not path.name.startswith(".")
            and not path.relative_to(processed).as_posix().startswith(LOOKED_AT)
        ]
        path = self.dice.choice(files)
        before, state = path.read_bytes(), path.stat()
        damaged = bytearray(before)
        damaged[self.dice.randrange(len(damaged))] ^= 1 << self.dice.randrange(8)
        path.write_bytes(damaged)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        printed = self.run(self.place, "prep", "check", "files", code=1)
        name = path.relative_to(self.place).as_posix()
        if name not in printed.replace("\n", ""):
            self.note(f"a flipped bit of {name} was not named: {printed[-500:]}")
        path.write_bytes(before)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))

    def compare(self, name: str) -> None:
        """Make a fresh project with the same settings and compare all that it holds."""
        fresh = self.folder / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        make_project(fresh, sample=False)
        shutil.copy(self.place / "params.yaml", fresh)
        for stage in dict.fromkeys(stage.partition("@")[0] for stage in STAGES):
            if stage != "sample":
                self.run(fresh, "prep", stage, "-q")
        ours, theirs = contents(self.place), contents(fresh)
        differing = [file for file in ours if ours[file] != theirs.get(file)]
        missing = [file for file in theirs if file not in ours]
        for what, files in (("differ or are left over", differing), ("lack", missing)):
            if files:
                self.note(f"{name}: {len(files)} {what}: {', '.join(files[:6])}")


def main() -> None:
    """Change the settings so many times and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--changes", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Path(folder), dice)
        for number in range(1, options.changes + 1):
            soak.change(number)
    print(f"{len(soak.faults)} faults in {options.changes} changes")
    sys.exit(bool(soak.faults))


if __name__ == "__main__":
    main()
