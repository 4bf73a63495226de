"""The report of a tiny project: as a file, and opened in a browser.

Its classes have the names that a careless page would trip over, one file is broken and one is
there twice, and one experiment has no run.
"""

import csv
import json
import re
import shutil
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import forget_notes, sign_predictions, write_params, write_pictures

from pipeline.dataset.tables import COLUMNS, read_table, write_table
from pipeline.intake.labels import read_overrides
from pipeline.project import Project
from pipeline.report.pictures import Pictures
from pipeline.report.wrong import show_wrong
from pipeline.settings.loading import load_params
from pipeline.stages.augment import augment
from pipeline.stages.balance import balance
from pipeline.stages.ingest import ingest
from pipeline.stages.normalise import normalise
from pipeline.stages.plan import plan
from pipeline.stages.report import report
from pipeline.stages.segment import segment
from pipeline.stages.split import split
from pipeline.stages.train import train
from pipeline.verdicts.results import load_ablation
from pipeline.verdicts.scores import score_run

pytestmark = pytest.mark.slow

EVIL = '<img src=x onerror="document.title=1">'
QUOTED = "'日本' & \"🐈\" {{ 7 }}"
EXPERIMENTS = {
    "none": {},
    "flip": {"ops": ["flip"]},
    "rotate": {"ops": ["rotate"]},
    "both": {"ops": ["flip", "rotate"]},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A tiny project with everything made but one experiment's runs; the report is written."""
    folder = tmp_path_factory.mktemp("page") / "tiny"
    folder.mkdir()
    write_params(folder, classes=[EVIL, QUOTED], experiments=EXPERIMENTS)
    write_pictures(folder)
    label_pictures(folder)
    pictures = folder / "raw/pictures/bar"
    (pictures / "broken.png").write_bytes((pictures / "000.png").read_bytes()[:80])
    shutil.copy(pictures / "000.png", pictures / "again.png")
    found, params = Project(folder), load_params(folder / "params.yaml")
    for stage in (ingest, segment, normalise, balance, split, augment, plan):
        stage(found, params)
    for name in ("none", "flip", "rotate"):
        train(found, params, name)
    report(found, params)
    return found


def label_pictures(folder):
    """Name the classes in raw/labels.csv, since not every system takes such names for folders."""
    with (folder / "raw/labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["source", "label"])
        for number, name in enumerate(("bar", "square")):
            for picture in sorted((folder / "raw/pictures" / name).glob("*.png")):
                writer.writerow([f"raw/pictures/{name}/{picture.name}", (EVIL, QUOTED)[number]])
            if name == "bar":
                writer.writerow(["raw/pictures/bar/again.png", EVIL])
                writer.writerow(["raw/pictures/bar/broken.png", EVIL])


def page_of(project):
    return (project.output("report") / "index.html").read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Collects the page's words, pictures and whatever asks for something from outside."""

    def __init__(self, page):
        super().__init__()
        self.words, self.pictures, self.outside = [], [], []
        self.feed(page)
        self.text = " ".join(" ".join(self.words).split())

    def handle_data(self, data):
        self.words.append(data)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag == "img":
            self.pictures.append(found)
        self.outside += [
            value
            for name in ("src", "href", "srcset", "action")
            for value in [found.get(name)]
            if value and not value.startswith(("data:image/", "#"))
        ]


# --- The file -------------------------------------------------------------------------------


def test_class_names_are_shown_as_themselves_and_are_no_markup(project):
    read = Reader(page_of(project))
    assert EVIL in read.text
    assert QUOTED in read.text
    assert all("onerror" not in picture for picture in read.pictures)


def test_the_page_needs_nothing_else_and_every_picture_is_described(project):
    read = Reader(page_of(project))
    assert read.outside == []
    assert "url(http" not in page_of(project)
    shown = [picture for picture in read.pictures if "src" in picture]
    assert len(shown) > 20
    assert all(picture["alt"] for picture in shown)


def test_what_is_missing_is_said(project):
    text = Reader(page_of(project)).text
    assert "No scores of both yet. Make them with: prep train --experiment both" in text
    assert "No run of both yet" in text


def test_files_that_were_not_used_are_shown_with_their_reasons(project):
    text = Reader(page_of(project)).text
    assert re.search(r"bar/broken\.png quarantined \S", text)
    assert re.search(r"bar/again\.png duplicate same as raw/pictures/bar/000\.png", text)


def data_of(project, name):
    """Return what a part of the page is drawn from."""
    found = re.search(rf'id="{name}">(.*?)</script>', page_of(project), re.S)
    return json.loads(found.group(1))


def test_every_picture_says_which_it_is(project):
    """A picture that is its whole file is named by its file, and is shown by it when enlarged."""
    shown = data_of(project, "answer-data")["shown"]
    known = {row["source"] for row in read_table(project.output("boxes.csv"), COLUMNS["boxes"])}
    assert shown
    assert {one["origin"] for one in shown} <= known
    assert all(one["file"] == one["origin"] for one in shown)


def test_the_line_of_every_picture_leaves_it_out(project, tmp_path):
    lines = {one["line"] for one in data_of(project, "answer-data")["shown"]}
    boxes = read_table(project.output("boxes.csv"), COLUMNS["boxes"])
    (tmp_path / "raw").mkdir()
    content = "source,id,label\n" + "\n".join(sorted(lines))
    (tmp_path / "raw/labels.csv").write_text(content, encoding="utf-8")
    said = read_overrides(tmp_path, [EVIL, QUOTED])
    assert lines
    assert {one.label for one in said} == {"-"}
    assert {(one.source, one.id) for one in said} <= {(box["source"], box["id"]) for box in boxes}


def test_what_is_found_stands_first_and_the_rest_is_folded(project):
    page = page_of(project)
    assert page.index('id="finding"') < page.index('id="wrong"') < page.index('id="verdicts"')
    text = Reader(page).text
    assert text.index("Wrong without augmentation:") < text.index("How sure is that?")
    assert re.findall(r'<details class="section" id="(\w+)" open>', page) == ["wrong"]


def read_scores(project, name):
    return pd.read_csv(project.output("scores", name, "predictions.csv"), na_filter=False)


def test_wrong_pictures_are_counted_by_class_and_against_the_control(project):
    """pandas counts the same from predictions.csv."""

    def count(name, label):
        rows = read_scores(project, name)
        wrong = rows[(rows["label"] != rows["predicted"]) & (rows["label"] == label)]
        return len(wrong) / rows["seed"].nunique()

    params = load_params(project.params_file)
    ablation = load_ablation(project, params, names=["none", "flip", "rotate"])
    told = {name: (control, counted) for name, control, counted in show_wrong(params, ablation)}
    for name in ("none", "flip", "rotate"):
        control, (every, *classes) = told[name]
        assert [one.label for one in classes] == [EVIL, QUOTED]
        for one in classes:
            assert one.wrong == pytest.approx(count(name, one.label))
            assert one.pictures == (read_scores(project, name)["label"] == one.label).sum() / 2
        assert every.wrong == pytest.approx(sum(one.wrong for one in classes))
        if control:
            more = every.wrong - sum(count(control, label) for label in (EVIL, QUOTED))
            assert every.more == pytest.approx(more)
    assert told["none"][0] == ""


def test_the_runs_of_a_twin_count_as_in_the_scores(project):
    """With another experiment for a twin, none's wrong pictures are those of both."""
    params = load_params(project.params_file)
    ablation = load_ablation(project, params, names=["none", "flip", "rotate"])
    alone = {name: counted[0] for name, _, counted in show_wrong(params, ablation)}
    arms = [replace(arm, twin="flip" if arm.name == "none" else None) for arm in ablation.arms]
    told = {
        name: counted[0] for name, _, counted in show_wrong(params, replace(ablation, arms=arms))
    }
    together = (alone["none"].wrong + alone["flip"].wrong) / 2
    assert told["none"].wrong == pytest.approx(together)
    assert told["rotate"].more == pytest.approx(alone["rotate"].wrong - together)
    assert told["flip"].more == pytest.approx(alone["flip"].more), "against none's own runs alone"


def test_a_box_is_named_by_its_id_as_labels_csv_wants_it():
    row = {"source": "raw/pages/a.jpg", "member": "", "page": "2", "sha256": "0123456789ab"}
    ids = ["0123456789-2-31-40", "0123456789-2", "fedcba9876-0"]
    pictures = Pictures(SimpleNamespace(ids=ids), ids, [row | {"status": "ok"}])
    assert [pictures.name(n) for n in range(3)] == [
        "raw/pages/a.jpg page 3, id 0123456789-2-31-40", "raw/pages/a.jpg page 3", "fedcba9876-0",
    ]  # fmt: skip


def copy_without(project, folder, *parts):
    """Return a copy of the project in which some of what was made is missing."""
    shutil.copytree(project.root, folder / "copy")
    copy = Project(folder / "copy")
    for part in parts:
        shutil.rmtree(copy.output(part))
    return copy, load_params(copy.params_file)


def test_without_runs_and_scores_the_data_is_shown_all_the_same(project, tmp_path):
    copy, params = copy_without(project, tmp_path, "runs", "scores", "augmented", "overlays")
    report(copy, params)
    text = Reader(page_of(copy)).text
    assert "nothing to compare yet" in text
    assert "No run of none yet" in text
    assert "not made yet: prep augment --only flip" in text


def test_a_file_outside_every_source_is_not_said_to_be_used(project, tmp_path):
    copy, params = copy_without(project, tmp_path, "runs", "scores")
    (copy.root / "raw/elsewhere.png").write_bytes(b"no source holds this")
    for name in ("catalogue", "quarantine"):
        rows = read_table(copy.output(f"{name}.csv"), COLUMNS[name])
        used = [row for row in rows if row.get("status") == "ok"]
        write_table(copy.output(f"{name}.csv"), [*rows[0]] if rows else COLUMNS[name], used)
    report(copy, params)
    text = Reader(page_of(copy)).text
    assert "None: every file of the sources in params.yaml was used." in text
    assert "under raw/ was used" not in text


def test_a_score_that_some_runs_lack_says_of_how_many_runs_it_is(project, tmp_path):
    copy, params = copy_without(project, tmp_path, "runs")
    path = copy.output("scores", "flip", "metrics.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    for number, run in enumerate(content["runs"]):
        run["classes"][1]["precision"] = 0.75 if number == 0 else None
    path.write_text(json.dumps(content), encoding="utf-8")
    forget_notes(copy.root)
    report(copy, params)
    assert f"75.0 (1 of {len(content['runs'])} runs)" in Reader(page_of(copy)).text


def keep_scores(project, name, seed, label):
    """Leave of an experiment's scores those of one seed and one class."""
    folder = project.output("scores", name)
    rows = read_table(folder / "predictions.csv", COLUMNS["predictions"])
    kept = [row for row in rows if row["seed"] == str(seed) and row["label"] == label]
    write_table(folder / "predictions.csv", list(rows[0]), kept)
    content = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    places = [
        np.array([content["classes"].index(row[column]) for row in kept])
        for column in ("label", "predicted")
    ]
    run = next(run for run in content["runs"] if run["seed"] == seed)
    content["runs"] = [run | asdict(score_run(*places, len(content["classes"])))]
    (folder / "metrics.json").write_text(json.dumps(content), encoding="utf-8")
    sign_predictions(project.root, name)


def test_a_class_without_test_pictures_and_a_single_seed_are_said(project, tmp_path):
    copy, params = copy_without(project, tmp_path)
    for name in ("none", "flip", "rotate"):
        keep_scores(copy, name, 0, EVIL)
    report(copy, params)
    text = Reader(page_of(copy)).text
    assert f"There are no test pictures of class {QUOTED}" in text
    assert text.count("only 1 seed, at least 3 are needed") >= 2, "in the chart and as a note"


def test_a_reference_set_is_measured_beside_ours(project, tmp_path):
    copy, params = copy_without(project, tmp_path, "runs", "scores")
    shown = params.report.model_copy(update={"reference": "processed/tiles.h5"})
    report(copy, params.model_copy(update={"report": shown}))
    read = Reader(page_of(copy))
    assert "Beside processed/tiles.h5" in read.text
    assert "Principal components (PCA) of processed/tiles.h5" in read.text
    assert {"mean of our " + EVIL, "mean of the reference's " + EVIL} <= {
        picture.get("alt") for picture in read.pictures
    }


def test_dvc_is_given_what_it_plots(project):
    plots = project.output("report", "plots")
    curves = read_table(plots / "curves/flip.csv", COLUMNS["history"])
    assert [row["step"] for row in curves] == ["3", "6"]
    confusion = read_table(plots / "confusion/flip.csv", ("label", "predicted"))
    predictions = read_table(project.output("scores", "flip", "predictions.csv"), ("label",))
    told = sorted((row["label"], row["predicted"]) for row in predictions)
    assert sorted((row["label"], row["predicted"]) for row in confusion) == told
    assert [row["experiment"] for row in read_table(plots / "accuracy.csv", ("accuracy",))] == [
        "none", "flip", "rotate",
    ]  # fmt: skip


# --- In a browser ---------------------------------------------------------------------------


@pytest.fixture(params=[(380, "light"), (1600, "dark")], ids=["narrow", "wide"])
def opened(request, browser, project):
    """The report opened from disk, and what it complained of or asked for meanwhile."""
    width, scheme = request.param
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: (
            request.url.startswith(("file:", "data:")) or complaints.append(request.url)
        ),
    )
    page.goto(Path(project.output("report", "index.html")).as_uri())
    yield page
    page.close()
    assert complaints == []


def test_nothing_is_wider_than_the_window_and_every_picture_is_there(opened):
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert opened.evaluate(
        "[...document.images].filter((i) => i.src && !(i.complete && i.naturalWidth)).length == 0"
    )
    assert opened.title() == "Bars and squares"


def unfold(page, *names):
    """Unfold sections by their heads, as a person does."""
    for name in names:
        if not page.locator(f"details#{name}").evaluate("section => section.open"):
            page.locator(f"#{name} > summary").press("Enter")


def test_folded_it_is_short_and_a_link_unfolds_what_it_leads_to(opened):
    assert opened.evaluate("document.documentElement.scrollHeight") < 6000
    opened.get_by_role("link", name="Training").click()
    opened.locator("#training-table").wait_for(state="visible")


def test_nothing_is_in_the_way_of_those_who_cannot_see_it(opened):
    from axe_playwright_python.sync_playwright import Axe

    opened.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    found = Axe().run(opened, options={"runOnly": ["wcag2a", "wcag2aa"]}).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in serious] == []


def test_filters_leave_what_was_chosen(opened):
    unfold(opened, "verdicts")
    rows = opened.locator("#verdict-table tbody tr")
    assert rows.count() == 9
    opened.locator("select[data-scope=verdict-table][data-key=experiment]").select_option("flip")
    opened.locator("select[data-scope=verdict-table][data-key=label]").select_option(QUOTED)
    shown = [row.inner_text() for row in rows.all() if row.is_visible()]
    assert len(shown) == 1
    name, label = shown[0].split("\t")[:2]
    assert (name.split("\n")[0], label) == ("flip", QUOTED)  # below it what went wrong in runs
    assert opened.locator("output[data-scope=verdict-table]").inner_text() == "1 of 9 lines"


def test_a_press_on_a_head_sorts_by_numbers_and_says_so(opened):
    unfold(opened, "answers")
    head = opened.locator("#score-table th", has_text="recall")
    cells = opened.locator("#score-table tbody td:nth-child(4)")
    for direction in ("descending", "ascending"):
        head.get_by_role("button").press("Enter")
        assert head.get_attribute("aria-sort") == direction
        values = [float(cell.get_attribute("data-value")) for cell in cells.all()]
        assert values == sorted(values, reverse=direction == "descending")


def count_changes(project, arm, other):
    """Return how many pictures are repaired, broken and wrong with both, by pandas."""
    right = [
        read_scores(project, name)
        .assign(right=lambda rows: rows["label"] == rows["predicted"])
        .pivot(index="seed", columns="id", values="right")
        for name in (other, arm)
    ]
    before, after = (
        table.loc[sorted(set(right[0].index) & set(right[1].index))] for table in right
    )
    turned = (~before & after, before & ~after, ~before & ~after)
    return [int((table.mean() > 0.5).sum()) for table in turned]


@pytest.mark.parametrize(
    ("arm", "other"), [("flip", "none"), ("none", "rotate"), ("rotate", "flip")]
)
def test_any_experiment_is_held_against_any_other(opened, project, arm, other):
    unfold(opened, "answers")
    opened.locator("#answer-arm").select_option(arm)
    opened.locator("#answer-other").select_option(other)
    told = opened.locator("#answer-galleries .kind > p").all_inner_texts()
    counted = [int(re.match(r"[\d,]+", text).group().replace(",", "")) for text in told]
    assert counted[1:] == count_changes(project, arm, other)
    assert other in told[1]


def test_galleries_show_one_class_when_asked(opened, project):
    unfold(opened, "answers")
    opened.locator("#answer-arm").select_option("flip")
    opened.locator("#answer-class").select_option(label=QUOTED)
    captions = opened.locator("#answer-galleries figcaption").all_inner_texts()
    assert all(caption.startswith(QUOTED) for caption in captions)
    opened.locator("#answer-kind").select_option("broken")
    heads = [head for head in opened.locator("#answer-galleries h3").all() if head.is_visible()]
    assert [head.inner_text() for head in heads] == ["▼ Broken"]


def test_the_matrix_is_in_per_cent_or_in_pictures(opened, project):
    unfold(opened, "answers")
    opened.locator("#answer-arm").select_option("flip")
    rows = read_scores(project, "flip")
    right = ((rows["label"] == EVIL) & (rows["predicted"] == EVIL)).sum()
    total = (rows["label"] == EVIL).sum()
    first = opened.locator("#answer-matrices .heat").first.locator("tbody td").first
    assert first.inner_text() in (f"{100 * right / total:.1f}", "")
    opened.locator("#answer-unit").select_option("count")
    assert first.inner_text() in (f"{right / rows['seed'].nunique():.0f}", "")
    assert opened.locator("#answer-matrices .side").first.inner_text() == "true"


def test_a_picture_is_enlarged_by_keyboard_and_closed_again(opened):
    unfold(opened, "data")
    opened.locator("#data .enlarge").first.press("Enter")
    assert opened.locator("dialog").is_visible()
    assert opened.evaluate("document.querySelector('dialog img').naturalWidth > 0")
    opened.keyboard.press("Escape")
    assert not opened.locator("dialog").is_visible()


def test_the_arrow_keys_lead_from_an_enlarged_picture_to_the_next(opened):
    unfold(opened, "answers")
    gallery = opened.locator("#answer-galleries .gallery:visible").first
    first, second = (gallery.locator(".enlarge").nth(n) for n in range(2))
    shown = opened.locator("dialog p").first
    first.press("Enter")
    before = shown.inner_text()
    for key, button in (("ArrowRight", second), ("ArrowLeft", first), ("ArrowLeft", first)):
        opened.keyboard.press(key)
        assert opened.locator("dialog").is_visible()
        name = button.evaluate("b => b.closest('figure').querySelector('small').innerText")
        assert name in shown.inner_text()
    assert shown.inner_text() == before
    opened.keyboard.press("Escape")


def test_a_photo_is_enlarged_from_its_own_file_where_that_is_still_there(opened):
    unfold(opened, "answers")
    opened.locator("#answers .enlarge[data-file]").first.press("Enter")
    opened.locator('dialog img[src^="file:"]').wait_for()
    opened.keyboard.press("Escape")


def test_a_press_on_a_mistake_copies_the_line_that_leaves_it_out(opened):
    unfold(opened, "answers", "data")
    button = opened.locator("#answers .enlarge[data-line]").first
    opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button.press("Enter")
    dialog = opened.locator("dialog")
    assert dialog.locator("code").first.inner_text() == button.get_attribute("data-line")
    dialog.get_by_text("Copied:").wait_for()
    assert opened.evaluate("navigator.clipboard.readText()") == button.get_attribute("data-line")
    opened.keyboard.press("Escape")
    opened.locator("#data .enlarge:not([data-line])").first.press("Enter")  # a sheet has none
    assert not dialog.locator("code").first.is_visible()


def test_without_the_clipboard_the_line_is_there_to_be_copied(opened):
    unfold(opened, "answers")
    opened.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }"
    )
    button = opened.locator("#answers .enlarge[data-line]").first
    button.press("Enter")
    opened.locator("dialog").get_by_text("To copy:").wait_for()
    assert opened.evaluate("getSelection().toString()") == button.get_attribute("data-line")


def test_a_point_shows_its_family_and_its_tile(opened):
    unfold(opened, "landscape")
    opened.locator(".scatter").first.press("ArrowRight")
    assert opened.locator("#tile-tip").is_visible()
    assert opened.locator("#tile-tip").inner_text().strip() == f"{EVIL}, original"
    # The original and one variant of each of two ops, in both plots; alone it stands in two more.
    together = opened.locator("[data-shown=together]")
    assert together.locator(".p.lit").count() == 6
    assert together.locator(".links line").count() == 6
    opened.locator("#scatter-shown").select_option("alone")
    assert not together.is_visible()
    assert opened.locator("[data-shown=alone] .scatter").first.is_visible()
    assert opened.locator("[data-shown=alone] .variant").count() == 0
