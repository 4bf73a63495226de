"""prep compare: scores/ -> ablation.csv, ablation.json, ablation.md, and the table printed."""

import json
from typing import Any

from pipeline import console
from pipeline.atomic import whole_file
from pipeline.dataset.tables import write_table
from pipeline.errors import DataError, count_things
from pipeline.project import Project
from pipeline.settings.params import Params, choose
from pipeline.verdicts.ablation import ALL, share_seeds
from pipeline.verdicts.estimates import compare_two_runs
from pipeline.verdicts.results import Ablation, load_ablation
from pipeline.verdicts.tables import (
    LONG_COLUMNS,
    narrow,
    say_legend,
    to_lines,
    to_row,
    write_markdown,
    write_rows,
)
from pipeline.verdicts.wording import write_p


def compare(
    project: Project,
    params: Params,
    against: str | None = None,
    metric: str | None = None,
    class_name: str | None = None,
    form: str | None = None,
    mcnemar: str | None = None,
    everything: bool = False,
) -> str:
    """Compare every experiment with its control and say what can be said.

    With any choice the chosen lines are printed and nothing is written; with `everything` the
    tables behind the first one are printed too.
    """
    _refuse_ignored(against, metric, class_name, form, mcnemar, everything)
    if mcnemar:
        return _print_pairs(project, params, mcnemar)
    if against or metric or class_name or form:
        return _print_chosen(project, params, against, metric, class_name, form)
    ablation = load_ablation(project, params)
    write_table(project.output("ablation.csv"), LONG_COLUMNS, map(to_row, ablation.results))
    _write_text(project, "ablation.json", _to_json(ablation))
    _write_text(project, "ablation.md", _to_markdown(ablation, params.compare.margin))
    _print_first_screen(params, ablation)
    if everything:
        console.say(f"{ablation.reading}\n")
        for table in ablation.tables:
            console.show(table.title, table.columns, table.rows)
    else:
        console.say("More: prep compare --all; what would settle what is not: prep advise.\n")
    return f"{len(ablation.arms)} experiments in processed/ablation.csv, .json and .md"


def _print_first_screen(params: Params, ablation: Ablation) -> None:
    """Print the finding, a line an experiment, and what to do next."""
    console.say(f"{ablation.finding}\n")
    console.show(ablation.summary.title, ablation.summary.columns, ablation.summary.rows)
    console.say(f"{say_legend(params.compare.margin)}\n")
    for note in ablation.notes:
        console.say(f"{note}\n")
    if ablation.next_step:
        console.say(f"{ablation.next_step}\n")


def _refuse_ignored(
    against: str | None,
    metric: str | None,
    class_name: str | None,
    form: str | None,
    mcnemar: str | None,
    everything: bool,
) -> None:
    """Raise DataError for choices that don't go together."""
    others = {"--against": against, "--metric": metric, "--class": class_name, "--format": form}
    given = [option for option, value in others.items() if value is not None]
    if mcnemar and given:
        raise DataError(f"--mcnemar prints a table of its own: leave {' and '.join(given)} out")
    chosen = [*given, "--mcnemar"] if mcnemar else given
    if everything and chosen:
        raise DataError(
            f"--all prints all tables, and {' and '.join(chosen)} chosen lines alone: leave one of "
            "them out"
        )
    if metric and class_name and (metric == "accuracy") != (class_name == ALL):
        raise DataError(
            f"there is no {metric} of {class_name}: accuracy is of all classes together, recall, "
            "precision and f1 are of one class each. Leave --metric or --class out"
        )


def _print_chosen(
    project: Project,
    params: Params,
    against: str | None,
    metric: str | None,
    class_name: str | None,
    form: str | None,
) -> str:
    """Print lines of the long table, as a table or in another form."""
    if against is not None:
        choose(against, params.experiments, "experiment", "experiments")
    if class_name is not None:
        known = {name: name for name in (*params.classes, ALL)}
        [class_name] = choose(class_name, known, "class", "classes")
    results = narrow(load_ablation(project, params, against).results, metric, class_name)
    if form:
        console.emit(write_rows(results, form))
        return ""  # nothing else may stand in what another program reads
    table = to_lines(results)
    console.show(table.title, table.columns, table.rows)
    console.say(
        "p and interval are of one line alone (plain 95 %); a verdict allows for all lines.\n"
    )
    return f"{count_things(len(results), 'line')}, nothing written"


def _print_pairs(project: Project, params: Params, name: str) -> str:
    """Print McNemar's test for each run of an experiment beside its control's of the same seed."""
    choose(name, params.experiments, "experiment", "experiments")
    control = params.control_of(name)
    if control is None:
        raise DataError(f"{name} has no control that its runs could be paired with")
    ablation = load_ablation(project, params)
    [arm, other] = [one for n in (name, control) for one in ablation.arms if one.name == n]
    rows = []
    for seed in share_seeds(arm, other):
        right = [one.answers([seed])[0] == ablation.labels for one in (other, arm)]
        pair = compare_two_runs(right[0], right[1])
        rows.append(
            [
                str(seed),
                str(pair.gained),
                str(pair.lost),
                write_p(pair.p),
            ]
        )
    columns = ["seed", f"right only in {name}", f"right only in {control}", "McNemar's exact p"]
    console.show(f"{name} beside {control}, run by run", columns, rows)
    console.say(
        "p says whether the two trained networks of a line differ on this test set: below 0.05, "
        "more than chance explains. It is no evidence about the op, since two trainings with the "
        "same op and other seeds differ too. What the op is worth over all seeds, say the verdicts "
        "of prep compare.\n"
    )
    return f"{len(rows)} pairs of runs, nothing written"


def _to_json(ablation: Ablation) -> str:
    """Return the results as `dvc metrics` reads them: numbers by experiment, metric, class."""
    content: dict[str, dict[str, Any]] = {
        arm.name: {"collapsed": sum(run["collapsed"] for run in arm.runs)} for arm in ablation.arms
    }
    for result in ablation.results:
        values = {"mean": result.mean, "sd": result.sd}
        if result.estimate:
            values["difference"] = result.estimate.difference
        place = content[result.experiment].setdefault(result.metric, {})
        place[result.label] = {name: round(v, 6) for name, v in values.items() if v is not None}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _to_markdown(ablation: Ablation, margin: float) -> str:
    """Return ablation.md."""
    first = [ablation.finding, "", write_markdown(ablation.summary)]
    said = [say_legend(margin), *ablation.notes, ablation.next_step, ablation.reading]
    last = [line for part in filter(None, said) for line in (part, "")]
    return "\n".join([*first, *last, *map(write_markdown, ablation.tables)])


def _write_text(project: Project, name: str, text: str) -> None:
    """Write a text file under processed/, whole."""
    with whole_file(project.output(name)) as part:
        part.write_text(text, encoding="utf-8")
