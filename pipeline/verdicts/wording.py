"""What is said of the ablation: every sentence, and the one way in which each number is written.

Shares (0.02) come in; people read per cent and points ("2.0"), with one decimal, and with two below
0.1, so that what is not 0 does not read 0.0. What is 0 has no sign; the minus is −, not a hyphen.
"""

import math
from collections.abc import Iterator, Sequence

from pipeline.errors import count_things, write_duration
from pipeline.verdicts.ablation import ALL, Arm, Judged, count_primary
from pipeline.verdicts.estimates import MINIMUM_GROUPS, MINIMUM_SEEDS
from pipeline.verdicts.families import (
    HELPS,
    HURTS,
    NO_EFFECT,
    NO_GAIN,
    NO_HARM,
    NO_VERDICT,
    OPEN,
)
from pipeline.verdicts.foresight import BLIND, Study
from pipeline.verdicts.next_step import NextStep
from pipeline.verdicts.worth import MOST_SEEDS, MOST_TIMES, REACH, Need, Worth

NAMED = 3  # lines without a verdict that are named; more are counted


def say_finding(lines: Sequence[Judged], plain: float | None, margin: float) -> str:
    """Write the finding: the accuracy without augmentation, then what each experiment does.

    plain: the mean accuracy of the experiment without augmentation, if there is one; margin: share.
    """
    sentences = []
    if plain is not None:
        sentences.append(
            f"Without augmentation {write_percent(plain)} % of the test pictures are right."
        )
    primary = [line for line in lines if line.verdict.primary]
    for word in (HELPS, HURTS):
        found = [_say_briefly(line) for line in primary if line.verdict.verdict == word]
        sentences += [f"{word.capitalize()}: {_join(found)}."] if found else []
    said = {
        NO_EFFECT: f"No effect larger than {say_points(margin)}",
        NO_HARM: f"No harm larger than {say_points(margin)}, but a gain is open",
        NO_GAIN: f"No gain larger than {say_points(margin)}, but harm is open",
        OPEN: "Open",
    }
    for word, told in said.items():
        names = [_name_briefly(line) for line in primary if line.verdict.verdict == word]
        sentences += [f"{told}: {_join(names)}."] if names else []
    silent = [line for line in primary if line.verdict.verdict == NO_VERDICT]
    if silent and len(silent) == len(primary):
        sentences.append("No verdict on any experiment.")
    return " ".join(sentences)


def _say_briefly(line: Judged) -> str:
    return f"{_name_briefly(line)} ({write_difference(line.estimate.difference)} points)"


def _name_briefly(line: Judged) -> str:
    return line.experiment if line.label == ALL else f"{line.experiment} on {line.label}"


def explain(
    lines: Sequence[Judged], *, stored: Sequence[str] = (), folds: int = 1, best: str = ""
) -> str:
    """Write the small print under the table, from its numbers: a line for each thing said.

    stored: experiments trained on stored variants. best: the arm with the highest accuracy, if the
    table shows one.
    """
    sentences = [
        *_say_controls(lines),
        *map(_say_claim, filter(_is_claim_behind, lines)),
        *_say_no_verdict(lines),
        *_say_family(lines),
        *_say_caveats(stored, folds, best),
    ]
    return "\n".join(sentences)


def _say_controls(lines: Sequence[Judged]) -> Iterator[str]:
    """Yield which experiment is held against which, where that is not the same for all."""
    pairs = {line.experiment: line.control for line in lines}
    if len(set(pairs.values())) > 1:
        told = [f"{name} against {control}" for name, control in pairs.items()]
        yield f"Compared: {_join(told)}."


def _is_claim_behind(line: Judged) -> bool:
    return not line.verdict.primary and line.verdict.verdict in (HELPS, HURTS)


def _say_claim(line: Judged) -> str:
    estimate = line.estimate
    assert estimate.low is not None and estimate.high is not None
    verb = "raises" if line.verdict.verdict == HELPS else "lowers"
    near, far = sorted([abs(estimate.low), abs(estimate.high)])
    return (
        f"{line.experiment} {verb} {_name_score(line)} by {_points(abs(estimate.difference))} "
        f"against {line.control} (95 % interval {write_percent(near)} to {write_percent(far)})."
    )


def _say_no_verdict(lines: Sequence[Judged]) -> list[str]:
    """Say why there is no verdict: name a few lines, count many."""
    without = [line for line in lines if line.verdict.verdict == NO_VERDICT]
    reasons: dict[str, list[Judged]] = {}
    for line in without:
        reason = line.verdict.reason
        # Each class has its own number of test groups: one sentence for all of them.
        reasons.setdefault("groups" if "test group" in reason else reason, []).append(line)
    if len(without) > NAMED and len(reasons) == 1 and len(without) == len(lines):
        return [f"No verdict on any of {len(lines)} lines: {_say_reason(without)}."]
    return [f"No verdict on {_name_lines(some)}: {_say_reason(some)}." for some in reasons.values()]


def _name_lines(lines: Sequence[Judged]) -> str:
    if len(lines) > NAMED:
        return f"{len(lines)} lines"
    return _join([f"{line.experiment} on {_name_score(line)}" for line in lines])


def _say_reason(lines: Sequence[Judged]) -> str:
    """Return the reason that lines share; those of test groups differ in their number alone."""
    reason = lines[0].verdict.reason
    counts = [line.estimate.groups for line in lines]
    if "test group" not in reason or min(counts) == max(counts):
        return reason
    return f"only {min(counts)} to {max(counts)} test groups, at least {MINIMUM_GROUPS} are needed"


def _say_family(lines: Sequence[Judged]) -> Iterator[str]:
    primary = count_primary(lines)
    if primary:
        recalls = sum(not line.verdict.primary for line in lines)
        behind = f" and {count_things(recalls, 'class recall')}" if recalls else ""
        yield (
            f"The words allow for {count_things(primary, 'comparison')}{behind}: the chance that "
            "any of them is false is at most 5 %. Each interval is a plain 95 % one."
        )


def _say_caveats(stored: Sequence[str], folds: int, best: str) -> Iterator[str]:
    if folds > 1:
        overlap = ", whose training sets overlap" if folds > 2 else ""
        yield f"All of it holds for these {folds} folds{overlap}: other ones could differ."
    if stored:
        yield (
            f"{_join(stored)}: trained on variants that were made once; the intervals hold for "
            "these, and other random ones could differ."
        )
    if best:
        yield (
            f"{best} has the highest accuracy, but it was picked on the test set, so this accuracy "
            "is not an estimate for new pictures."
        )


def say_broken(arm: Arm) -> Iterator[str]:
    """Yield what a reader has to know of an experiment's runs: that some collapsed or failed."""
    collapsed = sum(run["collapsed"] for run in arm.runs)
    if collapsed:
        runs = count_things(collapsed, "run")
        yield f"{runs} of {arm.name} gave every picture one class; counted like the others."
    failed = [run for run in arm.runs if run["failed_step"] is not None]
    if failed:
        steps = _join([str(run["failed_step"]) for run in failed])
        yield (
            f"{count_things(len(failed), 'run')} of {arm.name} failed (the loss was no number at "
            f"step {steps}); scored with what was learned before and counted like the others."
        )


def _name_score(line: Judged) -> str:
    return "accuracy" if line.label == ALL else f"{line.label} {line.metric}"


def say_foresight(study: Study, tested: Sequence[str], every: Sequence[str]) -> Iterator[str]:
    """Yield what a study will be able to see, and what to change first where that is little.

    tested, every: the group of each test tile, and of each tile that there is.
    """
    if not study.lines:
        return
    seen = study.see(tested)
    how = (
        "by the runs that are scored" if study.measured else "by rule of thumb: none is scored yet"
    )
    if seen is None:
        few = "too few test groups"
        if study.seeds < MINIMUM_SEEDS:
            few = count_things(study.seeds, "seed")
        yield f"With {few} there will be no verdict."
    else:
        yield (
            f"Differences in accuracy of about {_points(seen)} or more will be seen, 4 times in 5 "
            f"({how})."
        )
    if seen is None or seen >= BLIND:
        changes = [
            f"{change}: about {_points(effect)}"
            for change, effect in study.improve(tested, every).items()
        ]
        if changes:
            yield f"Before you train, change what helps most: {'; '.join(changes)}."


def say_next(step: NextStep | None, pictures: int, tiles: int, folds: int) -> str:
    """Say what to do next, with its cost.

    pictures, tiles: how many are tested and how many there are; folds: of the split.
    """
    if step is None:
        return "Next: all is settled. Each class: prep compare --all; the pictures: prep report."
    line = step.experiment if step.label == ALL else f"{step.experiment} on {step.label}"
    if step.seeds is not None:
        return (
            f"Next: {count_things(step.trainings, 'more training')} of {_join(step.arms)}, "
            f"about {write_duration(step.seconds)}, would settle {line} 4 times in 5, if its "
            f"difference is as measured. Give {'each' if len(step.arms) > 1 else 'it'} "
            f"`seeds: {step.seeds}` under experiments in params.yaml, and run: dvc repro"
        )
    if not math.isfinite(step.pictures):
        return f"Next: nothing in reach settles {line}: its difference is too small to be seen."
    needs = (
        f"Next: more trainings alone would not settle {line}; about "
        f"{_write_roughly(step.pictures)} test pictures would (now {pictures:,})"
    )
    if folds == 1 and tiles >= step.pictures:
        times = max(round(tiles / pictures), 2)
        return (
            f"{needs}: with split.folds: {times} in params.yaml all {tiles:,} are tested, in "
            f"{times} times as many trainings."
        )
    return f"{needs}, more than there are."


def say_end(
    open_names: Sequence[str], step: NextStep | None, pictures: int, trainings: int, seconds: float
) -> str:
    """Say what a study in rounds that is at its end leaves open, and what asking again takes.

    pictures: how many are tested; trainings: how many were made, which took `seconds`.
    """
    took = f"{count_things(trainings, 'training')}, {write_duration(seconds)}"
    if not open_names:
        return f"Next: nothing; all is settled, after {took}."
    are = "is" if len(open_names) == 1 else "are"
    told = f"Next: this study is at its end ({took}), and {_join(open_names)} {are} not settled."
    if step is None:
        return told
    line = step.experiment if step.label == ALL else f"{step.experiment} on {step.label}"
    if step.seeds is not None:
        more = step.seeds * len(step.arms)
        need = (
            f"about {count_things(step.seeds, 'seed')} each of {_join(step.arms)} for {line} "
            f"({count_things(more, 'training')}, about "
            f"{write_duration(more * seconds / max(trainings, 1))})"
        )
    elif math.isfinite(step.pictures):
        need = f"about {_write_roughly(step.pictures)} test pictures for {line} (now {pictures:,})"
    else:
        return f"{told} Nothing in reach would settle {'it' if are == 'is' else 'them'}."
    return f"{told} Asking again takes a new study: the smallest has {need}."


def write_percent(share: float | None) -> str:
    """Write a share in per cent, or points; nothing where it is not known."""
    return "" if share is None else _write_points(share, "")


def write_difference(share: float) -> str:
    """Write a difference of shares in points, with its sign."""
    return _write_points(share, "+")


def _write_points(share: float, sign: str) -> str:
    points = 100 * share
    digits = 1 if abs(points) >= 0.1 else 2
    if round(points, digits) == 0:
        return "0.0"
    return f"{points:{sign}.{digits}f}".replace("-", "−")


def write_mean(mean: float | None, spread: float | None) -> str:
    """Write a mean share, and its standard deviation where it is known, in per cent."""
    return write_percent(mean) + (f" ± {write_percent(spread)}" if spread is not None else "")


def write_interval(low: float | None, high: float | None) -> str:
    """Write an interval of differences in points; nothing where it is not known."""
    if low is None or high is None:
        return ""
    return f"[{write_difference(low)}, {write_difference(high)}]"


def write_p(p: float | None) -> str:
    """Write a probability with three digits."""
    return "" if p is None else f"{p:.3f}" if p >= 0.0005 else "< 0.001"


def say_points(share: float) -> str:
    """Write a margin as a person says it: '1 point', '0.5 points'."""
    return "1 point" if share == 0.01 else f"{100 * share:g} points"


def _points(share: float) -> str:
    return f"{write_percent(share)} points"


def _join(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def say_worth(name: str, worth: Worth, pictures: float, verdict: str) -> str:
    """Say what an arm is worth, `pictures` being what it trains on.

    verdict: on its accuracy. Only where that is helps or hurts is anything claimed.
    """
    if worth.reason:
        return f"{name}: what it is worth is open: {worth.reason}."
    if verdict == HELPS and worth.low > 0:
        return f"{name} is worth {_say_more(worth, pictures)}."
    if verdict == HURTS and worth.high < 0:
        return f"{name} does as much harm as having {_say_fewer(worth, pictures)}."
    least = f"{_say_end(worth.low, pictures)} training pictures"
    if math.isinf(worth.low):
        least = "fewer than a quarter of the training pictures"
    most = f"more than {2**REACH:.0f} times as many"
    if math.isfinite(worth.high):
        most = _say_end(worth.high, pictures)
    return f"{name} ({verdict}): anything from {least} to {most} fits."


def _say_end(doublings: float, pictures: float) -> str:
    return f"{_extra(doublings, pictures)} {'more' if doublings > 0 else 'fewer'}"


def _say_more(worth: Worth, pictures: float) -> str:
    at_least = _extra(min(worth.low, REACH), pictures)
    if worth.doublings > REACH:
        times = f"more than {2**REACH:.0f} times as many training pictures"
        return f"{times} (at least {at_least} more)"
    about = f"about {_extra(worth.doublings, pictures)} more training pictures"
    if math.isinf(worth.high):
        return f"{about} (at least {at_least})"
    return f"{about} (between {at_least} and {_extra(worth.high, pictures)})"


def _say_fewer(worth: Worth, pictures: float) -> str:
    at_least = _extra(max(worth.high, -REACH), pictures)
    if worth.doublings < -REACH:
        return f"fewer than a quarter of the training pictures (at least {at_least} fewer)"
    about = f"about {_extra(worth.doublings, pictures)} fewer training pictures"
    if math.isinf(worth.low):
        return f"{about} (at least {at_least})"
    return f"{about} (between {at_least} and {_extra(worth.low, pictures)})"


def _extra(doublings: float, pictures: float) -> str:
    """Write how many pictures more or fewer so many doublings are, with two digits."""
    return _write_roughly(abs(pictures * (2**doublings - 1)))


def _write_roughly(number: float) -> str:
    """Write a number with two digits that count."""
    digits = max(len(f"{number:.0f}") - 2, 0)
    return f"{round(number, -digits):,.0f}"


def say_numbers(need: Need, seeds: int, pictures: int) -> tuple[str, str, str]:
    """Return the seeds, the test pictures, and both that would settle it, as cells of a table."""
    most = MOST_TIMES * pictures
    alone = need.seeds <= MOST_SEEDS or need.pictures <= most
    both = "" if alone else "too many"
    if need.both:
        both = " and ".join(map(_write_roughly, need.both))
    return (
        _say_number(need.seeds, MOST_SEEDS, seeds),
        _say_number(need.pictures, most, pictures),
        both,
    )


def _say_number(number: float, most: float, now: int) -> str:
    if math.isinf(number):
        return "never"
    return f"over {most:,.0f}" if number > most else f"{now:,} → {_write_roughly(number)}"
