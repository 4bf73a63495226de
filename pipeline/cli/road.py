"""The stages as commands: the help that a person reads, and the options."""

from typing import Annotated, Literal

import typer

from pipeline.cli.app import ROAD, Jobs, Quiet, app, run_stage

Experiment = Annotated[
    str | None, typer.Option(metavar="NAME", help="Only this experiment (default: all).")
]


@app.command(rich_help_panel=ROAD)
def sample(quiet: Quiet = False) -> None:
    """Render the default data: real handwritten digits as scanned pages.

    Writes raw/sample/ (about a hundred JPEG pages of layout `rows`, 250 dpi) from the 1,797 digits
    that come with scikit-learn. Deterministic; needs no download.

    Example: `prep sample`
    """
    run_stage("sample", quiet)


@app.command(rich_help_panel=ROAD)
def ingest(jobs: Jobs = None, quiet: Quiet = False) -> None:
    """Find and decode every picture of every source.

    Reads raw/ as `sources` in params.yaml says, and raw/labels.csv if there is one. Writes
    processed/catalogue.csv, a row a scan: label, size in pixels, digest; what is a duplicate or
    left out, and what is quarantined and why. Nothing under raw/ is changed.

    Example: `prep ingest`
    """
    run_stage("ingest", quiet, {"jobs": jobs})


@app.command(rich_help_panel=ROAD)
def segment(jobs: Jobs = None, quiet: Quiet = False) -> None:
    """Find the subjects on every scan.

    Writes processed/boxes.csv (pixels of the upright scan), glyphs.h5 (the ink of each glyph),
    left_out.csv (what was seen and is not used), quarantine.csv (scans that can't be used, with
    the reason) and overlays/ (pages with their boxes drawn: look at them). raw/labels.csv corrects
    labels, raw/boxes.csv boxes; only pages that these touch are searched again.

    Example: `prep segment`
    """
    run_stage("segment", quiet, {"jobs": jobs})


@app.command(rich_help_panel=ROAD)
def normalise(jobs: Jobs = None, quiet: Quiet = False) -> None:
    """Bring every subject to one size.

    Writes processed/tiles.h5 by `tile` in params.yaml: `mnist` (28x28, ink bright on 0, centred by
    mass, exactly MNIST's rule), `emnist`, or `photo` (area-averaged colour); and contact/, a
    picture of many tiles for each class: look at them.

    Example: `prep normalise`
    """
    run_stage("normalise", quiet, {"jobs": jobs})


@app.command(rich_help_panel=ROAD)
def balance(quiet: Quiet = False) -> None:
    """Choose the tiles that stay, as many of each class.

    Writes processed/balanced.csv by `balance` in params.yaml: `undersample` to the smallest class
    or to a number of tiles, or `none`. Nothing is invented; unlabelled tiles are left out and
    counted.

    Example: `prep balance`
    """
    run_stage("balance", quiet)


@app.command(rich_help_panel=ROAD)
def split(quiet: Quiet = False) -> None:
    """Divide the tiles into training, validation and test set.

    Writes processed/split.csv by `split` in params.yaml: stratified by class; groups (a page, a
    writer, one animal) and near-duplicate photos stay on one side.

    Example: `prep split`
    """
    run_stage("split", quiet)


@app.command(rich_help_panel=ROAD)
def augment(
    only: Annotated[str | None, typer.Option(metavar="OP", help="Only this op.")] = None,
    class_: Annotated[
        str | None, typer.Option("--class", metavar="CLASS", help="Only this class.")
    ] = None,
    jobs: Jobs = None,
    quiet: Quiet = False,
) -> None:
    """Make the variants of the training tiles.

    Writes processed/augmented/OP/CLASS.h5 for every op of `augment` in params.yaml and every class,
    from training tiles alone; each variant carries its parent's id and the numbers that made it.

    Example: `prep augment --only flip --class cat`
    """
    run_stage("augment", quiet, {"only": only, "class_name": class_, "jobs": jobs})


@app.command(rich_help_panel=ROAD)
def plan(quiet: Quiet = False) -> None:
    """Write down what each experiment trains on.

    Writes processed/experiments/NAME.json with the digests of all inputs, so that a change
    trains again only the experiments that it touches.

    Example: `prep plan`
    """
    run_stage("plan", quiet)


@app.command(rich_help_panel=ROAD)
def train(
    experiment: Experiment = None,
    jobs: Jobs = None,
    minutes: Annotated[
        float | None, typer.Option(min=0, help="Limit of a study in rounds (train.minutes).")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Train the network for each experiment, fold and seed, and test it on its test set.

    Writes processed/runs/NAME/fold-F/seed-N/ (model.keras, history.csv, run.json) and
    processed/scores/NAME/: predictions.csv (a probability for each class) and metrics.json
    (accuracy, precision, recall, F1, support, confusion matrix of every run). Every experiment gets
    the same number of optimiser steps (`train.steps`). Several runs are trained at once, each by a
    process with one thread: the numbers are the same for every --jobs.

    Example: `prep train --experiment flip --jobs 2`
    """
    chosen = {"experiment": experiment, "jobs": jobs, "minutes": minutes}
    run_stage("train", quiet, chosen)


@app.command(rich_help_panel=ROAD)
def compare(
    against: Annotated[
        str | None, typer.Option(metavar="NAME", help="Compare all with this experiment.")
    ] = None,
    metric: Annotated[
        Literal["accuracy", "recall", "precision", "f1"] | None,
        typer.Option(help="Only this metric."),
    ] = None,
    class_: Annotated[
        str | None, typer.Option("--class", metavar="CLASS", help="Only this class, or all.")
    ] = None,
    form: Annotated[
        Literal["md", "csv", "json", "latex"] | None,
        typer.Option("--format", help="Print the lines in this form."),
    ] = None,
    mcnemar: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="McNemar's test of each run and its control's."),
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Also print runs, recalls, precisions and small print.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Compare the experiments: the ablation table.

    Writes processed/ablation.csv (long), ablation.json (for `dvc metrics`), ablation.md (all to
    read), and prints one screen: the finding, a line an experiment (accuracy in per cent,
    difference to its control in points with the 95 % interval, verdict, the class that moved most),
    and what to do next. With another option than --all it prints the chosen lines and writes
    nothing.

    Example: `prep compare --against flip --metric recall --class dog`
    """
    chosen = {
        "against": against,
        "metric": metric,
        "class_name": class_,
        "form": form,
        "mcnemar": mcnemar,
        "everything": all_,
    }
    run_stage("compare", quiet, chosen)


@app.command(rich_help_panel=ROAD)
def report(quiet: Quiet = False) -> None:
    """Write the report: verdicts, data, variants, trainings and mistakes to look at.

    Writes processed/report/index.html, one file that opens offline in any browser, and plots/ for
    `dvc plots show`. `report` in params.yaml says how much is shown.

    Example: `prep report`
    """
    run_stage("report", quiet)
