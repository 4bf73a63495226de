"""Ctrl-C in each stage: `python benchmarks/stops.py PROJECT [--stops 8] [--seed 0] [STAGE ...]`.

PROJECT is one that `dvc repro` has made; work in a copy. Each stage is run with nothing of its own
there and is stopped at moments spread over its duration (of the longer ones, over the first 20
seconds), as a terminal does it: the signal goes to all its processes. Prints how long it took to
end, how it ended and what was left. Promised: 2 seconds, exit code 130, one line, nothing.

In the first moments, while Python itself starts, the end is Python's own (exit code -2).
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

OUTPUTS = {
    "sample": "raw/sample",
    "ingest": "processed/catalogue.csv",
    "segment": "processed/overlays",
    "normalise": "processed/contact",
    "balance": "processed/balanced.csv",
    "split": "processed/split.csv",
    "augment": "processed/augmented",
    "plan": "processed/experiments",
    "train": "processed/runs",
    "compare": "processed/ablation.csv",
    "report": "processed/report",
}
START, LONGEST = 0.1, 20.0  # seconds: the first stop, the last


def remove(output: Path) -> None:
    if output.is_dir():
        shutil.rmtree(output)
    else:
        output.unlink(missing_ok=True)


def stop(project: Path, stage: str, moment: float) -> tuple[int, float, str]:
    """Return exit code, seconds until the end, and what was printed."""
    remove(project / OUTPUTS[stage])
    process = subprocess.Popen(
        ["prep", stage, "-q"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    time.sleep(moment)
    start = time.perf_counter()
    with suppress(ProcessLookupError):  # it has ended
        os.killpg(process.pid, signal.SIGINT)
    printed, _ = process.communicate()
    return process.returncode, time.perf_counter() - start, printed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("stages", nargs="*", metavar="STAGE", default=list(OUTPUTS))
    parser.add_argument("--stops", type=int, default=8, help="of each stage")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    dice, broken = random.Random(options.seed), 0
    for stage in options.stages:
        start = time.perf_counter()
        subprocess.run(["prep", stage, "-q"], cwd=options.project, check=True)
        took = min(time.perf_counter() - start, LONGEST)
        ends: Counter[str] = Counter()
        longest = 0.0
        for number in range(options.stops):
            moment = START + (took - START) * (number + dice.random()) / options.stops
            code, waited, printed = stop(options.project, stage, moment)
            ends[f"{code} {printed!r}"] += 1
            longest = max(longest, waited if code else 0)
            broken += code not in (0, -signal.SIGINT) and (code, printed) != (130, "Stopped.\n")
        left = list(options.project.rglob(".part-*"))
        broken += len(left) + (longest > 2)
        print(f"{stage}: {dict(ends)}, at most {longest:.2f} s, {len(left)} left", flush=True)
        subprocess.run(["prep", stage, "-q"], cwd=options.project, check=True)
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
