"""prep report: all of it -> report/index.html, one file that opens offline, and plots/ for DVC."""

from pipeline.atomic import whole_folder
from pipeline.dataset.reading import open_tiles
from pipeline.intake.scans import read_catalogue
from pipeline.project import Project
from pipeline.report.answers import Tested, show_answers
from pipeline.report.data import show_data
from pipeline.report.finding import list_broken, show_finding
from pipeline.report.intervals import show_verdicts
from pipeline.report.landscape import show_landscape
from pipeline.report.pictures import Pictures
from pipeline.report.plots import write_plots
from pipeline.report.provenance import show_provenance
from pipeline.report.reasons import show_reasons
from pipeline.report.reference import show_reference
from pipeline.report.rendering import render
from pipeline.report.trainings import show_training
from pipeline.report.variants import show_ops
from pipeline.report.wrong import show_wrong
from pipeline.settings.params import Params
from pipeline.verdicts.results import Ablation, list_scored, load_ablation, read_confidence


def report(project: Project, params: Params) -> str:
    """Write the page; what is not there yet is named on it."""
    with open_tiles(project, params.classes) as tiles:
        content: dict[str, object] = {
            "title": params.report.title or project.root.name,
            "classes": params.classes,
            "margin": params.compare.margin,
            "data": show_data(project, params, tiles),
            "ops": show_ops(project, params, tiles),
            "landscape": show_landscape(project, params, tiles),
            "reference": show_reference(project, params, tiles),
            "training": show_training(project, params),
        }
        scored = list_scored(project, params)
        content["unscored"] = [name for name in params.experiments if name not in scored]
        ablation = load_ablation(project, params, names=scored) if scored else None
        content |= dict.fromkeys(("finding", "wrong", "verdicts", "answers", "reasons"))
        if ablation:
            pictures = Pictures(tiles, ablation.ids, read_catalogue(project))
            content["finding"] = show_finding(params, ablation)
            content["wrong"] = show_wrong(params, ablation)
            content["verdicts"] = show_verdicts(params, ablation)
            tested = _gather(project, params, ablation)
            content["answers"] = show_answers(tested, pictures, params.report.gallery)
            content["reasons"] = show_reasons(project, params, ablation, pictures)
        arms = ablation.arms if ablation else []
        content["broken"] = list_broken(arms)
        content["provenance"] = show_provenance(project, params, arms)
    with whole_folder(project.output("report")) as folder:
        (folder / "index.html").write_text(render("report.html", content), encoding="utf-8")
        write_plots(folder / "plots", project, params, ablation)
    return f"{project.relative(project.output('report', 'index.html'))}, to be opened in a browser"


def _gather(project: Project, params: Params, ablation: Ablation) -> Tested:
    """Return what every experiment said of the test pictures."""
    confidence = {arm.name: read_confidence(project, arm, ablation.ids) for arm in ablation.arms}
    return Tested(params.classes, ablation.labels, ablation.arms, ablation.results, confidence)
