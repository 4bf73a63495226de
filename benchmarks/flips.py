"""Flip a bit of any processed file and run the next command by hand: is it ever silent?

    python benchmarks/flips.py [--flips 500] [--seed 0] [--without-notes]

A tiny finished project is copied for each flip; half of the time the file keeps its old time. What
may come of it: the command refuses the file by name; it tells that it makes the file again, and
goes on; or the file is made again as it was, byte for byte, by the stage that writes it. Silent is
everything else with exit code 0, wrong a refusal that does not name the file. Without notes the
project is an older one, whose files nobody can compare with anything: then damage that still reads
as a file goes unseen, and only a traceback is a fault.
"""

import argparse
import contextlib
import io
import os
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

from kills import STAGES, make_project

from pipeline import cli, console, notes

# What reads each kind of file (a folder's are drawn from), and is run by hand after it was damaged.
READERS = {
    "catalogue.csv": ("segment", "normalise", "split", "report"),
    "boxes.csv": ("normalise", "report"),
    "quarantine.csv": ("report",),
    "glyphs.h5": ("normalise",),
    "tiles.h5": ("balance", "augment", "plan", "train", "report", "evaluate", "check lineage"),
    "balanced.csv": ("split", "report"),
    "split.csv": ("augment", "plan", "train", "compare", "advise", "report", "check lineage"),
    "augmented": ("plan", "report", "check labels", "check lineage"),
    "experiments": ("train", "evaluate"),
    "lineage.json": ("train", "evaluate"),
    "runs": ("plan", "train", "evaluate"),  # the report reads a model where it explains a mistake
    "scores": ("train", "compare", "report", "advise"),
}
FINE = ("refused", "told, went on", "made again")


def prep(words: str) -> tuple[int | None, str]:
    """Run a command in this process; return its exit code, None for a traceback, and its words."""
    sys.argv, printed = ["prep", *words.split()], io.StringIO()
    console.out.file = console.err.file = printed
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            cli.main()
    except SystemExit as stop:
        return int(stop.code or 0), printed.getvalue()
    except BaseException:  # noqa: BLE001
        return None, printed.getvalue() + traceback.format_exc()
    return 0, printed.getvalue()


def flip(path: Path, dice: random.Random) -> bytes:
    """Flip a bit of a file, its time kept or not, and return what it held before."""
    state, before = path.stat(), path.read_bytes()
    damaged, bit = bytearray(before), dice.randrange(8 * len(before))
    damaged[bit // 8] ^= 1 << bit % 8
    path.write_bytes(damaged)
    if dice.random() < 0.5:
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    return before


def judge(code: int | None, printed: str, path: Path, before: bytes) -> str:
    """Return in a word or two what came of a flipped bit."""
    if code is None or "Traceback" in printed:
        return "TRACEBACK"
    flat = printed.replace("\n", "")
    named = path.name in flat or (path.parent.name in flat and "Note" in flat)
    if code:
        return "refused" if named else "WRONG NAME"
    if path.exists() and path.read_bytes() == before:
        return "told, went on" if named else "made again"
    return "told, went on" if named and "Note" in flat else "SILENT"


def main() -> None:
    """Flip so many bits and print a table of what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without-notes", action="store_true")
    options = parser.parse_args()
    dice, table, faults = random.Random(options.seed), Counter(), 0
    with tempfile.TemporaryDirectory() as temporary:
        whole, place = Path(temporary, "whole"), Path(temporary, "place")
        make_project(whole, sample=False)
        os.chdir(whole)
        for stage in dict.fromkeys(stage.partition("@")[0] for stage in STAGES):
            if stage != "sample":
                prep(stage)
        for _ in range(options.flips):
            os.chdir(temporary)
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(whole, place)
            os.chdir(place)
            if options.without_notes:
                Path("processed", notes.NOTES).unlink()
            kind = dice.choice(list(READERS))
            path = Path("processed", kind)
            if path.is_dir():
                path = dice.choice(sorted(file for file in path.rglob("*") if file.is_file()))
            words, before = dice.choice(READERS[kind]), flip(path, dice)
            code, printed = prep(words)
            what = judge(code, printed, path, before)
            table[kind, what] += 1
            if what not in FINE:
                faults += not options.without_notes or what == "TRACEBACK"
                print(f"{what}: {path}, then prep {words}\n{printed[-500:]}", flush=True)
    for kind in READERS:
        print(kind, {what: n for (of, what), n in sorted(table.items()) if of == kind})
    total = Counter()
    for (_, what), number in table.items():
        total[what] += number
    print(f"{options.flips} flips, {faults} faults: {dict(total)}")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
