"""The repository agrees with itself: stages, command line, dvc.yaml, presets and README."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
import typer
import yaml

from pipeline import __version__, cli
from pipeline.augmentation.parsing import OP_KEYS
from pipeline.augmentation.recipes import TRANSFORMS
from pipeline.commands.init import PRESETS
from pipeline.project import MADE_BY
from pipeline.settings.params import Params
from pipeline.settings.sections import Experiment, Source

ROOT = Path(__file__).parents[1]
COMMANDS = typer.main.get_command(cli.app).commands

STAGES = {path.stem for path in (ROOT / "pipeline/stages").glob("*.py")} - {"__init__"}
ROAD = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def test_every_stage_is_a_command_and_a_stage_of_dvc():
    on_the_road = [
        name for name, command in COMMANDS.items() if command.rich_help_panel == cli.ROAD
    ]
    assert set(on_the_road) == STAGES == set(ROAD)
    assert on_the_road == list(ROAD), "the help lists the stages in the order of dvc.yaml"


def test_the_help_lists_them_in_sections_and_in_whole_sentences(prep):
    code, printed, _ = prep("--help")
    road, by_hand = printed.partition(f"{cli.ROAD}:\n")[2].split(f"{cli.BY_HAND}:\n")
    assert code == 0
    assert re.findall(r"^  (\w+) ", road, re.MULTILINE) == list(ROAD)
    assert {"init", "check"} <= set(re.findall(r"^  (\w+) ", by_hand, re.MULTILINE))
    assert "..." not in road + by_hand


def test_every_other_command_has_its_file():
    by_hand = {name for name, command in COMMANDS.items() if command.rich_help_panel == cli.BY_HAND}
    assert by_hand == {p.stem for p in (ROOT / "pipeline/commands").glob("*.py")} - {"__init__"}


def test_dvc_runs_each_stage_by_its_name():
    for name, stage in ROAD.items():
        command = stage.get("do", stage)["cmd"]
        assert command.split()[:2] == ["prep", name]


def test_the_presets_road_is_the_roots_without_the_sample():
    preset = yaml.safe_load((ROOT / "pipeline/presets/road.yaml").read_text())["stages"]
    assert preset == {name: stage for name, stage in ROAD.items() if name != "sample"}


def test_what_a_stage_makes_is_known_by_its_name():
    for name, stage in ROAD.items():
        stage = stage.get("do", stage)
        for out in [*stage.get("outs", []), *stage.get("metrics", [])]:
            path = next(iter(out)) if isinstance(out, dict) else out
            if path.startswith("processed/"):
                made = path.split("/")[1]
                assert MADE_BY[made] == name


def test_every_section_that_dvc_watches_is_a_section_of_params():
    for stage in ROAD.values():
        for key in stage.get("do", stage).get("params", []):
            assert key.split(".")[0] in Params.model_fields


@pytest.mark.parametrize(
    "path", [ROOT / "params.yaml", *ROOT.glob("pipeline/presets/*/params.yaml")]
)
def test_params_files_spell_out_every_section(path):
    """DVC refuses to watch a section that is missing."""
    assert set(yaml.safe_load(path.read_text())) == set(Params.model_fields)


def test_the_root_tells_what_goes_where_like_any_project():
    preset = (ROOT / "pipeline/presets/raw-README.md").read_text(encoding="utf-8")
    assert (ROOT / "raw/README.md").read_text(encoding="utf-8") == preset


def test_the_root_tells_how_an_own_model_is_written_like_any_project():
    preset = (ROOT / "pipeline/presets/models-README.md").read_text(encoding="utf-8")
    assert (ROOT / "models/README.md").read_text(encoding="utf-8") == preset


def test_there_is_a_preset_for_each_name():
    found = {path.parent.name for path in ROOT.glob("pipeline/presets/*/params.yaml")}
    assert found == set(PRESETS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_in_its_help_and_a_line_in_the_readme(name):
    assert f"Example: `prep {name}" in (COMMANDS[name].help or "")
    assert f"`prep {name}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_layouts_are_the_same_everywhere():
    layouts = set(
        re.findall(r"^\| `(\w+)` \|", (ROOT / "pipeline/presets/raw-README.md").read_text(), re.M)
    )
    names = set(get_args(Source.model_fields["layout"].annotation))
    assert layouts == names - {"idx"}  # which is another name of array


def test_the_params_reference_names_every_key():
    reference = (ROOT / "docs/params.md").read_text(encoding="utf-8")
    items = {"sources": Source, "experiments": Experiment}
    for section, field in Params.model_fields.items():
        assert f"## {section}" in reference
        for key in getattr(items.get(section, field.annotation), "model_fields", {}):
            assert f"`{key}`" in reference, f"{section}.{key}"
    for key in OP_KEYS:
        assert f"`{key}`" in reference
    for transform in TRANSFORMS:
        assert f"`{transform}`" in reference


PAGES = [
    "README.md",
    "CHANGELOG.md",
    *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_heading_in_it(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target, heading in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", text):
        file = (ROOT / page).parent / target if target else ROOT / page
        assert file.exists(), target
        if heading:
            heads = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.M)
            anchors = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
            assert heading in anchors, f"{target}#{heading}"


def test_the_index_names_every_page_of_the_docs():
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\]\((\w[\w-]*\.md)\)", index))
    assert named == {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}


def test_the_page_on_files_names_all_of_them():
    page = (ROOT / "docs/files.md").read_text(encoding="utf-8")
    for name in MADE_BY:
        assert f"`{name}" in page or f"`{name.split('.')[0]}" in page, name


# --- The house ------------------------------------------------------------------------------


WINGS = sorted(path.parent.name for path in (ROOT / "pipeline").glob("*/__init__.py"))


def test_tests_lie_in_wings_named_after_those_of_the_code():
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert folders <= set(WINGS)


def test_contributing_says_what_lives_in_each_wing():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for wing in WINGS:
        assert f"`{wing}/`" in text


def test_the_corridor_is_short_and_no_room_is_too_large():
    assert len(list((ROOT / "pipeline").glob("*.py"))) <= 12
    for path in (ROOT / "pipeline").rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 500, path


def test_the_version_is_the_same_everywhere():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["project"]["version"] == __version__
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
