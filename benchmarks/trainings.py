"""The verdicts on real trainings: `python benchmarks/trainings.py --mnist FOLDER`.

A study here is one as `prep` makes it: 1,000 training pictures, 200 that choose the checkpoint and
1,000 test pictures, all drawn from MNIST's 70,000; 5 seeds of each arm, of equal steps. Versions 1
and 2 of the verdicts judge the same studies. Three kinds of them:

same     `duplicate` against `none`, which differ in nothing but the order of the pictures. Each
         study has its own training pictures. The truth is 0, and every claim is a false one.
planted  `flip` and `rotate` against `none`. 20 studies share the training pictures and the
         variants, for which alone an interval is meant to hold; each has its own seeds and test
         pictures. Its truth is the mean difference over the 95 seeds of the other studies, on
         29,000 pictures that it neither is trained nor tested on.
moved    the test pictures lie 3 pixels further right, `shift` against `none`: has to be found.

Said is any word but open (of a recall, any word); right where the truth is so, else wrong.
"""

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import version1
from scipy.stats import binomtest

from pipeline.augmentation import parsing, recipes, warps
from pipeline.dataset.predictions import choose_classes
from pipeline.intake.outside import Outside, read_outside
from pipeline.network import asking, building, fitting
from pipeline.training.schedule import Schedule
from pipeline.verdicts.ablation import ALL, Arm, Result, compare_arms
from pipeline.verdicts.families import HELPS, HURTS, NO_EFFECT, NO_GAIN, NO_HARM
from pipeline.verdicts.scores import score_run

TRAINING, VALIDATION, TEST = 1000, 200, 1000  # pictures of a study
SEEDS = 5  # of a study
LOT = 20  # studies with the same training pictures
ASKED = 30_000  # pictures from which a lot's test pictures come, and its truth
MODEL, STEPS, BATCH_SIZE, VALIDATE_EVERY = "dense512", 150, 64, 50
MARGIN = 0.01
NONE = "none"
OPS: dict[str, dict[str, Any]] = {
    "duplicate": {},
    "flip": {},
    "rotate": {"degrees": [-15, 15]},
    "shift": {"x": [-0.12, 0.12], "y": [-0.12, 0.12]},
}
MOVED = 3  # pixels

Images = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]  # numbers of pictures, and labels
Predicted = dict[str, npt.NDArray[np.uint8]]  # of each arm: (S, N)
Truth = dict[tuple[str, str], float]  # of each arm, for a class or all


@dataclass(frozen=True)
class Judged:
    """One line of a study's table beside the truth, as a share."""

    study: int
    arm: str
    label: str
    difference: float
    low: float
    high: float
    verdict: str
    first: str  # what version 1 says
    truth: float

    @property
    def covers(self) -> bool:
        """Whether the interval holds the truth."""
        return self.low <= self.truth <= self.high


def is_right(word: str, truth: float) -> bool:
    """Return whether a word says what is true."""
    return {
        HELPS: truth > 0,
        HURTS: truth < 0,
        NO_EFFECT: abs(truth) < MARGIN,
        NO_HARM: truth > -MARGIN,
        NO_GAIN: truth < MARGIN,
    }.get(word, False)


def is_wrong(word: str, truth: float) -> bool:
    """Return whether a word says what is not true."""
    return word in (HELPS, HURTS, NO_EFFECT, NO_HARM, NO_GAIN) and not is_right(word, truth)


# --- one study --------------------------------------------------------------------------------


def read_pictures(folder: Path) -> Outside:
    """Read all pictures of MNIST's four IDX files."""
    train, test = read_outside(folder, "train"), read_outside(folder, "test")
    images = np.concatenate([train.images, test.images])
    labels = np.concatenate([train.labels, test.labels])
    return Outside(images, labels, train.classes)


def add_variants(images: Images, rows: Rows, arm: str) -> Images:
    """Return the originals and after them the arm's variants; a picture's row is its id."""
    if arm == NONE:
        return images
    op = parsing.parse_op(arm, OPS[arm])
    draws = recipes.draw(op, op.seed, [str(row) for row in rows], copy=0)
    return np.concatenate([images, recipes.apply(op, images, draws)])


def train(
    model: Any, images: Images, labels: Rows, validation: tuple[Images, Rows], seed: int
) -> None:
    """Train as `prep train` does; the first images are the originals."""
    building.restart(model, seed)
    order = Schedule(seed, TRAINING, len(images) - TRAINING, STEPS, BATCH_SIZE)
    fitting.fit(
        model,
        lambda step: (images[order[step]], labels[order[step]]),
        steps=STEPS,
        validate_every=VALIDATE_EVERY,
        validation=validation,
    )


def run_arms(
    model: Any,
    pictures: Outside,
    rows: Rows,
    arms: Sequence[str],
    seeds: Sequence[int],
    asked: Images,
) -> Predicted:
    """Train each arm with each seed on the first rows, the others choose the checkpoint.

    Returns what they say of the pictures that are asked for.
    """
    used, held = np.split(rows, [TRAINING])
    validation = pictures.images[held], pictures.labels[held]
    predicted = {}
    for arm in (NONE, *arms):
        images = add_variants(pictures.images[used], used, arm)
        labels = np.resize(pictures.labels[used], len(images))  # the variants' are the same again
        said = []
        for seed in seeds:
            train(model, images, labels, validation, seed)
            said.append(choose_classes(asking.predict(model, asked, 2048)).astype(np.uint8))
        predicted[arm] = np.stack(said)
    return predicted


def judge(study: int, predicted: Predicted, labels: Rows, truth: Truth) -> list[Judged]:
    """Compare the arms as `prep compare` does, and put the truth beside each verdict."""
    classes = [str(number) for number in range(10)]
    arms = [
        Arm(
            name=name,
            control=None if name == NONE else NONE,
            seeds=tuple(range(len(said))),
            predicted=said,
            runs=[asdict(score_run(labels, one, len(classes))) for one in said],
        )
        for name, said in predicted.items()
    ]
    nobody = np.full(len(labels), "", object)  # no picture belongs to a group
    results = compare_arms(arms, labels, nobody, classes, MARGIN)
    judged = [result for result in results if result.verdict]
    first = judge_first(predicted, labels, judged)
    return [
        to_judged(study, result, word, truth) for result, word in zip(judged, first, strict=True)
    ]


def judge_first(predicted: Predicted, labels: Rows, results: Sequence[Result]) -> list[str]:
    """Return what version 1 says of the same lines."""
    estimates = []
    for result in results:
        own = labels == int(result.label) if result.label != ALL else np.ones(len(labels), bool)
        arm, none = (predicted[name][:, own] == labels[own] for name in (result.experiment, NONE))
        estimates.append(
            version1.estimate_difference(arm.astype(float) - none, np.arange(own.sum()))
        )
    return version1.judge_family(estimates, MARGIN)


def to_judged(study: int, result: Result, first: str, truth: Truth) -> Judged:
    estimate, verdict = result.estimate, result.verdict
    assert estimate and verdict and estimate.low is not None and estimate.high is not None
    return Judged(
        study=study,
        arm=result.experiment,
        label=result.label,
        difference=estimate.difference,
        low=estimate.low,
        high=estimate.high,
        verdict=verdict.verdict,
        first=first,
        truth=truth.get((result.experiment, result.label), 0.0),
    )


# --- the three kinds --------------------------------------------------------------------------


def run_alone(model: Any, pictures: Outside, study: int, arm: str, moved: int = 0) -> list[Judged]:
    """Run a study of one arm with its own training pictures, the test pictures moved (pixels)."""
    drawn = np.random.default_rng([moved, study]).permutation(len(pictures.labels))
    rows, test = np.split(drawn[: TRAINING + VALIDATION + TEST], [TRAINING + VALIDATION])
    images = pictures.images[test]
    if moved:
        images = warps.shift(images, moved / images.shape[2])
    seeds = range(SEEDS * study, SEEDS * (study + 1))
    predicted = run_arms(model, pictures, rows, [arm], seeds, images)
    return judge(study, predicted, pictures.labels[test], {})


def run_lot(model: Any, pictures: Outside, lot: int, arms: Sequence[str]) -> Iterator[Judged]:
    """Run the studies of one lot, with the truth of each."""
    rng = np.random.default_rng([10, lot])
    drawn = rng.permutation(len(pictures.labels))
    rows, rest = np.split(drawn[: TRAINING + VALIDATION + ASKED], [TRAINING + VALIDATION])
    labels = pictures.labels[rest]
    seeds = range(SEEDS * LOT)
    predicted = run_arms(model, pictures, rows, arms, seeds, pictures.images[rest])
    for number in range(LOT):
        own = np.arange(SEEDS * number, SEEDS * (number + 1))
        test = rng.permutation(len(rest))[:TEST]
        others = {arm: np.delete(said, own, axis=0) for arm, said in predicted.items()}
        truth = find_truth(others, labels, np.delete(np.arange(len(rest)), test))
        study = {arm: said[own][:, test] for arm, said in predicted.items()}
        yield from judge(LOT * lot + number, study, labels[test], truth)


def find_truth(predicted: Predicted, labels: Rows, rest: Rows) -> Truth:
    """Return each arm's mean difference to `none` over all seeds, on the rest of the pictures."""
    shares = {arm: (said == labels).mean(axis=0)[rest] for arm, said in predicted.items()}
    chosen = {ALL: np.ones(len(rest), bool)}
    chosen |= {str(number): labels[rest] == number for number in range(10)}
    return {
        (arm, label): float((share - shares[NONE])[which].mean())
        for arm, share in shares.items()
        for label, which in chosen.items()
    }


# --- the table --------------------------------------------------------------------------------

COLUMNS = (
    "arm", "of", "truth (points)", "interval holds the truth", "helps or hurts (version 1)",
    "said (version 1)", "wrong (version 1)",
)  # fmt: skip


def write_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def describe(lines: Sequence[Judged], what: str) -> str:
    """Return a line of the table: how often the intervals and the verdicts were right."""
    truths = 100 * np.array([line.truth for line in lines])
    span = f"{truths.min():+.1f} to {truths.max():+.1f}" if truths.any() else "0"
    kinds = [
        [(line.verdict in (HELPS, HURTS), line.first in (HELPS, HURTS)) for line in lines],
        [(is_said(line.verdict), is_said(line.first)) for line in lines],
        [(is_wrong(line.verdict, line.truth), is_wrong(line.first, line.truth)) for line in lines],
    ]
    shares = [100 * np.mean(kind, axis=0) for kind in kinds]
    texts = [f"{second:.1f} % ({first:.1f} %)" for second, first in shares]
    return write_line([lines[0].arm, what, span, describe_cover(lines), *texts])


def is_said(word: str) -> bool:
    """Return whether a word says anything."""
    return word in (HELPS, HURTS, NO_EFFECT, NO_HARM, NO_GAIN)


def describe_cover(lines: Sequence[Judged]) -> str:
    """Return the share of intervals that hold the truth, with its own 95 % interval.

    Exact where a study has one line; otherwise from the spread of the studies, whose lines are
    not independent.
    """
    studies = sorted({line.study for line in lines})
    shares = [np.mean([line.covers for line in lines if line.study == one]) for one in studies]
    if len(lines) == len(studies):
        return describe_share(round(sum(shares)), len(studies))
    mean, error = np.mean(shares), 1.96 * np.std(shares, ddof=1) / len(shares) ** 0.5
    low, high = max(mean - error, 0), min(mean + error, 1)
    return f"{100 * mean:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def describe_share(count: int, of: int) -> str:
    """Return a share in per cent with its exact binomial 95 % interval."""
    interval = binomtest(count, of).proportion_ci()
    return f"{100 * count / of:.1f} % ({100 * interval.low:.1f} to {100 * interval.high:.1f})"


def print_arms(lines: Sequence[Judged]) -> None:
    """Print each arm's lines of the table: the accuracies, and the recalls."""
    for arm in dict.fromkeys(line.arm for line in lines):
        own = [line for line in lines if line.arm == arm]
        accuracies = [line for line in own if line.label == ALL]
        recalls = [line for line in own if line.label != ALL]
        print(describe(accuracies, f"{len(accuracies)} accuracies"))
        print(describe(recalls, f"{len(recalls)} recalls"), flush=True)


def count_false(lines: Sequence[Judged]) -> str:
    """Return how many studies said anywhere what is not true."""
    studies = {line.study for line in lines}
    false = {line.study for line in lines if is_wrong(line.verdict, line.truth)}
    return f"{len(false)} of {len(studies)}: {describe_share(len(false), len(studies))}"


def report_moved(lines: Sequence[Judged]) -> str:
    """Return how often `shift` was found to help where the test pictures had moved."""
    accuracies = [line for line in lines if line.label == ALL]
    found = sum(line.verdict == HELPS for line in accuracies)
    least = min(line.difference for line in accuracies)
    return (
        f"Test pictures moved by {MOVED} pixels: shift helps in {found} of {len(accuracies)} "
        f"studies, by {100 * least:.1f} points or more."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", type=Path, required=True, help="folder of the four IDX files")
    parser.add_argument("--studies", type=int, default=80, help="of kind same; planted: half of it")
    arguments = parser.parse_args()
    began, count = time.time(), arguments.studies
    pictures = read_pictures(arguments.mnist)
    model = building.build(MODEL, pictures.images.shape[1:], len(pictures.classes), seed=0)
    print(write_line(COLUMNS), write_line(["---"] * len(COLUMNS)), sep="\n", flush=True)
    same = [x for n in range(count) for x in run_alone(model, pictures, n, "duplicate")]
    print_arms(same)
    lots = range(max(count // 2 // LOT, 1))
    planted = [x for lot in lots for x in run_lot(model, pictures, lot, ["flip", "rotate"])]
    print_arms(planted)
    others = range(max(count // LOT, 1))
    moved = [x for n in others for x in run_alone(model, pictures, n, "shift", MOVED)]
    print(
        f"\nStudies in which anything false was said: same {count_false(same)}; planted "
        f"{count_false(planted)}."
    )
    print(report_moved(moved))
    print(f"{time.time() - began:.0f} s on {len(os.sched_getaffinity(0))} cores")


if __name__ == "__main__":
    main()
