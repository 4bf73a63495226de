"""The tables of the ablation: long (ablation.csv), wide (to read), in all the forms asked for.

Shares in the long one; per cent and points, written by verdicts/wording.py, in what people read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.verdicts.ablation import ALL, Arm, Result
from pipeline.verdicts.estimates import HELPS, HURTS, NO_EFFECT
from pipeline.verdicts.wording import (
    write_difference,
    write_interval,
    write_mean,
    write_p,
    write_percent,
    write_visible,
)

MARKS = {HELPS: "▲", HURTS: "▼", NO_EFFECT: "="}

LEGEND = (
    "▲ helps, ▼ hurts, = no effect beyond the margin; without a mark: cannot tell or no verdict"
)

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
        row["p"] = _digits(result.verdict.adjusted_p)
        row["verdict"] = result.verdict.verdict
        row["visible_effect"] = _digits(result.verdict.visible_effect)
    return row


def to_lines(results: Sequence[Result]) -> WideTable:
    """Return the long table as people read it: per cent and points instead of shares."""
    return WideTable(
        "Ablation (%, differences in points)",
        (
            "experiment", "class", "metric", "mean", "control", "difference", "95 % interval",
            "p (Holm)", "verdict", "visible effect", "runs",
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
                write_p(result.verdict.adjusted_p) if result.verdict else "",
                result.verdict.verdict if result.verdict else "",
                write_visible(result.verdict.visible_effect) if result.verdict else "",
                _count_known(result) or str(result.runs),
            )
            for result in results
        ),
    )  # fmt: skip


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
    table = table.fillna("")
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


def widen(
    arms: Sequence[Arm], results: Sequence[Result], classes: Sequence[str]
) -> list[WideTable]:
    """Return the tables to read: accuracy, then recall and precision by class."""
    by_key = {(r.experiment, r.metric, r.label): r for r in results}
    accuracy = WideTable(
        "Accuracy (%)",
        (
            "experiment", "accuracy", "control", "difference", "95 % interval", "verdict",
            "visible effect", "runs", "steps", "training tiles",
        ),
        tuple(_accuracy_row(arm, by_key[arm.name, "accuracy", ALL]) for arm in arms),
    )  # fmt: skip
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
    return [accuracy, *by_class]


def write_markdown(table: WideTable) -> str:
    """Return a table as Markdown; a class name can't break out of its cell."""
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    escaped = (
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )
    return f"**{table.title}**\n\n" + "\n".join(escaped) + "\n"


def _accuracy_row(arm: Arm, result: Result) -> tuple[str, ...]:
    estimate, verdict = result.estimate, result.verdict
    return (
        arm.name,
        write_mean(result.mean, result.sd),
        result.control,
        write_difference(estimate.difference) if estimate else "",
        _interval(result),
        verdict.verdict if verdict else "",
        write_visible(verdict.visible_effect) if verdict else "",
        _count_runs(arm),
        _span([run["steps"] for run in arm.runs]),
        _span([run["originals"] + run["variants"] for run in arm.runs]),
    )


def _count_runs(arm: Arm) -> str:
    broken = {
        "failed": sum(run.get("failed_step") is not None for run in arm.runs),
        "collapsed": sum(run["collapsed"] for run in arm.runs),
    }
    told = ", ".join(f"{count} {how}" for how, count in broken.items() if count)
    return f"{len(arm.runs)} ({told})" if told else str(len(arm.runs))


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
