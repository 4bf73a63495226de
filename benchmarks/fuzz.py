"""Fuzz all that reads strangers' files, with atheris: coverage of Python code leads the way.

    pip install atheris
    python benchmarks/fuzz.py [--minutes 20] [--target pictures|archives|datasets|tables|params]

Begins with tests/corpus, and shares the minutes among the targets of tests/fuzzing.py, where it is
written what must come of any bytes: what the docstrings promise, or a DataError, within 10 seconds
and 2 GB. What raises anything else is a finding. It is written, each kind once, into a folder
outside the repository, and the run goes on; what kills the process (or takes too long, or too much)
is written there by libFuzzer, and the process is started again.

Mutations are libFuzzer's and those of the short form (tests/test_fuzz.py), with the checksums of
PNG and tar made right and gzip broken inside. Only Python is instrumented: in the libraries written
in C, a run finds what it finds by chance.
"""

import argparse
import hashlib
import importlib
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS))

SHARES = {"pictures": 10, "archives": 4, "datasets": 3, "tables": 1.5, "params": 1.5}
INSTRUMENTED = ["pipeline", "PIL", "zipfile", "tarfile", "gzip", "csv", "yaml"]
SECONDS, MEGABYTES = 10, 2048  # that one file may cost
LONGEST = 16384  # bytes of a file that is tried

MEMORY = Path("/dev/shm")  # where files are quick to write


def main() -> None:
    """Read the command line: the run, or one process of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--target", choices=SHARES)
    parser.add_argument(
        "--findings", type=Path, help="folder for what is found; default: a new one"
    )
    parser.add_argument("--process", help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args()
    if options.process:
        fuzz(options.process, options.findings, rest)
    try:
        import atheris  # noqa: F401
    except ImportError:
        sys.exit("atheris is not installed: pip install atheris")
    findings = options.findings or Path(tempfile.mkdtemp(prefix="fuzz-"))
    shares = {options.target: 1.0} if options.target else SHARES
    for target, share in shares.items():
        seconds = 60 * options.minutes * share / sum(shares.values())
        print(Campaign(target, findings / target).run(seconds), flush=True)
    print(f"What was found is in {findings}")


# --- The run -------------------------------------------------------------------------------


@dataclass
class Campaign:
    """The fuzzing of one target, in as many processes as it takes."""

    target: str
    findings: Path
    executions: int = 0
    deaths: list[str] = field(default_factory=list)

    def run(self, seconds: float) -> str:
        """Fuzz for some time and return a line about it."""
        self.findings.mkdir(parents=True, exist_ok=True)
        end = time.monotonic() + seconds
        with (
            tempfile.TemporaryDirectory() as grown,
            tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as scratch,
        ):
            while (left := end - time.monotonic()) > 1:
                self.run_process(Path(grown), scratch, left)
            kept = len(list(Path(grown).iterdir()))
        found = sorted(path.name for path in self.findings.glob("*.txt"))
        return (
            f"{self.target}: {self.executions:,} executions in {seconds / 60:.1f} minutes, "
            f"{kept} files worth keeping; found: {', '.join(found + self.deaths) or 'nothing'}"
        )

    def run_process(self, grown: Path, scratch: str, seconds: float) -> None:
        """Fuzz until the time is over, or the process dies."""
        environment = os.environ | {"TMPDIR": scratch, "NO_ALBUMENTATIONS_UPDATE": "1"}
        words = [
            sys.executable, __file__, f"--process={self.target}", f"--findings={self.findings}",
            grown, TESTS / "corpus" / self.target, f"-max_total_time={seconds:.0f}",
            f"-artifact_prefix={self.findings}/", f"-timeout={SECONDS}",
            f"-rss_limit_mb={MEGABYTES}", f"-max_len={LONGEST}", "-print_final_stats=1",
        ]  # fmt: skip
        log = self.findings / f"log-{len(self.deaths)}"
        with log.open("wb") as file:
            done = subprocess.run(words, stdout=file, stderr=file, env=environment, check=False)
        said = log.read_text(errors="replace")
        counts = re.findall(r"number_of_executed_units: (\d+)|^#(\d+)\s", said, re.MULTILINE)
        self.executions += max((int(a or b) for a, b in counts), default=0)
        if done.returncode:
            artifact = re.findall(r"Test unit written to (\S+)", said)
            self.deaths.append(Path(artifact[-1]).name if artifact else f"exit {done.returncode}")
            if not counts:
                sys.exit(f"{self.target} does not start: see {log}")


# --- One process of it ---------------------------------------------------------------------


def fuzz(name: str, findings: Path, arguments: list[str]) -> None:
    """Hand over to libFuzzer, which ends the process."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        import fuzzing
    importlib.import_module("albumentations")  # else the first file that needs it pays for it
    check = fuzzing.TARGETS[name]

    def attempt(data: bytes) -> None:
        try:
            check(data)
        except fuzzing.DataError:
            pass
        except Exception as error:  # noqa: BLE001
            note(findings, data, error)

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        dice = random.Random(seed)
        inside = fuzzing.unpack(data) if dice.random() < 0.9 else b""
        broken = inside or data
        if dice.random() < 0.5:
            broken = fuzzing.repair(atheris.Mutate(broken, longest))
        else:
            broken = fuzzing.mutate(broken, dice)
        return (fuzzing.pack(broken) if inside else broken)[:longest]

    atheris.Setup([sys.argv[0], *arguments], attempt, custom_mutator=mutate)
    atheris.Fuzz()


def note(findings: Path, data: bytes, error: Exception) -> None:
    """Write down a file and what came of it, unless an error from the same place is known."""
    places = [
        f"{Path(frame.filename).name}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    kind = hashlib.sha256(f"{type(error).__name__} {places[-3:]}".encode()).hexdigest()[:8]
    path = findings / f"{type(error).__name__}-{kind}"
    if not path.exists():
        path.write_bytes(data)
        path.with_name(f"{path.name}.txt").write_text("".join(traceback.format_exception(error)))


if __name__ == "__main__":
    main()
