"""The commands that only a person runs: the help that a person reads, and the options."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.cli.app import BY_HAND, Quiet, Sections, app, run
from pipeline.cli.road import Experiment  # whose commands are listed first


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
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="mnist, fashion_mnist or cifar10.")],
    quiet: Quiet = False,
) -> None:
    """Download a well-known set into raw/, by way of keras.datasets.

    Writes raw/NAME/NAME.npz, for a source of layout `array`, and prints the lines for params.yaml,
    which it leaves as it is. What Keras has in its cache (~/.keras) is not downloaded again.

    Example: `prep fetch mnist`
    """
    run("commands.fetch", "fetch", "fetch", quiet, {"name": name})


@app.command(rich_help_panel=BY_HAND)
def sheet(
    target: Annotated[Path, typer.Argument(metavar="PDF", help="The file to write.")],
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Names and runs, as in 0-12 or A-Z,Ä,Ö,Ü (default: the project's, else 0-9).",
        ),
    ] = None,
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
        str | None,
        typer.Option(
            metavar="MODEL",
            help="An experiment's name, or a .keras file (default: the first trained experiment; "
            "without one, a model of digits that comes with prep).",
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            metavar="LAYOUT",
            help="form, rows, sequence, free, cells or whole (default: found by itself).",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="For the drawings (default: processed/predictions; where there is no project, "
            "predictions).",
        ),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what was read as a table.")
    ] = None,
    as_labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a draft for raw/labels.csv.")
    ] = None,
    sure: Annotated[
        float,
        typer.Option(min=0, max=1, help="With --as-labels: a less likely label is left empty."),
    ] = 0.9,
    quiet: Quiet = False,
) -> None:
    """Find the subjects on new pictures and label them, in a project or anywhere.

    Finds and normalises them as the road does; without a project, or trained runs, digits are read.
    A picture in one of the project's sources has that one's layout; any other is looked at: a form
    (prep sheet), a close-up of one subject (whole), or a page of any writing (free). Says the
    labels, then a table (box in pixels, label, probability), and writes for each picture a JPEG
    with boxes and labels drawn, green where the model is sure, red where not.

    Example: `prep predict photo.jpg`
    """
    from pipeline.commands.predict import Targets

    options = {
        "pictures": pictures,
        "wanted": model,
        "layout": layout,
        "out": out,
        "targets": Targets(csv, as_labels, sure),
    }
    run("commands.predict", "predict", "predict", quiet, options, anywhere=True)


@app.command(rich_help_panel=BY_HAND)
def export(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to make.")],
    form: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="FORMAT",
            help="npz, idx, folder, csv, huggingface, webdataset or tfrecord.",
        ),
    ],
    with_: Annotated[
        str | None,
        typer.Option(
            "--with", metavar="OPS", help="Add these ops' variants to the training set, as in a,b."
        ),
    ] = None,
    fold: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="The sets of this fold (default: every test set)."),
    ] = None,
    pseudonyms: Annotated[
        bool, typer.Option("--pseudonyms", help="Numbers in the place of groups (writers).")
    ] = False,
    names: Annotated[
        bool, typer.Option("--names", help="Say which picture's file each tile is of.")
    ] = False,
    only_balanced: Annotated[
        bool,
        typer.Option("--only-balanced", help="As it is anyway; no note of what balance left out."),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Hand the dataset over, as other programs read it.

    Makes the folder OUT with the training, validation and test set that split.csv names: pixels,
    labels, ids and groups as in tiles.h5. Groups (writers, folders) go along by name unless
    --pseudonyms hides them, file names only if --names asks for them, and no variant of a tile that
    is not trained on. OUT appears whole or not at all, and nothing is overwritten.

    Example: `prep export ~/my-digits --as npz`
    """
    options = {
        "out": out,
        "form": form,
        "with_": with_,
        "fold": fold,
        "pseudonyms": pseudonyms,
        "names": names,
        "only_balanced": only_balanced,
    }
    run("commands.export", "export", "export", quiet, options)


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
def review(
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, metavar="NUMBER", help="Of the address (default: a free one)."
        ),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page, or only say its address.")
    ] = True,
    quiet: Quiet = False,
) -> None:
    """Look at the tiles in the browser and mend their labels.

    Opens a page that is served to this machine alone. A key relabels a tile or leaves it out; each
    correction is saved at once into raw/labels.csv, and can be undone. The likely errors come
    first. What `dvc repro` will have to do for the corrections stands on the page.

    Rows labels what has no label, as a model suggests it or as you type it; Pages has the boxes of
    a page moved, drawn and deleted, into raw/boxes.csv.

    Example: `prep review`
    """
    run("commands.review", "review", "review", quiet, {"port": port, "browser": browser})


@app.command(rich_help_panel=BY_HAND)
def advise(
    experiment: Experiment = None,
    all_: Annotated[bool, typer.Option("--all", help="Every open line, recalls too.")] = False,
    quiet: Quiet = False,
) -> None:
    """Say what an op is worth in training pictures, and what would settle what is open.

    Reads the scores that are there. The worth needs a training-size curve, experiments without ops
    on a `share` of the training tiles; without one it prints the lines to add to params.yaml.
    Then, for what is open, roughly how many seeds or test pictures would settle it: the five lines
    that need least, or all. Where there is no verdict it says what would give one. Writes nothing.

    Example: `prep advise --experiment flip`
    """
    chosen = {"experiment": experiment, "everything": all_}
    run("commands.advise", "advise", "advise", quiet, chosen)


@app.command(rich_help_panel=BY_HAND)
def evaluate(
    experiment: Experiment = None,
    on: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Another project's tiles.h5, or a folder of arrays (IDX, .npz, ...).",
        ),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --on: this .keras file, not the runs.")
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="With --on: write which tiles are wrong, too."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Test the trained networks again, or on tiles from elsewhere.

    Writes processed/scores/NAME/, as `prep train` does for what it trains. With --on it prints how
    they do on other test tiles (what a fine-tuned network has forgotten); --page shows the tiles
    that are wrong, confusion, precision, recall and F1 as the report does.

    Example: `prep evaluate --on ../mnist/processed/tiles.h5 --page forgotten.html`
    """
    chosen = {"experiment": experiment, "on": on, "model": model, "page": page}
    run("commands.evaluate", "evaluate", "evaluate", quiet, chosen)


@app.command(rich_help_panel=BY_HAND)
def pretrain(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="A folder of arrays (IDX, .npz, ...), or another tiles.h5."
        ),
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
    `prep plan` refuses such a split.

    Example: `prep check lineage`
    """
    run("commands.check", "check_lineage", "check lineage", quiet)


@check.command()
def files(
    tidy: Annotated[
        bool, typer.Option("--tidy", help="Remove what params.yaml names no more.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Verify every file under processed/: its bytes, what it says, and that all agree.

    Reads every byte and compares it with the digests that DVC wrote into dvc.lock; then columns,
    types, labels, ids, counts, parents, the split and its leaks, plans and runs. Names each faulty
    file, its row and how to make it again, and exits with 1 if there are any. Notes whether raw/ or
    models/ changed since, and every command that `dvc repro` may run and that is not of prep's
    road. It starts nothing, and changes nothing: what prep made for ops, classes and experiments
    that params.yaml names no more is counted, and only --tidy removes it (what somebody else put
    there stays).

    Example: `prep check files`
    """
    run("checks.files", "check_files", "check files", quiet, {"tidy": tidy})


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


@check.command()
def suspects(quiet: Quiet = False) -> None:
    """List the tiles whose labels are likely wrong, and those that look like nothing else.

    Each tile is read by what was learnt from the others, its own page and writer left out, and the
    labels that this contradicts most come first. Then tiles that look the same under two labels,
    tiles that look like no other, and all but empty ones. Prints the first of each and writes all
    into processed/suspects.csv. It changes no label.

    Example: `prep check suspects`
    """
    run("checks.suspects", "check_suspects", "check suspects", quiet)
