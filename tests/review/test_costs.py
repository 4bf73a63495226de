"""What a correction costs, found out as balance and split decide it."""

import json
from itertools import chain

import pytest
from reviewed import open_page, write_project, write_tiles

from pipeline.dataset.tables import COLUMNS, read_table, write_table
from pipeline.intake.catalogue import scan_id_of
from pipeline.project import Project
from pipeline.settings.loading import load_params
from pipeline.stages.augment import augment
from pipeline.stages.balance import balance
from pipeline.stages.plan import plan
from pipeline.stages.split import split
from pipeline.subjects.boxes import scan_of


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """A project whose 60 tiles are split and planned; a run of it took 30 s."""
    monkeypatch.setattr("pipeline.stages.plan.time_run", lambda *known: 1)  # it would train
    ids = write_project(tmp_path, tiles=60, pages=10)
    text = (tmp_path / "params.yaml").read_text().replace("group: page", "group: none")
    (tmp_path / "params.yaml").write_text(text.replace("method: undersample", "method: none"))
    project, params = Project(tmp_path), load_params(tmp_path / "params.yaml")
    for stage in (balance, split, augment, plan):
        stage(project, params)
    for seed in range(2):
        folder = project.run_folder("none", 0, seed)
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"seconds": 30}))
    return project, params, ids


def cost_of(project, changes):
    return open_page(project.root).post("/api/costs", json={"changes": changes}).json()


def parts_of(project):
    content = open_page(project.root).get("/api/parts").json()
    return [content["names"][number] for number in content["part"]]


def test_nothing_costs_nothing(planned):
    project, _, ids = planned
    assert cost_of(project, {}) | {"trouble": ""} == {
        "tiles": 0, "pages": 0, "trainings": 0, "seconds": 0, "trouble": "", "most": False,
    }  # fmt: skip
    assert cost_of(project, {ids[0]: "0", "gone-0": "1"})["pages"] == 0, "it has that label already"


def test_a_tile_that_trains_costs_its_page_and_every_seed(planned):
    project, _, ids = planned
    trained = ids[parts_of(project).index("train")]
    cost = cost_of(project, {trained: "-"})
    assert (cost["pages"], cost["trainings"]) == (1, 2)
    road = 1.5 * (9 + 1)
    assert cost["seconds"] in (road + 60, road + 30), "one or two at once"


def draw_boxes(project, scan):
    """Say in raw/boxes.csv that a page has one box, which no tile is of."""
    row = next(
        row
        for row in read_table(project.output("catalogue.csv"), COLUMNS["catalogue"])
        if scan_id_of(row) == scan
    )
    (project.root / "raw/boxes.csv").write_text(
        f"source,page,x0,y0,x1,y1,label\n{row['source']},{row['page']},1,2,9,11,0\n"
    )


def test_other_boxes_cost_at_most_the_runs_that_hold_tiles_of_their_page(planned):
    project, _, ids = planned
    parts = parts_of(project)
    pages = {scan: {p for one, p in zip(ids, parts, strict=True) if scan_of(one) == scan}
             for scan in map(scan_of, ids)}  # fmt: skip
    for scan, held in pages.items():
        draw_boxes(project, scan)
        cost = cost_of(project, {})
        assert (cost.get("pages"), cost.get("most")) == (1, True), cost
        assert cost["trainings"] == (2 if held & {"train", "val"} else 0)
        assert cost["seconds"] > 0


def test_of_two_tiles_on_a_page_it_is_done_once(planned):
    project, _, ids = planned
    assert cost_of(project, {ids[0]: "2", ids[1]: "2"})["pages"] == 1
    assert cost_of(project, {ids[0]: "2", ids[8]: "1"})["pages"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("method", ["none", "undersample"])
def test_what_it_says_is_what_the_road_then_does(planned, method):
    """Tiles left out and relabelled in turn: trainings, where other tiles train or validate."""
    project, _, ids = planned
    text = project.params_file.read_text()
    project.params_file.write_text(text.replace("method: none", f"method: {method}"))
    labels = {name: str(number % 3) for number, name in enumerate(ids)}
    before = train_on(project, labels)
    found = set()
    for number in range(0, 60, 5):
        change = {ids[number]: "-" if number % 2 else "1"}
        after = train_on(project, {n: one for n, one in (labels | change).items() if one != "-"})
        write_tiles(project.root, list(labels.items()))
        train_on(project, labels)
        told = cost_of(project, change)["trainings"]
        assert (told > 0) == (after != before)
        found.add(told > 0)
    assert found == {True, False}


def train_on(project, labels):
    """Return which tiles train and validate, with their labels, when the tables are made anew."""
    write_tiles(project.root, list(labels.items()))
    params = load_params(project.params_file)
    balance(project, params)
    split(project, params)
    rows = read_table(project.output("split.csv"), COLUMNS["split"])
    return {(row["id"], row["split"], labels[row["id"]]) for row in rows if row["split"] != "test"}


def correct(project, labels, found):
    """Make tiles and boxes anew with these labels, by id, as they were found with others."""
    write_tiles(project.root, list(labels.items()), found=list(found.values()))
    path = project.output("boxes.csv")
    rows = read_table(path, COLUMNS["boxes"])
    for row in rows:
        first = found[row["id"]]
        row |= {"label": labels[row["id"]], "found": "" if first == labels[row["id"]] else first}
    write_table(path, COLUMNS["boxes"], rows)
    said = [f"{row['source']},{row['id']},{row['label']}\n" for row in rows if row["found"]]
    (project.root / "raw/labels.csv").write_text("source,id,label\n" + "".join(said))
    params = load_params(project.params_file)
    for stage in (balance, split, augment, plan):
        stage(project, params)
    return {
        name: [
            (fold["train"], fold["val"])
            for fold in json.loads(project.output("experiments", f"{name}.json").read_text())[
                "folds"
            ]
        ]
        for name in params.experiments
    }


@pytest.mark.slow
def test_experiments_on_labels_as_they_were_found_are_counted_too(planned):
    """Relabelled, left out and taken in again: trainings are told where the plans differ then."""
    project, _, ids = planned
    text = project.params_file.read_text()
    project.params_file.write_text(
        text.replace("experiments:\n", "experiments:\n  uncleaned: {labels: found}\n")
    )
    found = {name: str(number % 3) for number, name in enumerate(ids)}
    out = ids[7]
    before = correct(project, labels := found | {out: "-"}, found)
    parts = dict(zip(ids, parts_of(project), strict=True))
    seen = set()
    some = [[one for one in ids if parts[one] == part][1:4] for part in ("train", "val", "test")]
    for name in (*chain(*some), out):
        for label in ("-", "1") if name != out else ("1",):
            told = cost_of(project, {name: label})["trainings"]
            after = correct(project, labels | {name: label}, found)
            changed = {one for one in before if before[one] != after[one]}
            assert told == 2 * len(changed), (name, label, parts[name], changed)
            seen.add((parts[name], label, "uncleaned" in changed))
            correct(project, labels, found)
    assert {("train", "-", False), ("val", "-", True)} <= seen


def test_seeds_that_came_while_the_page_is_open_count(planned):
    project, _, ids = planned
    page = open_page(project.root)
    trained = {ids[parts_of(project).index("train")]: "-"}
    assert page.post("/api/costs", json={"changes": trained}).json()["trainings"] == 2
    text = project.params_file.read_text()
    project.params_file.write_text(text.replace("seeds: 2", "seeds: 5"))
    assert page.post("/api/costs", json={"changes": trained}).json()["trainings"] == 5


def test_runs_that_were_finished_while_the_page_is_open_tell_how_long_one_takes(planned):
    project, _, ids = planned
    timed = [project.run_folder("none", 0, seed) / "run.json" for seed in range(2)]
    for file in timed:
        file.unlink()
    page, trained = open_page(project.root), {ids[parts_of(project).index("train")]: "-"}
    assert page.post("/api/costs", json={"changes": trained}).json()["seconds"] is None
    for file in timed:
        file.write_text(json.dumps({"seconds": 30}))
    (project.root / "dvc.lock").write_text("schema: '2.0'\n")
    assert page.post("/api/costs", json={"changes": trained}).json()["seconds"] >= 30


def test_where_the_road_would_stop_that_is_said(planned):
    project, _, ids = planned
    cost = cost_of(project, dict.fromkeys(ids[::3], "-"))
    assert "class '0'" in cost["trouble"]


def test_an_unclear_boxes_csv_is_told_as_what_would_stop_the_road(planned):
    project, _, ids = planned
    (project.root / "raw/boxes.csv").write_text("source,x0,y0,x1,y1\nraw/scans/no.png,1,2,3,4\n")
    cost = cost_of(project, {ids[0]: "2"})
    assert "raw/boxes.csv: line 2: no scan is" in cost["trouble"]
    assert cost["pages"] == 1


@pytest.mark.parametrize("changes", [None, [], {"a": "seven"}, {"a": 1}])
def test_what_is_no_change_is_refused(client, changes):
    assert client.post("/api/costs", json={"changes": changes}).status_code == 422


def test_before_anything_is_planned_all_has_to_be_trained_and_no_time_is_guessed(tmp_path):
    ids = write_project(tmp_path, tiles=60, pages=10)
    project, params = Project(tmp_path), load_params(tmp_path / "params.yaml")
    cost = cost_of(project, {ids[0]: "-"})
    runs = sum(len(params.seeds_of(name)) for name in params.experiments)
    assert (cost["trainings"], cost["seconds"]) == (runs * params.split.folds, None)
    assert cost_of(project, {})["trainings"] == 0
