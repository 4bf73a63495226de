"""The tables of the ablation: long (ablation.csv), wide (to read), in all the forms asked for.

Shares in the long one; per cent and points, written by verdicts/wording.py, in what people read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.verdicts.ablation import ALL, Arm, Result, count_primary, find_arm, list_judged
from pipeline.verdicts.families import (
    HELPS,
    HURTS,
    NO_EFFECT,
    NO_GAIN,
    NO_HARM,
    OPEN,
)
from pipeline.verdicts.wording import (
    say_points,
    write_difference,
    write_interval,
    write_mean,
    write_p,
    write_percent,
)

MARKS = {HELPS: "▲", HURTS: "▼", NO_EFFECT: "=", NO_HARM: "≥", NO_GAIN: "≤", OPEN: "?"}
SHORT = {NO_EFFECT: "no effect", NO_HARM: "no harm", NO_GAIN: "no gain"}  # beyond the margin

LONG_COLUMNS = (
    "experiment", "control", "class", "metric", "mean", "sd", "runs", "difference", "low",
    "high", "p", "verdict", "visible_effect",
)  # fmt: skip
FEW_CLASSES = 3  # up to so many, the wide table has room for the intervals


@dataclass(frozen=True)
class WideTable:
    """A table as people read it: text cells."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def to_row(result: Result) -> dict[str, object]:
    """Return a line of ablation.csv; shares with six digits, nothing where nothing is known.

    `runs`: of how many runs the mean is.
    """
    row: dict[str, object] = {
        "experiment": result.experiment,
        "control": result.control,
        "class": result.label,
        "metric": result.metric,
        "mean": _digits(result.mean),
        "sd": _digits(result.sd),
        "runs": result.known,
    }
    if result.estimate:
        for name in ("difference", "low", "high"):
            row[name] = _digits(getattr(result.estimate, name))
    if result.verdict:
        row["p"] = _digits(result.estimate.p) if result.estimate else ""
        row["verdict"] = result.verdict.verdict
        row["visible_effect"] = _digits(result.verdict.visible_effect)
    return row


def to_lines(results: Sequence[Result]) -> WideTable:
    """Return the long table as people read it: per cent and points instead of shares."""
    return WideTable(
        "Ablation (%, differences in points)",
        (
            "experiment", "class", "metric", "mean", "control", "difference", "95 % interval",
            "p", "verdict", "runs",
        ),
        tuple(
            (
                result.experiment,
                result.label,
                result.metric,
                write_mean(result.mean, result.sd),
                result.control,
                write_difference(result.estimate.difference) if result.estimate else "",
                _interval(result),
                write_p(result.estimate.p) if result.estimate else "",
                result.verdict.verdict if result.verdict else "",
                _count_known(result) or str(result.runs),
            )
            for result in results
        ),
    )  # fmt: skip


def say_legend(margin: float) -> str:
    """Say what the marks and the short words mean. margin: points."""
    return (
        f"▲ above 0, ▼ below 0; by no more than {say_points(margin / 100)}: = neither way, ≥ not "
        "worse, ≤ not better; ? open. In brackets each line's own 95 % interval; the words are "
        "stricter, for they allow for all lines. A class without a mark is no finding."
    )


def narrow(results: Sequence[Result], metric: str | None, label: str | None) -> list[Result]:
    """Return the lines of one metric and one class (or `all`); None: of every."""
    return [
        result
        for result in results
        if metric in (None, result.metric) and label in (None, result.label)
    ]


def write_rows(results: Sequence[Result], form: str) -> str:
    """Return lines of the long table as csv, json, md or latex."""
    import pandas as pd

    table = pd.DataFrame([to_row(result) for result in results], columns=list(LONG_COLUMNS))
    table = table.astype(object).fillna("")
    match form:
        case "csv":
            return str(table.to_csv(index=False, lineterminator="\n"))
        case "json":
            return str(table.to_json(orient="records", indent=2, force_ascii=False) + "\n")
        case "latex":
            return str(table.to_latex(index=False, escape=True))
        case "md":
            rows = tuple(tuple(map(str, row)) for row in table.to_numpy())
            return write_markdown(WideTable("Ablation (shares)", LONG_COLUMNS, rows))
        case _:
            raise ValueError(f"unknown form {form}")


def summarise(arms: Sequence[Arm], results: Sequence[Result]) -> WideTable:
    """Return the table that decides: a line an experiment, narrow enough for any terminal."""
    controls = {arm.control for arm in arms if find_arm(arms, arm.control)}
    against = next(iter(controls)) if len(controls) == 1 else "the control"
    return WideTable(
        f"Accuracy (%), difference to {against} (points) with its 95 % interval",
        ("experiment", "accuracy", "difference", "verdict", "moved most"),
        tuple(_summary_row(arm, results) for arm in arms),
    )


def _summary_row(arm: Arm, results: Sequence[Result]) -> tuple[str, ...]:
    own = [result for result in results if result.experiment == arm.name]
    accuracy = next(result for result in own if result.metric == "accuracy")
    estimate = accuracy.estimate
    return (
        arm.name,
        write_percent(accuracy.mean),
        f"{write_difference(estimate.difference)} {_interval(accuracy)}" if estimate else "",
        _say_verdict(accuracy, results),
        _find_most_moved([result for result in own if result.metric == "recall"]),
    )


def _say_verdict(result: Result, results: Sequence[Result]) -> str:
    """Return the verdict with its mark, in as few words as will do."""
    for line in list_judged([result]):
        word, among = line.verdict.verdict, count_primary(list_judged(results))
        more = ""
        if line.leaves_0_out_in_vain:
            more = f", not enough {'' if word == OPEN else 'for more '}among {among}"
        return f"{MARKS.get(word, '–')} {SHORT.get(word, word)}{more}"
    return ""


def _find_most_moved(recalls: Sequence[Result]) -> str:
    """Return the class whose recall differs most, with its verdict's mark."""
    known = [result for result in recalls if result.estimate]
    if not known:
        return ""
    most = max(known, key=lambda r: abs(r.estimate.difference) if r.estimate else 0.0)
    assert most.estimate is not None
    mark = MARKS.get(most.verdict.verdict, "") if most.verdict else ""
    return f"{most.label}: {write_difference(most.estimate.difference)}{mark}"


def widen(
    arms: Sequence[Arm], results: Sequence[Result], classes: Sequence[str]
) -> list[WideTable]:
    """Return the tables behind the summary: the runs, then recall and precision by class."""
    by_key = {(r.experiment, r.metric, r.label): r for r in results}
    runs = WideTable(
        "Runs (accuracy in %, mean ± standard deviation)",
        ("experiment", "accuracy", "control", "runs", "steps", "training tiles"),
        tuple(_runs_row(arm, by_key[arm.name, "accuracy", ALL]) for arm in arms),
    )
    by_class = [
        WideTable(
            f"{metric.capitalize()} by class (%), with the difference to the control (points)",
            ("experiment", *classes),
            tuple(
                (
                    arm.name,
                    *(_class_cell(by_key[arm.name, metric, c], len(classes)) for c in classes),
                )
                for arm in arms
            ),
        )
        for metric in ("recall", "precision")
    ]
    return [runs, *by_class]


def write_markdown(table: WideTable) -> str:
    """Return a table as Markdown; a class name can't break out of its cell."""
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    escaped = (
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )
    return f"**{table.title}**\n\n" + "\n".join(escaped) + "\n"


def _runs_row(arm: Arm, result: Result) -> tuple[str, ...]:
    return (
        arm.name,
        write_mean(result.mean, result.sd),
        result.control,
        _count_runs(arm, result),
        _span([run["steps"] for run in arm.runs]),
        _span([run["originals"] + run["variants"] for run in arm.runs]),
    )


def _count_runs(arm: Arm, result: Result) -> str:
    """Return how many runs there are, and which of them are special."""
    told = {
        f"of {arm.twin}": result.runs - len(arm.runs),
        "failed": sum(run.get("failed_step") is not None for run in arm.runs),
        "collapsed": sum(run["collapsed"] for run in arm.runs),
    }
    special = ", ".join(f"{count} {what}" for what, count in told.items() if count)
    return f"{result.runs} ({special})" if special else str(result.runs)


def _count_known(result: Result) -> str:
    """Return '2 of 3' where the mean is not of every run, else nothing."""
    return f"{result.known} of {result.runs}" if result.known < result.runs else ""


def _class_cell(result: Result, class_count: int) -> str:
    if result.mean is None:
        return "–"
    estimate = result.estimate
    if estimate is None:
        of = f" ({_count_known(result)} runs)" if _count_known(result) else ""
        return f"{write_percent(result.mean)}{of}"
    mark = MARKS.get(result.verdict.verdict, "") if result.verdict else ""
    interval = f" {_interval(result)}" if class_count <= FEW_CLASSES else ""
    return f"{write_percent(result.mean)} {write_difference(estimate.difference)}{interval}{mark}"


def _interval(result: Result) -> str:
    return write_interval(result.estimate.low, result.estimate.high) if result.estimate else ""


def _span(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _digits(share: float | None) -> str:
    return "" if share is None else f"{share:.6f}"
