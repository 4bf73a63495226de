"""prep export: tiles.h5, split.csv -> OUT/, the dataset as other programs read it."""

from importlib import import_module
from itertools import product
from pathlib import Path

from pipeline.atomic import whole_folder
from pipeline.console import progress, warn
from pipeline.errors import DataError, count_things, find_nearest
from pipeline.export.card import write_card
from pipeline.export.contents import Contents, open_contents
from pipeline.project import Project
from pipeline.settings.params import Params

# Each is a module of export/.
FORMATS = ("npz", "idx", "folder", "csv", "huggingface", "webdataset", "tfrecord")
LOOSE = ("folder",)  # files that are so many and small that each would wait for the disk
NAMED = 10  # classes without tiles; of others their number is said
SETS = {"train": "training set", "validation": "validation set", "test": "test set"}


def export(
    project: Project,
    params: Params,
    out: Path,
    form: str,
    with_: str | None = None,
    fold: int | None = None,
    pseudonyms: bool = False,
    names: bool = False,
    only_balanced: bool = False,
) -> str:
    """Write the dataset into a new folder, in one of the formats.

    It holds what split.csv names, and no more: whether a tile that balance left out looks like one
    of the test set nobody has asked. With only_balanced that is wanted, and goes unsaid.
    """
    _check_options(form, pseudonyms, names)
    _refuse_place(project, out)
    ops = [name.strip() for name in with_.split(",")] if with_ is not None else []
    with open_contents(
        project,
        params,
        with_ops=ops,
        fold=fold,
        pseudonyms=pseudonyms,
        names=names,
    ) as contents:
        with whole_folder(out, synced=form not in LOOSE) as folder:
            with progress(f"exporting {form}", len(contents)) as advance:
                import_module(f"pipeline.export.{form}").write(contents, folder, advance)
            write_card(contents, folder, form, project, params)
            _refuse_existing(out)  # it may have come meanwhile
        _tell_missing(contents)
        if contents.left_out and not only_balanced:
            _tell_left_out(contents.left_out, params.balance.method)
        sizes = ", ".join(f"{len(part):,} {part.name}" for part in contents.parts)
        return f"{count_things(len(contents), 'tile')} ({sizes}) as {form} in {out}"


def _check_options(form: str, pseudonyms: bool, names: bool) -> None:
    """Raise DataError for an unknown format, and for options that contradict each other."""
    if form not in FORMATS:
        near = find_nearest(form, FORMATS)
        hint = f" Did you mean '{near}'?" if near else ""
        raise DataError(f"--as {form}: there is no such format.{hint} Known: {', '.join(FORMATS)}")
    if pseudonyms and names:
        raise DataError(
            "--names tells the pictures' files, which may be named after those that --pseudonyms "
            "hides: leave one of them out"
        )


def _refuse_place(project: Project, out: Path) -> None:
    """Raise DataError where nothing is to be written: over something, or among the road's files."""
    _refuse_existing(out)
    place = out.resolve()
    around = [folder for folder in place.parents if (folder / "params.yaml").is_file()]
    for root, name in product([project.root, *around], ("raw", "processed", "models")):
        if place.is_relative_to((root / name).resolve()):
            raise DataError(
                f"{out} would lie in {name}/, which belongs to the road: name a folder elsewhere"
            )


def _refuse_existing(out: Path) -> None:
    if out.is_dir() and not out.is_symlink() and not any(out.iterdir()):
        return
    if out.exists() or out.is_symlink():
        what = "is there already, and nothing is overwritten"
        raise DataError(f"{out} {what}: name a new folder, or take it away first")


def _tell_missing(contents: Contents) -> None:
    """Say which classes have no tile in a part."""
    for part in contents.parts:
        present = set(part.labels.tolist())
        empty = [name for label, name in enumerate(contents.classes) if label not in present]
        if empty:
            more = f" and {len(empty) - NAMED:,} more" if len(empty) > NAMED else ""
            named = ", ".join(f"'{name}'" for name in empty[:NAMED]) + more
            where = SETS.get(part.name, f"test set of {part.name}")
            warn(f"the {where} has no tile of {named}: nothing can be said of it there")


def _tell_left_out(count: int, method: str) -> None:
    verb = "is" if count == 1 else "are"
    if method == "none":
        warn(
            f"{count_things(count, 'labelled tile')} whose group is in a set as given {verb} not "
            "in it (--only-balanced: don't say so)"
        )
        return
    warn(
        f"{count_things(count, 'labelled tile')} that balance or split left out {verb} not in it "
        "(--only-balanced: don't say so). To have those of balance, set balance: {method: none} in "
        "params.yaml, then: dvc repro split"
    )
