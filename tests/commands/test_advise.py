"""prep advise on scores that are made up, so that what it should say is known."""

import json
import re
from dataclasses import asdict

import numpy as np
import pytest
import yaml
from conftest import BLOBS, sign_predictions, write_params

from pipeline.dataset.tables import COLUMNS, write_table
from pipeline.verdicts.scores import score_run

pytestmark = pytest.mark.slow

TESTED, TRAINED, SEEDS = 600, 1000, 5
CURVE = {"none": {}, "none-50": {"share": 0.5}, "none-25": {"share": 0.25}}
# Errors that halve with each doubling: flip is worth one of them, zoom costs one, rotate is none.
ERRORS = {"none": 0.1, "none-50": 0.2, "none-25": 0.4, "flip": 0.05, "zoom": 0.2, "rotate": 0.1}
ARMS = CURVE | {name: {"ops": [name]} for name in ("flip", "zoom", "rotate")}
NONE_25 = ("--experiment", "none-25")


def draw_predictions(dice, error):
    """Return labels (N,) and predictions (S, N): hard pictures are often wrong, whoever looks."""
    labels = np.arange(TESTED) % 2
    rank = np.random.default_rng(0).permutation(TESTED)
    ranks = rank + dice.normal(0, 0.05 * TESTED, (SEEDS, TESTED))
    wrong = ranks.argsort(axis=1).argsort(axis=1) < error * TESTED
    return labels, np.where(wrong, 1 - labels, labels)


def write_scores(project, name, error, share=1.0):
    labels, predicted = draw_predictions(np.random.default_rng([*name.encode()]), error)
    about = {"fold": 0, "originals": round(TRAINED * share), "variants": 0, "steps": 6,
             "failed_step": None, "best_step": 6, "seconds": 2.0}  # fmt: skip
    runs = [
        about | {"seed": seed} | asdict(score_run(labels, row, 2))
        for seed, row in enumerate(predicted)
    ]
    folder = project / "processed/scores" / name
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "experiment": name,
        "split": "a",
        "classes": list(BLOBS),
        "budget": {},
        "tiles": "a",
        "predictions": "",
        "runs": runs,
    }
    (folder / "metrics.json").write_text(json.dumps(content))
    classes = list(BLOBS)
    rows = (
        {"id": f"t{i}", "fold": 0, "seed": seed, "label": classes[labels[i]],
         "predicted": classes[predicted[seed, i]]}
        for seed in range(SEEDS) for i in range(TESTED)
    )  # fmt: skip
    write_table(folder / "predictions.csv", COLUMNS["predictions"], rows)
    sign_predictions(project, name)


@pytest.fixture
def study(project):
    """Make a project whose experiments have scores, and nothing else but the split."""

    def make(experiments, errors=ERRORS, **changes):
        ops = {"flip": {}, "zoom": {"factor": 1.2}, "rotate": {"degrees": 5}}
        write_params(project, augment=ops, experiments=experiments, **changes)
        (project / "processed").mkdir(exist_ok=True)
        tested = [
            {"id": f"t{i}", "split": "test", "fold": 0, "group": f"t{i}"} for i in range(TESTED)
        ]
        trained = [
            {"id": f"r{i}", "split": "train", "fold": 0, "group": ""} for i in range(TRAINED)
        ]
        write_table(project / "processed/split.csv", COLUMNS["split"], [*tested, *trained])
        for name, experiment in experiments.items():
            write_scores(project, name, errors[name], experiment.get("share", 1.0))
        return project

    return make


def read_number(text, name):
    """Return what an experiment is worth in the printed text, and its interval."""
    found = re.search(rf"^{name} .*?about ([\d,]+) .*\(between ([\d,]+) and ([\d,]+)\)", text, re.M)
    assert found, text
    return [int(number.replace(",", "")) for number in found.groups()]


def test_the_worth_is_read_off_the_curve(study, prep):
    before = sorted(study(ARMS).rglob("*"))
    code, printed, errors = prep("advise")
    assert (code, errors) == (0, "")
    assert re.search(r"none-25 +25 +250 +60\.0", printed)
    assert "take off 50 % of the errors" in printed
    assert "from 90.0 % accuracy to about 95.0 %" in printed
    for name, truth in (("flip", 1000), ("zoom", 500)):
        worth, low, high = read_number(printed, name)
        assert worth == pytest.approx(truth, rel=0.06)
        assert low < truth < high
    assert "zoom does as much harm as having about" in printed
    assert re.search(r"^rotate \((open|no .* the margin)\): anything from", printed, re.M)
    assert "none-50 is" not in printed
    assert sorted(before) == sorted(before[0].parent.rglob("*")), "something was written"


def test_one_experiment_alone(study, prep):
    study(ARMS)
    _, printed, _ = prep("advise", "--experiment", "zoom")
    assert "zoom does" in printed
    assert "flip" not in printed
    code, _, errors = prep("advise", "--experiment", "zom")
    assert code == 1
    assert "Did you mean 'zoom'" in errors


def test_without_a_curve_it_prints_lines_that_make_one(study, prep):
    study({"none": {}, "rotate": {"ops": ["rotate"]}})
    _, printed, _ = prep("advise")
    lines = printed[printed.index("params.yaml") : printed.index("and run: dvc repro")]
    experiments = yaml.safe_load(lines.split("\n", 1)[1])
    assert experiments == {name: CURVE[name] for name in ("none-50", "none-25")}
    assert "accuracy" in printed, "the other advice is given all the same"


def test_a_size_that_is_there_is_not_asked_for_again(study, prep):
    study({"none-50": {"share": 0.5}, "rotate": {"ops": ["rotate"]}})
    _, printed, _ = prep("advise")
    assert "\n  none: {}\n  none-25: {share: 0.25}\n" in printed
    study(ARMS)
    assert "Add these lines" not in prep("advise")[1]


def test_arms_with_other_seeds_count_as_well(study, prep):
    project = study(ARMS)
    path = project / "processed/scores/flip/predictions.csv"
    text = path.read_text()
    for seed in range(SEEDS):
        text = re.sub(rf"^(t\d+,0),{seed},", rf"\1,{seed + 5},", text, flags=re.M)
    path.write_text(text)
    sign_predictions(project, "flip")
    assert read_number(prep("advise")[1], "flip")[0] == pytest.approx(1000, rel=0.06)


def test_without_a_none_that_is_among_the_lines(study, prep):
    study({"rotate": {"ops": ["rotate"]}})
    _, printed, _ = prep("advise")
    assert "\n  none: {}\n  none-50: {share: 0.5}\n" in printed


def test_a_flat_curve_holds_no_worth(study, prep):
    study(ARMS, ERRORS | {"none-50": 0.101, "none-25": 0.103})
    _, printed, _ = prep("advise")
    assert "can't be told from none" in printed
    assert "is worth" not in printed


def test_what_is_not_settled_gets_its_line(study, prep):
    study({"none": {}, "rotate": {"ops": ["rotate"]}, "flip": {"ops": ["flip"]}},
          ERRORS | {"rotate": 0.087})  # fmt: skip
    _, printed, _ = prep("advise")
    lines = re.findall(r"^rotate +(accuracy|recall of \w+) +(\S+) +(.+)$", printed, re.M)
    assert [line[:2] for line in lines] == [("accuracy", "+1.2")]
    assert re.search(r"5 → [\d]+|never|over 100", lines[0][2])
    assert "split.folds: 3 in params.yaml all 1,600 tiles are tested instead of 600" in printed
    everything = prep("advise", "--all")[1]
    assert re.search(r"^rotate +recall of bar +", everything, re.M)


def test_no_more_than_five_lines_unless_all_are_asked_for(study, prep):
    names = [f"op{n}" for n in range(7)]
    study({"none": {}} | {name: {"ops": ["flip"]} for name in names}, dict.fromkeys(names, 0.095)
          | {"none": 0.1})  # fmt: skip
    lines = re.findall(r"^op\d +accuracy", prep("advise")[1], re.M)
    assert len(lines) == 5
    assert "2 more: prep advise --all." in prep("advise")[1]
    assert len(re.findall(r"^op\d +accuracy", prep("advise", "--all")[1], re.M)) == 7


def test_without_a_verdict_it_says_what_would_give_one(study, prep):
    project = study({"none": {}, "flip": {"ops": ["flip"]}})
    for name in ("none", "flip"):
        path = project / f"processed/scores/{name}/predictions.csv"
        path.write_text(re.sub(r"^t\d+,0,[234],.*\n", "", path.read_text(), flags=re.M))
        sign_predictions(project, name)
    printed = " ".join(prep("advise")[1].split())
    assert "No verdict: only 2 seeds, at least 3 are needed. What would give one:" in printed


def test_where_all_is_settled_it_says_so(study, prep):
    study({"none": {}, "flip": {"ops": ["flip"]}})
    assert "All is settled that has a verdict." in prep("advise")[1]


def remove_scores(project, *names):
    for name in names:
        (project / f"processed/scores/{name}/metrics.json").unlink()


def test_what_has_no_scores_yet_is_named_and_left_out(study, prep):
    remove_scores(study(ARMS), "none-25", "rotate")
    code, printed, errors = prep("advise")
    assert (code, errors) == (0, "")
    assert "No scores yet, so left out: none-25, rotate. Make them with: dvc repro" in printed
    assert read_number(printed, "flip")[0] == pytest.approx(1000, rel=0.06)
    assert not re.search("^(none-25|rotate) ", printed, re.M)


def test_a_size_without_scores_is_not_asked_for_again(study, prep):
    """The lines that it printed were added, and it is asked again before they were trained."""
    remove_scores(study(ARMS), "none-25", "none-50")
    _, printed, _ = prep("advise")
    assert "needs the scores of more sizes" in printed
    assert "Add these lines" not in printed
    assert "accuracy" in printed, "the other advice is given all the same"


def test_an_op_whose_control_has_no_scores_is_told(study, prep):
    arms = ARMS | {"twice": {}, "zoom": {"ops": ["zoom"], "control": "twice"}}
    remove_scores(study(arms, ERRORS | {"twice": 0.1}), "twice")
    code, printed, _ = prep("advise")
    assert (code, "zoom: what it is worth is open: its control twice has" in printed) == (0, 1)
    assert read_number(printed, "flip")


@pytest.mark.parametrize("words, unscored", [((), list(ARMS)), (NONE_25, NONE_25[1:])])
def test_missing_scores_name_the_command(study, prep, words, unscored):
    remove_scores(study(ARMS), *unscored)
    code, _, errors = prep("advise", *words)
    told = f"no scores yet of {', '.join(unscored)}. Make them with: prep train"
    assert (code, told in errors) == (1, True)
