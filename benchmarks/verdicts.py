"""Check the verdicts on simulated studies: python benchmarks/verdicts.py [--studies 1000].

A simulated study trains a control and six experiments with 3, 5 or 10 seeds and tests them on
about 1,000 pictures of four classes. Whether a picture is classified correctly depends on a
latent score: the picture's difficulty (shared within its group, if there are groups), the
experiment's effect (larger on some pictures and groups than on others), the run (some are
better all over, some lean towards a class), the seed's noise on this picture (both arms share
a part of it) and the run's own. All are normal, so the planted difference is known exactly.

The columns, in per cent:

A/A        studies without any effect that made a false claim somewhere among the 25 cells of
           five experiments; to be at most 5
plain      the same with Satterthwaite's t instead, for comparison
cover 0    intervals that hold 0 in those studies
cover      intervals of an accuracy that hold a planted difference of 3 points
recalls    the same for the recalls
bootstrap  the same for the accuracies with a percentile bootstrap over the seeds, for comparison
promise    the median smallest visible effect of one comparison alone, in points
found      how often a planted effect of that size was found: each study's own promise, planted
           in a fresh study (`own`), and the median promise (`median`)
Holm       the same three for one cell of 25; "-" where an effect so large does not exist
"""

import argparse
import gc
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import Pool
from multiprocessing.pool import Pool as Workers
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, t

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.verdicts.estimates import (
    FAMILY_SIGNIFICANCE,
    HELPS,
    HURTS,
    SIGNIFICANCE,
    Components,
    Estimate,
    adjust_holm,
    estimate_difference,
    find_visible_effect,
    judge_family,
)

CLASSES = 4
EXPERIMENTS = 6  # the first one stands alone, the others are a family
BASE = 0.6  # latent: an accuracy of about 70 %
UNEVEN = 0.3  # how much an effect differs from picture to picture
ALMOST_NOTHING = -1e-9  # an effect on single pictures, none on the accuracy
PICTURE_NOISE = (0.3, 0.5)  # of seed x picture: shared by the arms, and each run's own
NOISE = {  # a run's shift and its leaning to a class: sd of accuracy 0.4, 2.5 and 6 points
    "low": (0.013, 0.03),
    "typical": (0.085, 0.2),
    "high": (0.21, 0.6),
}


@dataclass(frozen=True)
class Setting:
    """What kind of study is simulated."""

    seeds: int
    noise: str
    grouped: bool

    @property
    def variance(self) -> float:
        """The variance of the control's latent score over everything that is random."""
        run, lean = NOISE[self.noise]
        return 1 + sum(sd**2 for sd in PICTURE_NOISE) + run**2 + lean**2 * (1 - 1 / CLASSES)

    @property
    def accuracy(self) -> float:
        """The control's true accuracy."""
        return float(norm.cdf(BASE / self.variance**0.5))


@dataclass(frozen=True)
class Study:
    """Test pictures (N,) and who got them right: (arms, S, N), the control first."""

    labels: npt.NDArray[np.int64]
    groups: npt.NDArray[np.int64]
    correct: npt.NDArray[np.bool_]

    def estimates(self, experiments: Iterable[int]) -> list[Estimate]:
        """Estimate accuracy and every class's recall for some experiments (0 is the first)."""
        return [
            estimate_difference(self.differences(experiment)[:, cell], self.groups[cell])
            for experiment in experiments
            for cell in self.cells()
        ]

    def differences(self, experiment: int) -> npt.NDArray[np.float64]:
        """Return one experiment minus the control, (S, N)."""
        return self.correct[experiment + 1].astype(np.float64) - self.correct[0]

    def cells(self) -> list[npt.NDArray[np.bool_]]:
        """Return which pictures count for accuracy, and for each class's recall."""
        everything = np.ones(len(self.labels), dtype=bool)
        return [everything, *(self.labels == label for label in range(CLASSES))]


def simulate_study(rng: np.random.Generator, setting: Setting, effects: list[float]) -> Study:
    """Draw one study whose experiments have these true differences in accuracy and recall.

    An effect of exactly 0 is an A/A arm: it changes no picture systematically.
    """
    sizes = rng.geometric(0.2, 200) if setting.grouped else np.ones(1000, dtype=np.int64)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    labels = groups % CLASSES
    difficulty = _draw_pictures(rng, groups, 0.25 if setting.grouped else 0.0)
    shape = (setting.seeds, len(groups))
    shared = BASE + difficulty + PICTURE_NOISE[0] * rng.standard_normal(shape, dtype=np.float32)
    correct = []
    for effect in [None, *effects]:
        score = shared + _draw_runs(rng, setting, labels)
        if effect:
            shift = find_shift(setting, effect)
            score += shift + UNEVEN * _draw_pictures(rng, groups, 0.5 if setting.grouped else 0.0)
        correct.append(score > 0)
    return Study(labels, groups, np.stack(correct))


def _draw_pictures(
    rng: np.random.Generator, groups: npt.NDArray[np.int64], within: float
) -> npt.NDArray[np.float64]:
    """Draw one standard normal a picture, with correlation `within` inside a group."""
    of_group = rng.standard_normal(groups[-1] + 1)[groups]
    return within**0.5 * of_group + (1 - within) ** 0.5 * rng.standard_normal(len(groups))


def _draw_runs(
    rng: np.random.Generator, setting: Setting, labels: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    run, lean = NOISE[setting.noise]
    leanings = lean * rng.standard_normal((setting.seeds, CLASSES))
    leanings += run * rng.standard_normal((setting.seeds, 1)) - leanings.mean(axis=1, keepdims=True)
    own = rng.standard_normal((setting.seeds, len(labels)), dtype=np.float32)
    return leanings[:, labels] + PICTURE_NOISE[1] * own


def find_shift(setting: Setting, effect: float) -> float:
    """Return the latent shift that changes the accuracy by `effect` (a share)."""
    spread = (setting.variance + UNEVEN**2) ** 0.5
    return float(spread * norm.ppf(setting.accuracy + effect) - BASE)


# --- what is measured on one study ------------------------------------------------------------


def check_same(setting: Setting, seed: int) -> dict[str, float]:
    """One A/A study: any false claim, and the intervals that hold 0."""
    study = simulate_study(_start(setting, seed, 0), setting, [0.0] * EXPERIMENTS)
    estimates = study.estimates(range(1, EXPERIMENTS))
    return {
        "A/A": any(claims(estimates)),
        "plain": any(map(is_claim, adjust_holm([p_satterthwaite(e) for e in estimates]))),
        "cover 0": _cover(estimates, 0.0),
    }


def check_planted(setting: Setting, seed: int, effect: float = 0.03) -> dict[str, float]:
    """One study with a planted difference: the intervals that hold it."""
    study = simulate_study(_start(setting, seed, 1), setting, [effect] * EXPERIMENTS)
    estimates = study.estimates(range(EXPERIMENTS))
    accuracies, recalls = estimates[:: CLASSES + 1], [e for e in estimates if e.pictures < 500]
    return {
        "cover": _cover(accuracies, effect),
        "recalls": _cover(recalls, effect),
        "bootstrap": bootstrap_covers(study, seed, effect),
    }


def check_promise(
    setting: Setting, seed: int, median: tuple[float, float] | None = None
) -> dict[str, float]:
    """One study's promises, kept in a fresh study or not: alone, and in a family.

    The other experiments of the family are taken to show nothing. median: plant these effects
    instead of the study's own promises.
    """
    others = (EXPERIMENTS - 2) * (CLASSES + 1)
    levels = (FAMILY_SIGNIFICANCE, FAMILY_SIGNIFICANCE / (others + CLASSES + 1))
    first = simulate_study(_start(setting, seed, 2), setting, [ALMOST_NOTHING] * 2)
    promises = [
        find_visible_effect(_known(first.estimates([experiment])[0]), level)
        for experiment, level in enumerate(levels)
    ]
    planted = [max(-promise, 0.01 - setting.accuracy) for promise in median or promises]
    fresh = simulate_study(_start(setting, seed, 3), setting, planted)
    p_values = [estimate.p for estimate in fresh.estimates([1])]
    return {
        "promise": promises[0],
        "own": is_claim(fresh.estimates([0])[0].p),
        "promise Holm": promises[1],
        "own Holm": is_claim(adjust_holm([*p_values, *[1.0] * others])[0]),
    }


def _start(setting: Setting, seed: int, part: int) -> np.random.Generator:
    noise = list(NOISE).index(setting.noise)
    return np.random.default_rng([seed, part, setting.seeds, noise, setting.grouped])


def claims(estimates: list[Estimate]) -> list[bool]:
    return [verdict.verdict in (HELPS, HURTS) for verdict in judge_family(estimates, 0.01)]


def is_claim(adjusted_p: float | None) -> bool:
    return adjusted_p is not None and adjusted_p < FAMILY_SIGNIFICANCE


def _known(estimate: Estimate) -> Components:
    assert estimate.components is not None
    return estimate.components


def _cover(estimates: list[Estimate], truth: float) -> float:
    held = [e.low <= truth <= e.high for e in estimates if e.low is not None and e.high is not None]
    return float(np.mean(held))


# --- two methods that fail, for comparison ----------------------------------------------------


def p_satterthwaite(estimate: Estimate) -> float:
    """The p-value of the same variance with Satterthwaite's degrees of freedom."""
    parts = _known(estimate)
    both_degrees = parts.seed_degrees * parts.group_degrees
    squares = (
        parts.seeds**2 / parts.seed_degrees
        + parts.groups**2 / parts.group_degrees
        + parts.both**2 / both_degrees
    )
    degrees = max(parts.standard_error**4 / max(squares, 1e-300), parts.seed_degrees)
    return float(2 * t.sf(abs(estimate.difference) / parts.standard_error, degrees))


def bootstrap_covers(study: Study, seed: int, truth: float, draws: int = 1000) -> float:
    """Return the share of accuracies whose percentile bootstrap over the seeds holds the truth."""
    seeds = study.correct.shape[1]
    picks = np.random.default_rng(seed).integers(seeds, size=(draws, seeds))
    means = [study.differences(e).mean(axis=1)[picks].mean(axis=1) for e in range(EXPERIMENTS)]
    low, high = np.quantile(means, [SIGNIFICANCE / 2, 1 - SIGNIFICANCE / 2], axis=1)
    return float(np.mean((low <= truth) & (truth <= high)))


# --- many studies -----------------------------------------------------------------------------

Check = Callable[..., dict[str, float]]
Job = tuple[Check, Setting, int, tuple]


def _work(job: Job) -> dict[str, float]:
    check, setting, seed, extra = job
    return check(setting, seed, *extra)


def run_studies(
    pool: Workers, check: Check, setting: Setting, studies: int, *extra: object
) -> dict[str, list[float]]:
    """Run one check on many studies; returns name -> one value a study."""
    jobs = [(check, setting, seed, extra) for seed in range(studies)]
    results = pool.map(_work, jobs, chunksize=20)
    return {name: [result[name] for result in results] for name in results[0]}


def measure_setting(pool: Workers, setting: Setting, studies: int) -> dict[str, float | str]:
    """Measure one row of the table."""
    rows = run_studies(pool, check_same, setting, studies)
    rows |= run_studies(pool, check_planted, setting, studies)
    row: dict[str, float | str] = {name: float(np.mean(rows[name])) for name in rows}
    own = run_studies(pool, check_promise, setting, studies)
    median = tuple(float(np.median(own[name])) for name in ("promise", "promise Holm"))
    typical = run_studies(pool, check_promise, setting, studies, median)
    for name, promise in zip(("", " Holm"), median, strict=True):
        possible = promise < setting.accuracy - 0.05
        row[f"promise{name}"] = promise
        row[f"own{name}"] = float(np.mean(own[f"own{name}"])) if possible else "-"
        row[f"median{name}"] = float(np.mean(typical[f"own{name}"])) if possible else "-"
    return row


def every_setting() -> Iterator[Setting]:
    for grouped in (False, True):
        for noise in NOISE:
            for seeds in (3, 5, 10):
                yield Setting(seeds, noise, grouped)


def _write_row(setting: Setting, row: dict[str, float | str]) -> str:
    kind = "grouped" if setting.grouped else "single"
    texts = {name: v if isinstance(v, str) else f"{100 * v:.1f}" for name, v in row.items()}
    values = "".join(f"{text:>{_width(name)}}" for name, text in texts.items())
    return f"{kind:8} {setting.noise:8}{setting.seeds:5d}" + values


def _width(name: str) -> int:
    return max(len(name), 4) + 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    began = time.time()
    # statsmodels collects garbage at every correction; what is loaded now need not be searched.
    with Pool(arguments.workers, initializer=gc.freeze) as pool:
        for index, setting in enumerate(every_setting()):
            row = measure_setting(pool, setting, arguments.studies)
            if index == 0:
                print("pictures noise   seeds" + "".join(f"{name:>{_width(name)}}" for name in row))
            print(_write_row(setting, row), flush=True)
    print(f"{arguments.studies} studies a cell, {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
