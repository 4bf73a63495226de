"""The command line `prep`: the only place that knows Typer, and the only one that exits."""

import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import typer.core

from pipeline import __version__
from pipeline.errors import DataError, explain


class Sections(typer.core.TyperGroup):
    """A command whose help lists its own commands in sections.

    Typer's own way to do that loads Rich, which takes twice as long as all else.
    """

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the first sentence of each command under the heading that it was given."""
        sections = defaultdict(list)
        for name, command in self.commands.items():
            heading = getattr(command, "rich_help_panel", None) or "Commands"
            sections[heading].append((name, command.get_short_help_str(limit=100)))
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)


app = typer.Typer(
    name="prep",
    cls=Sections,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Turn your scans and photos into a dataset, and learn what each augmentation is worth.

`dvc repro` runs the whole road, and only what changed. Each stage can also be run by hand:
without options it does all of its work as params.yaml says.
""",
)

ROAD = "The road, in order (run by dvc repro)"
BY_HAND = "By hand"

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]

Jobs = Annotated[
    int | None,
    typer.Option("--jobs", "-j", min=1, help="Processes to work with (default: all processors)."),
]


def run_stage(stage: str, quiet: bool, options: dict[str, Any] | None = None) -> None:
    """Run `pipeline.stages.<stage>` on the project here and print the line that it ends with."""
    run(f"stages.{stage}", stage, stage, quiet, options)


def run(
    module: str,
    function: str,
    name: str,
    quiet: bool,
    options: dict[str, Any] | None = None,
) -> None:
    """Run a function of a module on the project here; import nothing before it is needed."""
    from importlib import import_module

    from pipeline import console
    from pipeline.project import find_project
    from pipeline.settings.loading import load_params

    if quiet:
        console.be_quiet()
    start = time.perf_counter()
    project = find_project(Path.cwd())
    work: Callable[..., str] = getattr(import_module(f"pipeline.{module}"), function)
    made = work(project, load_params(project.params_file), **(options or {}))
    if made:
        console.say(f"{name}: {made}, in {time.perf_counter() - start:.1f} s")


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
    processed/catalogue.csv, a row a scan: label, size in pixels, digest; what is a duplicate, and
    what is quarantined and why. Nothing under raw/ is changed.

    Example: `prep ingest`
    """
    run_stage("ingest", quiet, {"jobs": jobs})


@app.command(rich_help_panel=ROAD)
def segment(jobs: Jobs = None, quiet: Quiet = False) -> None:
    """Find the subjects on every scan.

    Writes processed/boxes.csv (pixels of the upright scan), glyphs.h5 (the ink of each glyph),
    quarantine.csv (scans that can't be used, with the reason) and overlays/ (pages with their
    boxes drawn: look at them).

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


Experiment = Annotated[
    str | None, typer.Option(metavar="NAME", help="Only this experiment (default: all).")
]


@app.command(rich_help_panel=ROAD)
def train(experiment: Experiment = None, quiet: Quiet = False) -> None:
    """Train the network, once for each experiment, fold and seed.

    Writes processed/runs/NAME/fold-F/seed-N/: model.keras, history.csv, run.json. Every experiment
    gets the same number of optimiser steps (`train.steps`); validation tiles choose the checkpoint.

    Example: `prep train --experiment flip`
    """
    run_stage("train", quiet, {"experiment": experiment})


@app.command(rich_help_panel=ROAD)
def evaluate(
    experiment: Experiment = None,
    on: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Another project's tiles.h5, or a folder of IDX files."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --on: this .keras file, not the runs.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Score the trained networks on the test set, which nothing before has read.

    Writes processed/scores/NAME/: predictions.csv (a probability for each class) and metrics.json
    (accuracy, precision, recall, F1, support, confusion matrix of every run). With --on it prints
    how they do on other test tiles (what a fine-tuned network has forgotten) and writes nothing.

    Example: `prep evaluate --experiment flip --on ../mnist/processed/tiles.h5`
    """
    run_stage("evaluate", quiet, {"experiment": experiment, "on": on, "model": model})


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
    quiet: Quiet = False,
) -> None:
    """Compare the experiments: the ablation table.

    Writes processed/ablation.csv (long), ablation.json (for `dvc metrics`), ablation.md (wide), and
    prints the table: accuracy and each class's recall and precision in per cent, mean and standard
    deviation over runs, the difference to the control in points, and a verdict. With an option
    it prints the chosen lines and writes nothing.

    Example: `prep compare --against flip --metric recall --class dog`
    """
    chosen = {"against": against, "metric": metric, "class_name": class_, "form": form}
    chosen["mcnemar"] = mcnemar
    run_stage("compare", quiet, chosen)


@app.command(rich_help_panel=ROAD)
def report(quiet: Quiet = False) -> None:
    """Write the report: verdicts, data, variants, trainings and mistakes to look at.

    Writes processed/report/index.html, one file that opens offline in any browser, and plots/ for
    `dvc plots show`. `report` in params.yaml says how much is shown.

    Example: `prep report`
    """
    run_stage("report", quiet)


@app.command(rich_help_panel=BY_HAND)
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The new project's folder.")],
    preset: Annotated[
        str, typer.Option(metavar="NAME", help="digits, letters, pets or blank.")
    ] = "digits",
    quiet: Quiet = False,
) -> None:
    """Start a project of your own.

    Writes DIR with params.yaml, dvc.yaml and raw/ with a README of what goes where, and sets up
    DVC (and git if there is none). What is there already is kept.

    Example: `prep init pets --preset pets`
    """
    from pipeline import console
    from pipeline.commands.init import init_project

    if quiet:
        console.be_quiet()
    console.say(init_project(folder, preset))


@app.command(rich_help_panel=BY_HAND)
def sheet(
    target: Annotated[Path, typer.Argument(metavar="PDF", help="The file to write.")],
    classes: Annotated[
        str, typer.Option(metavar="NAMES", help="Names and runs, as in 0-9 or A-Z,Ä,Ö,Ü.")
    ] = "0-9",
    rows: Annotated[int, typer.Option(help="Rows of boxes on a page.")] = 10,
    columns: Annotated[int, typer.Option(help="Boxes in a row.")] = 8,
    writer: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Print this name; repeat it for several writers."),
    ] = None,
    copies: Annotated[
        int, typer.Option(min=1, help="Without names: how many forms, each its own writer's.")
    ] = 1,
    paper: Annotated[Literal["a4", "letter"], typer.Option(help="Size of the paper.")] = "a4",
    order: Annotated[
        Literal["row", "box"],
        typer.Option(help="row: a row holds one class; box: the classes follow one another."),
    ] = "row",
    quiet: Quiet = False,
) -> None:
    """Print a form to write on: its photos need no labels.

    Writes a PDF. Each page carries a code that says which class belongs into which box, and whose
    writing it is; put the scans or photos of filled-in pages into a source of layout `form`.
    Print a fresh form for each writer (--writer or --copies): photocopies count as one writer's.

    Example: `prep sheet digits.pdf --classes 0-9 --writer Ada --writer Grace`
    """
    from pipeline import console
    from pipeline.commands.sheet import make_sheet

    if quiet:
        console.be_quiet()
    made = make_sheet(
        target,
        classes,
        rows=rows,
        columns=columns,
        writers=writer or [],
        copies=copies,
        paper=paper,
        order=order,
    )
    console.say(made)


@app.command(rich_help_panel=BY_HAND)
def predict(
    pictures: Annotated[
        list[Path], typer.Argument(metavar="PICTURE", help="Files, or folders of them.")
    ],
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="An experiment's name, or a .keras file.")
    ],
    layout: Annotated[
        str | None,
        typer.Option(
            metavar="LAYOUT",
            help="form, rows, sequence, free, cells or whole (default: the first source's).",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="For the drawings (default: processed/predictions)."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Find the subjects on new pictures and label them.

    Finds and normalises them as the road does, by `tile` in params.yaml; an experiment's model is
    that of its first run. Prints a table (box in pixels, label, probability) and writes for each
    picture a JPEG with boxes and labels drawn, green where the model is sure, red where not.

    Example: `prep predict photo.jpg --model flip`
    """
    options = {"pictures": pictures, "wanted": model, "layout": layout, "out": out}
    run("commands.predict", "predict", "predict", quiet, options)


@app.command(rich_help_panel=BY_HAND)
def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Any HDF5 file of the project.")],
    quiet: Quiet = False,
) -> None:
    """Look into an HDF5 file: a contact sheet of its tiles, variants or glyphs.

    Writes a JPEG into the current folder (not under raw/), named after the file, and opens it where
    there is a screen.

    Example: `prep show processed/augmented/flip/cat.h5`
    """
    from pipeline import console
    from pipeline.commands.show import show_file

    if quiet:
        console.be_quiet()
    target = Path(f"{file.resolve().parent.name}-{file.stem}.jpg")
    console.say(show_file(file, target))
    if sys.stdout.isatty():
        typer.launch(str(target))


@app.command(rich_help_panel=BY_HAND)
def advise(experiment: Experiment = None, quiet: Quiet = False) -> None:
    """Say what an op is worth in training pictures, and what would settle a "cannot tell".

    Reads the scores that are there. The worth needs a training-size curve, experiments without ops
    on a `share` of the training tiles; without one it prints the lines to add to params.yaml.
    Then, for each "cannot tell", roughly how many seeds or test pictures would settle it. Writes
    nothing.

    Example: `prep advise --experiment flip`
    """
    run("commands.advise", "advise", "advise", quiet, {"experiment": experiment})


@app.command(rich_help_panel=BY_HAND)
def pretrain(
    source: Annotated[
        Path, typer.Argument(metavar="PATH", help="A folder of IDX files, or another tiles.h5.")
    ],
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimiser steps (default: train.steps).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws weights and order.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The file (default: models/pretrained.keras)."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Train the network on other pictures, to go on from there on your own.

    Trains as `train` in params.yaml says on the training set found at PATH, a tenth of which
    chooses the checkpoint; prints the accuracy on the test set found there. Then set in params.yaml
    `train: {init: models/pretrained.keras}`: every experiment starts from it.

    Example: `prep pretrain ~/mnist --steps 3000`
    """
    options = {"source": source, "steps": steps, "seed": seed, "out": out}
    run("commands.pretrain", "pretrain", "pretrain", quiet, options)


check = typer.Typer(
    cls=Sections,
    no_args_is_help=True,
    help="""Check that the project is what it says it is.

Example: `prep check lineage`
""",
)
app.add_typer(check, name="check", rich_help_panel=BY_HAND)


@check.command()
def lineage(quiet: Quiet = False) -> None:
    """Prove that nothing crosses the split.

    Looks for tiles, groups and identical pictures that stand on both sides of the split, and for
    variants whose parent is no training tile; names them and exits with 1 if there are any.
    `prep train` refuses to start on such a split.

    Example: `prep check lineage`
    """
    run("commands.check", "check_lineage", "check lineage", quiet)


@check.command()
def files(quiet: Quiet = False) -> None:
    """Verify every file under processed/: its bytes, what it says, and that all agree.

    Reads every byte and compares it with the digests that DVC wrote into dvc.lock; then columns,
    types, labels, ids, counts, parents, the split and its leaks, plans and runs. Names each faulty
    file, its row and how to make it again, and exits with 1 if there are any. Notes whether raw/ or
    models/ changed since, and every command that `dvc repro` may run and that is not of prep's
    road. Changes nothing and starts nothing.

    Example: `prep check files`
    """
    run("checks.files", "check_files", "check files", quiet)


@check.command()
def labels(
    only: Annotated[str | None, typer.Option(metavar="OP", help="Only this op.")] = None,
    quiet: Quiet = False,
) -> None:
    """Warn where an op makes one class look like another, before anything is trained.

    Compares variants of training tiles with the originals of every class: a mirrored b is a d, a 6
    turned upside down is a 9. Prints the pairs of classes with the share of variants that look like
    the other class and the same share of their originals. It warns and changes nothing.

    Example: `prep check labels --only flip`
    """
    run("checks.labels", "check_labels", "check labels", quiet, {"only": only})


def print_version(wanted: bool) -> None:
    """Print the version and stop, if wanted."""
    if wanted:
        typer.echo(f"prep {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Hold what belongs to no command."""


def main() -> None:
    """Run `prep`; what goes wrong becomes a line and exit code 1."""
    try:
        app()
    except (DataError, OSError) as error:
        from pipeline import console

        console.fail(explain(error) if isinstance(error, OSError) else str(error))
        sys.exit(1)
