"""Check the verdicts on simulated studies: python benchmarks/verdicts.py [--studies 1000].

A simulated study trains a control and some experiments and tests all on the same pictures. Whether
a picture is classified correctly depends on a latent score: the picture's difficulty (shared within
its group, if there are groups), the experiment's effect (larger on some pictures than on others),
the run (some are better all over, some lean towards a class, some collapse to one class), the
seed's noise on this picture (all arms share a part of it) and the run's own. All are normal, so
every true difference is known exactly. Versions 1 and 2 of the method judge the same studies.

The columns, in per cent:

false1, false2  studies in which anything false was said: a difference that is none or has the other
                sign, no harm (no gain) where the true difference is the margin; 95 % lower bound
                below
cover           95 % intervals of an accuracy that hold the true difference (version 2)
recalls         the same for the recalls
found1, found2  true differences of the size beside them that were said to help or hurt
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import numpy.typing as npt
import version1
from scipy.stats import beta, norm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.verdicts import families
from pipeline.verdicts.estimates import (
    Sums,
    estimate_difference,
    number_groups,
    pool_arms,
    sum_groups,
)
from pipeline.verdicts.families import Line, judge_family
from pipeline.verdicts.rounds import choose_active, spend

Floats = npt.NDArray[np.float64]
MARGIN = 0.01
UNEVEN = 0.3  # how much an effect differs from picture to picture
PICTURE_NOISE = (0.3, 0.5)  # of seed x picture: shared by the arms, and each run's own
RUN = 0.05  # latent: runs differ by 1.5 points of accuracy at 70 %
LEAN = 0.2  # latent: a run's leaning to a class


@dataclass(frozen=True)
class Setting:
    """What kind of study is simulated. effects: of the experiments' accuracies, true, shares."""

    effects: tuple[float, ...]
    seeds: int = 5
    classes: int = 2
    pictures: int = 1000
    accuracy: float = 0.7  # the control's
    grouped: bool = False
    spreads: tuple[float, ...] = ()  # of the arms' runs, the control first; 1 is RUN
    more_seeds: int = 0  # of the control
    collapse: float = 0.0  # chance that a run collapses to one class
    name: str = field(default="", compare=False)


@dataclass(frozen=True)
class Study:
    """Test pictures (N,) and, for each arm, which run got which right (S, N), the control first."""

    labels: npt.NDArray[np.int64]
    groups: npt.NDArray[np.int64]
    correct: list[npt.NDArray[np.bool_]]


def simulate_study(rng: np.random.Generator, setting: Setting) -> Study:
    """Draw one study."""
    sizes = rng.geometric(0.2, max(setting.pictures // 5, 20)) if setting.grouped else None
    groups = (
        np.arange(setting.pictures) if sizes is None else np.repeat(np.arange(len(sizes)), sizes)
    )
    labels = groups % setting.classes
    within = 0.25 if setting.grouped else 0.0
    difficulty = _draw_pictures(rng, groups, within)
    most = setting.seeds + setting.more_seeds
    shared = PICTURE_NOISE[0] * rng.standard_normal((most, len(groups)))
    spreads = setting.spreads or (1.0,) * (1 + len(setting.effects))
    correct = []
    for arm, (effect, spread) in enumerate(zip((None, *setting.effects), spreads, strict=True)):
        runs = most if arm == 0 else setting.seeds
        score = (
            difficulty + shared[:runs] + PICTURE_NOISE[1] * rng.standard_normal((runs, len(groups)))
        )
        score = score + _draw_runs(rng, runs, spread, labels, setting.classes)
        if effect:
            score = score + UNEVEN * _draw_pictures(rng, groups, 2 * within)
        variance = 1 + sum(sd**2 for sd in PICTURE_NOISE) + (RUN * spread) ** 2
        variance += LEAN**2 * (1 - 1 / setting.classes) + (UNEVEN**2 if effect else 0.0)
        level = norm.ppf(setting.accuracy + (effect or 0.0)) * variance**0.5
        right = score + level > 0
        fallen = np.flatnonzero(rng.random(runs) < setting.collapse)
        for run in fallen:
            right[run] = labels == rng.integers(setting.classes)
        correct.append(right)
    return Study(labels, groups, correct)


def _draw_pictures(
    rng: np.random.Generator, groups: npt.NDArray[np.int64], within: float
) -> Floats:
    """Draw one standard normal a picture, with correlation `within` inside a group."""
    of_group = rng.standard_normal(groups[-1] + 1)[groups]
    return within**0.5 * of_group + (1 - within) ** 0.5 * rng.standard_normal(len(groups))


def _draw_runs(
    rng: np.random.Generator, runs: int, spread: float, labels: npt.NDArray[np.int64], classes: int
) -> Floats:
    leanings = LEAN * rng.standard_normal((runs, classes))
    leanings += RUN * spread * rng.standard_normal((runs, 1)) - leanings.mean(axis=1, keepdims=True)
    return leanings[:, labels]


# --- both versions on one study ---------------------------------------------------------------


def list_cells(study: Study) -> list[npt.NDArray[np.bool_]]:
    """Return which pictures count for accuracy, and for each class's recall."""
    everything = np.ones(len(study.labels), dtype=bool)
    return [everything, *(study.labels == label for label in np.unique(study.labels))]


def draw_lines(study: Study, seeds: dict[int, int] | None = None) -> list[Line]:
    """Return a line an experiment and cell; seeds: how many of each arm's runs there are yet."""
    lines = []
    for number, cell in enumerate(list_cells(study)):
        groups = number_groups(study.groups[cell])
        sums = [
            sum_groups(right[: (seeds or {}).get(arm), cell].astype(np.float64), groups)
            for arm, right in enumerate(study.correct)
        ]
        lines += _compare(sums, number == 0)
    return lines


def _compare(sums: list[Sums], primary: bool) -> list[Line]:
    pooled, chance = pool_arms(sums), float(sums[0].scores.mean())
    return [
        Line(str(arm), primary, estimate_difference(sums[arm], sums[0], pooled), chance)
        for arm in range(1, len(sums))
    ]


def judge_first(study: Study) -> list[str]:
    """Return version 1's words, in the order of draw_lines."""
    estimates = []
    for cell in list_cells(study):
        numbers = np.unique(study.groups[cell], return_inverse=True)[1]
        control = study.correct[0][:, cell].astype(np.float64)
        estimates += [
            version1.estimate_difference(right[:, cell] - control[: len(right)], numbers)
            for right in study.correct[1:]
        ]
    return version1.judge_family(estimates, MARGIN)


def is_false(word: str, truth: float) -> bool:
    """Return whether a word says what is not so."""
    return {
        families.HELPS: truth <= 0,
        families.HURTS: truth >= 0,
        families.NO_HARM: truth <= -MARGIN,
        families.NO_GAIN: truth >= MARGIN,
        families.NO_EFFECT: abs(truth) >= MARGIN,
    }.get(word, False)


def check(job: tuple[Setting, int, bool]) -> dict[str, list[float]]:
    """Simulate one study and judge it; returns what is counted, a list a column."""
    setting, seed, both = job
    study = simulate_study(_start(setting, seed), setting)
    lines = draw_lines(study)
    words = [verdict.verdict for verdict in judge_family(lines, MARGIN)]
    row = _count(setting, words, "2")
    truths = list(setting.effects) * (len(lines) // len(setting.effects))
    held = [
        line.estimate.low <= truth <= line.estimate.high
        for line, truth in zip(lines, truths, strict=True)
        if line.estimate.low is not None and line.estimate.high is not None
    ]
    row["cover"], row["recalls"] = held[: len(setting.effects)], held[len(setting.effects) :]
    return row | (_count(setting, judge_first(study), "1") if both else {})


def _count(setting: Setting, words: list[str], version: str) -> dict[str, list[float]]:
    truths = list(setting.effects) * (len(words) // len(setting.effects))
    wrong = [is_false(word, truth) for word, truth in zip(words, truths, strict=True)]
    row: dict[str, list[float]] = {f"false{version}": [any(wrong)]}
    for effect in sorted({abs(one) for one in setting.effects if abs(one) > MARGIN}):
        found = [
            word in (families.HELPS, families.HURTS)
            for word, truth in zip(words, setting.effects, strict=False)
            if abs(truth) == effect
        ]
        row[f"+{100 * effect:g} found{version}"] = found
    return row


def _start(setting: Setting, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, hash(setting) % 2**32])


# --- rounds -----------------------------------------------------------------------------------

ROUNDS = (4, 7, 10, 15)


def run_rounds(study: Study, rounds: Sequence[int]) -> tuple[list[str], int]:
    """Return what a study in rounds says in the end, and how many runs it took."""
    arms = range(1, len(study.correct))
    controls = {str(arm): "0" for arm in arms}
    seeds = dict.fromkeys(range(len(study.correct)), rounds[0])
    said = None
    for look in range(len(rounds)):
        lines = draw_lines(study, seeds)
        verdicts = judge_family(lines, MARGIN, spend(rounds, look), said)
        said = [verdict.said for verdict in verdicts]
        active = choose_active(controls, lines, verdicts, rounds, look, MARGIN)
        if not active or look + 1 == len(rounds):
            break
        seeds |= {int(name): rounds[look + 1] for name in active}
    return [verdict.verdict for verdict in verdicts], sum(seeds.values())


def check_rounds(job: tuple[Setting, int, bool]) -> dict[str, list[float]]:
    """Simulate one study in rounds, and the same with ten seeds of every arm."""
    setting, seed, _ = job
    study = simulate_study(_start(setting, seed), replace(setting, seeds=ROUNDS[-1]))
    words, runs = run_rounds(study, ROUNDS)
    fixed = judge_family(draw_lines(study, dict.fromkeys(range(len(study.correct)), 10)), MARGIN)
    row = _count(setting, words, "R") | {"runs": [runs]}
    return row | _count(setting, [verdict.verdict for verdict in fixed], "10")


def write_rounds(setting: Setting, row: dict[str, list[float]]) -> str:
    """Return a line of the table of rounds."""
    found = [f"{name} {100 * np.mean(row[name]):.0f}" for name in sorted(row) if "found" in name]
    return (
        f"{setting.name:17}{len(setting.effects):3}{setting.pictures:6}"
        f"{100 * np.mean(row['falseR']):7.1f}{np.mean(row['runs']):7.1f} runs (fixed 10 seeds: "
        f"{10 * (len(setting.effects) + 1)})  {', '.join(found)}"
    )


def every_rounds() -> Iterator[Setting]:
    """Yield the studies that are tried in rounds."""
    spread = (0.7,) * 9
    effects = (0.04, 0.025, 0.025, 0.015, 0.0, 0.0, 0.0, 0.0)
    yield Setting(effects, 15, 2, 2000, 0.75, spreads=spread, name="CIFAR-like")
    yield Setting((0.0,) * 8, 15, 2, 2000, 0.75, spreads=spread, name="A/A")
    yield Setting((0.0,) * 3, 15, name="A/A")
    yield Setting((MARGIN, -MARGIN) * 4, 15, pictures=2000, accuracy=0.95, name="margin")
    yield Setting((0.0,) * 3, 15, spreads=(1.0, 3.0, 1.0, 1.0), name="one trebled")
    yield Setting((0.0,) * 8, 15, spreads=(2.0, *(1.0,) * 8), name="control doubled")
    yield Setting((0.0,) * 8, 15, grouped=True, name="groups")


# --- many studies -----------------------------------------------------------------------------


def every_setting() -> Iterator[Setting]:
    """Yield the cells of the table."""
    for comparisons in (1, 3, 8, 12):
        for seeds in (3, 5, 10):
            yield Setting((0.0,) * comparisons, seeds, name="A/A")
    for classes, pictures in ((2, 200), (10, 1000), (10, 2000)):
        yield Setting((0.0,) * 8, classes=classes, pictures=pictures, accuracy=0.8, name="A/A")
    for seeds in (3, 5, 10):
        yield Setting((MARGIN, -MARGIN) * 4, seeds, pictures=2000, accuracy=0.95, name="margin")
    for comparisons in (3, 8):
        for seeds in (3, 5, 10):
            spread = (1.0, 3.0) + (1.0,) * (comparisons - 1)
            yield Setting((0.0,) * comparisons, seeds, spreads=spread, name="one trebled")
            spread = (2.0,) + (1.0,) * comparisons
            yield Setting((0.0,) * comparisons, seeds, spreads=spread, name="control doubled")
    for seeds in (3, 5, 10):
        yield Setting((0.0,) * 8, seeds, collapse=0.1, name="collapse")
        yield Setting((0.0,) * 8, seeds, grouped=True, name="groups")
    yield Setting((0.0,) * 8, 5, more_seeds=5, name="control 10 seeds")
    for seeds in (3, 5, 10):
        effects = (0.04, 0.025, 0.025, 0.015, 0.0, 0.0, 0.0, 0.0)
        # Spreads of runs as CIFAR's cats and dogs had them: 1.2 points.
        spread = (0.7,) * 9
        yield Setting(effects, seeds, 2, 2000, 0.75, spreads=spread, name="CIFAR-like")


def gather(results: list[dict[str, list[float]]]) -> dict[str, list[float]]:
    """Return what was counted in all studies, a list a column."""
    return {name: [one for result in results for one in result[name]] for name in results[0]}


def write_row(setting: Setting, row: dict[str, list[float]]) -> str:
    """Return a line of the table."""
    head = f"{setting.name:17}{len(setting.effects):3}{setting.seeds:4}{setting.classes:4}"
    texts = [f"{head}{setting.pictures:6}"]
    for name in ("false1", "false2", "cover", "recalls"):
        texts.append(f"{100 * np.mean(row[name]):7.1f}" if name in row else "      -")
    wrong = int(np.sum(row["false2"]))
    bound = beta.ppf(0.05, wrong, len(row["false2"]) - wrong + 1) if wrong else 0.0
    texts.append(f"  lower bound {100 * bound:.1f}" if bound > 0.03 else "")
    found = [f"{name} {100 * np.mean(row[name]):.0f}" for name in sorted(row) if "found" in name]
    return "".join(texts) + "  " + ", ".join(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", help="cells whose name begins so")
    parser.add_argument("--second", action="store_true", help="version 2 only: ten times as fast")
    parser.add_argument("--rounds", action="store_true", help="studies in rounds of seeds")
    arguments = parser.parse_args()
    began = time.time()
    print(f"{'study':17}  K   S   C     N false1 false2  cover recalls")
    with Pool(arguments.workers) as pool:
        for setting in every_rounds() if arguments.rounds else ():
            jobs = [(setting, seed, False) for seed in range(arguments.studies)]
            results = pool.map(check_rounds, jobs, chunksize=20)
            print(write_rounds(setting, gather(results)), flush=True)
        for setting in () if arguments.rounds else every_setting():
            if arguments.only and not setting.name.startswith(arguments.only):
                continue
            jobs = [(setting, seed, not arguments.second) for seed in range(arguments.studies)]
            results = pool.map(check, jobs, chunksize=20)
            print(write_row(setting, gather(results)), flush=True)
    print(f"{arguments.studies} studies a cell, {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
