"""prep compare: scores/ -> ablation.csv, ablation.json, ablation.md, and the table printed."""

import json
from typing import Any

from pipeline import console
from pipeline.ablation import LEGEND, to_row, write_markdown
from pipeline.atomic import whole_file
from pipeline.params import Params
from pipeline.project import Project
from pipeline.results import Ablation, load_ablation
from pipeline.tables import COLUMNS, write_table


def compare(project: Project, params: Params) -> str:
    """Compare every experiment with its control and say what can be said."""
    ablation = load_ablation(project, params)
    write_table(project.output("ablation.csv"), COLUMNS["ablation"], map(to_row, ablation.results))
    write_text(project, "ablation.json", to_json(ablation))
    write_text(project, "ablation.md", to_markdown(ablation))
    for table in ablation.tables:
        console.show(table.title, table.columns, table.rows)
    console.say(f"{LEGEND}\n\n{ablation.reading}\n")
    return f"{len(ablation.arms)} experiments in processed/ablation.csv, .json and .md"


def to_json(ablation: Ablation) -> str:
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


def to_markdown(ablation: Ablation) -> str:
    """Return ablation.md."""
    tables = map(write_markdown, ablation.tables)
    return "\n".join([*tables, LEGEND, "", ablation.reading, ""])


def write_text(project: Project, name: str, text: str) -> None:
    """Write a text file under processed/, whole."""
    with whole_file(project.output(name)) as part:
        part.write_text(text, encoding="utf-8")
