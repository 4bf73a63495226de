"""The command `prep` without its commands: how it lists them, and how one runs on a project."""

import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from pipeline import __version__

# What docs and people call it, and what the command is called.
MEANT = {"form": "sheet", "forms": "sheet", "label": "review", "labels": "review", "load": "export"}


class Sections(typer.core.TyperGroup):
    """A command whose help lists its own commands in sections.

    Typer's own way to do that loads Rich, which takes twice as long as all else.
    """

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is typed; for another word that people use, say which it is."""
        if args and args[0] not in self.commands and MEANT.get(args[0]) in self.commands:
            ctx.fail(f"No such command '{args[0]}'. Did you mean '{MEANT[args[0]]}'?")
        return super().resolve_command(ctx, args)

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
    anywhere: bool = False,
) -> None:
    """Run a function of a module on the project here; nothing is imported before it is needed.

    One that works anywhere is given None twice where there is no project.
    """
    from importlib import import_module

    from pipeline import console
    from pipeline.project import find_project, look_for_project
    from pipeline.settings.loading import load_params

    if quiet:
        console.be_quiet()
    start = time.perf_counter()
    project = look_for_project(Path.cwd()) if anywhere else find_project(Path.cwd())
    params = load_params(project.params_file) if project else None
    work: Callable[..., str] = getattr(import_module(f"pipeline.{module}"), function)
    made = work(project, params, **(options or {}))
    if made:
        console.say(f"{name}: {made}, in {time.perf_counter() - start:.1f} s")


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
