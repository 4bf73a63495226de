"""README.md and docs/datasets.md: what they say to type is typed here, and gives the dataset."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from ready_sets import write_set

from pipeline import load_data
from pipeline.project import Project
from pipeline.settings.loading import load_params
from pipeline.stages.augment import augment

ROOT = Path(__file__).parents[1]
DIGITS = [str(number) for number in range(10)]
PARTS = ("train", "train", "val", "test")  # so that each class is in each of them


def find_snippets(page, heading):
    """Return the indented blocks of a page's section and what lies below it."""
    text = (ROOT / page).read_text(encoding="utf-8")
    depth = heading.partition(" ")[0]
    section = text.partition(f"\n{heading}\n")[2]
    section = re.split(rf"\n#{{1,{len(depth)}}} ", section)[0] if section else text
    blocks = re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", section, re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in blocks]


SNIPPETS = find_snippets("docs/datasets.md", "# Use your dataset")
PYTHON = [one for one in SNIPPETS if not one.startswith(("prep ", "dvc "))]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    (folder / "my-digits").mkdir()
    write_set(folder / "my-digits", shape=(28, 28, 1), classes=DIGITS, count=101, parts=PARTS)
    augment(Project(folder / "my-digits"), load_params(folder / "my-digits/params.yaml"), jobs=1)
    return folder


@pytest.fixture
def here(kept, monkeypatch):
    monkeypatch.chdir(kept)
    return kept


def export(prep, monkeypatch, form):
    """Export the project here once in a format."""
    if not Path(f"my-digits-{form}").exists():
        with monkeypatch.context() as inside:
            inside.chdir("my-digits")
            assert prep("export", f"../my-digits-{form}", "--as", form, "-q")[0] == 0


def run(snippet):
    """Run a snippet after the imports that the page has shown before, and return its names."""
    names = {}
    exec("import numpy as np\nfrom pipeline import load_classes, load_data", names)
    exec(snippet, names)
    return names


def test_the_page_has_a_snippet_for_each_way():
    for word in (
        "load_data(",
        "lazy=True",
        "load_variants(",
        "np.load(",
        "np.fromfile(",
        "read_csv(",
    ):
        assert any(word in snippet for snippet in PYTHON), word


def test_the_snippets_that_load_do(here):
    load, lazy, variants = PYTHON[:3]
    (x_train, y_train), _ = load_data("my-digits")
    np.testing.assert_array_equal(run(load)["x_train"], x_train)
    last = len(x_train) // 256 * 256
    np.testing.assert_array_equal(run(lazy)["images"], x_train[last:])
    assert set(run(variants)["labels"]) == {3}
    assert len(run(variants)["parents"]) == (y_train == 3).sum()


@pytest.mark.parametrize("form", ["npz", "idx", "csv"])
def test_the_snippets_that_load_an_export_do(here, prep, monkeypatch, form):
    export(prep, monkeypatch, form)
    [snippet] = find_snippets("docs/datasets.md", f"### {form}")
    found = run(snippet)
    (x_train, y_train), (x_test, _) = load_data("my-digits")
    images, labels = ("x_train", "y_train") if form == "npz" else ("images", "labels")
    np.testing.assert_array_equal(found[images], x_train)
    np.testing.assert_array_equal(found[labels], y_train)
    if form == "npz":
        np.testing.assert_array_equal(found["x_test"], x_test)
        assert found["classes"] == DIGITS


@pytest.mark.slow
@pytest.mark.usefixtures("datasets_offline")
def test_the_snippet_that_loads_from_huggingface_does(here, prep, monkeypatch):
    export(prep, monkeypatch, "huggingface")
    [snippet] = find_snippets("docs/datasets.md", "### huggingface")
    train = run(snippet)["train"]
    (x_train, y_train), _ = load_data("my-digits")
    assert train.features["label"].names == DIGITS
    np.testing.assert_array_equal(train[:]["image"], x_train)
    np.testing.assert_array_equal(train[:]["label"], y_train)


@pytest.mark.filterwarnings("ignore:unclosed file .*[.]tar:ResourceWarning")
def test_the_snippet_that_streams_archives_does(here, prep, monkeypatch, capsys):
    export(prep, monkeypatch, "webdataset")
    [snippet] = find_snippets("docs/datasets.md", "### webdataset")
    found = run(snippet)
    (x_train, y_train), _ = load_data("my-digits")
    assert len(capsys.readouterr().out.splitlines()) == len(x_train)
    np.testing.assert_array_equal(found["image"], x_train[-1])
    assert (found["label"], found["told"]["class"]) == (y_train[-1], DIGITS[y_train[-1]])


@pytest.mark.slow
def test_the_snippet_that_reads_records_does(here, prep, monkeypatch):
    export(prep, monkeypatch, "tfrecord")
    [snippet] = find_snippets("docs/datasets.md", "### tfrecord")
    images, labels = zip(*run(snippet)["train"].as_numpy_iterator(), strict=True)
    (x_train, y_train), _ = load_data("my-digits")
    np.testing.assert_array_equal(np.array(images)[..., 0], x_train)
    np.testing.assert_array_equal(labels, y_train)


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1])
def test_the_snippets_that_load_the_folder_do(here, prep, monkeypatch, number):
    snippet = find_snippets("docs/datasets.md", "### folder")[number]
    library = re.search(r"(?:import|from) (\w+)", snippet)[1]
    if not find_spec(library):
        pytest.skip(f"{library} is not installed")
    export(prep, monkeypatch, "folder")
    train = run(snippet)["train"]
    assert (getattr(train, "class_names", None) or train.classes) == DIGITS


def test_the_command_on_the_page_is_one(here, prep, monkeypatch):
    [line] = [one for one in SNIPPETS if one.startswith("prep ")]
    monkeypatch.chdir("my-digits")
    words = shlex.split(line.replace("~/", "../as-told-"))[1:]
    assert prep(*words)[0] == 0
    assert Path("../as-told-my-digits/dataset.npz").exists()


def test_the_readme_says_it_in_eight_lines(here, monkeypatch):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("\n## Use your dataset\n")[2].partition("\n## ")[0]
    assert len(list(filter(None, section.splitlines()))) <= 8
    assert text.index("## Use your dataset") < text.index("## What it says")
    Path("my-pets").symlink_to("my-digits")
    [snippet] = find_snippets("README.md", "## Use your dataset")
    names = {}
    exec(snippet, names)
    assert len(names["x_train"]) == len(names["y_train"]) > len(names["x_test"])
