"""What is said of the ablation: every sentence, and the one way in which each number is written.

Shares (0.02) come in; people read per cent and points ("2.0"), with one decimal, and with two below
0.1, so that what is not 0 does not read 0.0. What is 0 has no sign; the minus is −, not a hyphen.
"""

import math
from collections.abc import Mapping, Sequence

from pipeline.errors import count_things
from pipeline.verdicts.ablation import ALL, Judged
from pipeline.verdicts.estimates import (
    CANNOT_TELL,
    CLAIM_SEEDS,
    HELPS,
    HURTS,
    MINIMUM_GROUPS,
    MINIMUM_SEEDS,
    NO_EFFECT,
    NO_VERDICT,
)
from pipeline.verdicts.worth import MOST_SEEDS, MOST_TIMES, REACH, Need, Worth

NAMED = 3  # lines without a verdict that are named; more are counted


def explain(
    cells: Sequence[Judged],
    *,
    margin: float,
    stored: Sequence[str] = (),
    equal_epochs: bool = False,
    collapsed: Mapping[str, int] | None = None,
    best: str = "",
) -> str:
    """Write the paragraph under the table, from its numbers.

    margin: share. stored: experiments trained on stored variants. equal_epochs: the arms ran
    equal epochs instead of equal steps. collapsed: experiment -> runs that predicted one class
    for everything. best: the arm with the highest accuracy, if the table shows one.
    """
    sentences = [
        *[_say_claim(cell) for cell in cells if cell.verdict.verdict in (HELPS, HURTS)],
        _say_no_effect(cells, margin),
        _say_cannot_tell(cells),
        *_say_no_verdict(cells),
        _say_family(cells),
        *_say_caveats(cells, stored, equal_epochs, collapsed or {}, best),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _say_claim(cell: Judged) -> str:
    estimate = cell.estimate
    assert estimate.low is not None and estimate.high is not None
    verb = "raises" if cell.verdict.verdict == HELPS else "lowers"
    near, far = sorted([abs(estimate.low), abs(estimate.high)])
    return (
        f"{cell.experiment} {verb} {_name_score(cell)} by {_points(abs(estimate.difference))} "
        f"against {cell.control} (95 % interval {write_percent(near)} to {write_percent(far)}): "
        f"{cell.verdict.verdict}."
    )


def _say_no_effect(cells: Sequence[Judged], margin: float) -> str:
    names = [_name_cell(cell) for cell in cells if cell.verdict.verdict == NO_EFFECT]
    if not names:
        return ""
    return f"{NO_EFFECT.capitalize()} of {_points(margin)}: {_join(names)}."


def _say_cannot_tell(cells: Sequence[Judged]) -> str:
    unclear = [cell for cell in cells if cell.verdict.verdict == CANNOT_TELL]
    if not unclear:
        return ""
    effects = [cell.verdict.visible_effect or 0.0 for cell in unclear]
    least, most = write_visible(min(effects)), write_visible(max(effects))
    reach = f"{least} points" if least == most else f"{least} to {most} points, line by line"
    who = _name_cell(unclear[0]) if len(unclear) == 1 else count_things(len(unclear), "line")
    return (
        f"Cannot tell: {who}; the smallest effect that this test set and these seeds would have "
        f"shown with 80 % power is {reach}."
    )


def _say_no_verdict(cells: Sequence[Judged]) -> list[str]:
    """Say why there is no verdict: name a few lines, count many."""
    without = [cell for cell in cells if cell.verdict.verdict == NO_VERDICT]
    reasons: dict[str, list[Judged]] = {}
    for cell in without:
        reason = cell.verdict.reason
        # Each class has its own number of test groups: one sentence for all of them.
        reasons.setdefault("groups" if "test group" in reason else reason, []).append(cell)
    if len(without) > NAMED and len(reasons) == 1 and len(without) == len(cells):
        return [f"No verdict on any of {len(cells)} comparisons: {_say_reason(without)}."]
    return [f"No verdict on {_name_lines(some)}: {_say_reason(some)}." for some in reasons.values()]


def _name_lines(cells: Sequence[Judged]) -> str:
    if len(cells) > NAMED:
        return f"{len(cells)} comparisons"
    return _join([_name_cell(cell) for cell in cells])


def _say_reason(cells: Sequence[Judged]) -> str:
    """Return the reason that cells share; those of test groups differ in their number alone."""
    reason = cells[0].verdict.reason
    counts = [cell.estimate.groups for cell in cells]
    if "test group" not in reason or min(counts) == max(counts):
        return reason
    return f"only {min(counts)} to {max(counts)} test groups, at least {MINIMUM_GROUPS} are needed"


def _say_family(cells: Sequence[Judged]) -> str:
    tests = sum(cell.verdict.adjusted_p is not None for cell in cells)
    if tests == 0:
        return ""
    return (
        f"Helps and hurts are corrected for {count_things(tests, 'comparison')} (Holm): the chance "
        "that even one of them is a false alarm is at most 5 %. Each interval is a plain 95 % one."
    )


def _say_caveats(
    cells: Sequence[Judged],
    stored: Sequence[str],
    equal_epochs: bool,
    collapsed: Mapping[str, int],
    best: str,
) -> list[str]:
    broken = [f"{count_things(runs, 'run')} of {name}" for name, runs in collapsed.items() if runs]
    seeds = min((cell.estimate.seeds for cell in cells), default=CLAIM_SEEDS)
    caveats = {
        f"Collapsed to one class: {_join(broken)}; counted like the others.": bool(broken),
        f"With {count_things(seeds, 'seed')} take a verdict as a hint: {CLAIM_SEEDS} or more make "
        "a claim.": MINIMUM_SEEDS <= seeds < CLAIM_SEEDS,
        f"{_join(stored)}: trained on stored variants, so the intervals hold for those draws "
        "only.": bool(stored),
        "The arms ran equal epochs, so an arm with more pictures also took more training "
        "steps.": equal_epochs,
        f"{best} has the highest accuracy, but it was picked on the test set, so this accuracy "
        "is not an estimate for new pictures.": bool(best),
    }
    return [sentence for sentence, applies in caveats.items() if applies]


def _name_score(cell: Judged) -> str:
    return "accuracy" if cell.label == ALL else f"{cell.label} {cell.metric}"


def _name_cell(cell: Judged) -> str:
    return f"{cell.experiment} on {_name_score(cell)}"


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


def write_visible(effect: float | None) -> str:
    """Write the smallest effect that would have been seen; none above what is possible."""
    if not effect:
        return ""
    return write_percent(effect) if effect < 1 else "over 100"


def write_p(p: float | None) -> str:
    """Write a probability with three digits."""
    return "" if p is None else f"{p:.3f}" if p >= 0.0005 else "< 0.001"


def _points(share: float) -> str:
    return f"{write_percent(share)} points"


def _join(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def say_worth(name: str, worth: Worth, pictures: float, verdict: str) -> str:
    """Say what an arm is worth, `pictures` being what it trains on.

    verdict: on its accuracy. Only where that is helps or hurts is anything claimed.
    """
    if worth.reason:
        return f"{name}: cannot tell what it is worth: {worth.reason}."
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
        _saywrite_percent(need.seeds, MOST_SEEDS, seeds),
        _saywrite_percent(need.pictures, most, pictures),
        both,
    )


def _saywrite_percent(number: float, most: float, now: int) -> str:
    if math.isinf(number):
        return "never"
    return f"over {most:,.0f}" if number > most else f"{now:,} → {_write_roughly(number)}"
