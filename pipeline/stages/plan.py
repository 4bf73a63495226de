"""prep plan: augmented/ -> experiments/<name>.json, what each trains on by digest; lineage.json.

`train@<name>` depends on its plan alone, so that only the experiments whose training or validation
content changed are trained again. Here, once, it is proved that nothing crosses the split.
"""

from pipeline.atomic import whole_folder
from pipeline.checks.leaks import find_leaks
from pipeline.console import warn
from pipeline.dataset.documents import write_document
from pipeline.dataset.reading import open_tiles
from pipeline.errors import DataError, count_things
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.training.plans import describe_lineage, digest_originals, draw_plans, find_model


def plan(project: Project, params: Params) -> str:
    """Write down what each experiment is made of, if nothing leaks into what it is tested on."""
    model = find_model(project, params)
    if model and not project.relative(model).startswith("models/"):
        elsewhere = project.relative(model)
        warn(f"dvc repro sees changes of models in models/ only; {elsewhere} lies elsewhere")
    with open_tiles(project, params.classes) as tiles:
        originals = digest_originals(tiles)
    pictures = map(bytes, originals.pictures)
    leaks = find_leaks(project, params, dict(zip(originals.ids, pictures, strict=True)))
    if leaks:
        raise DataError("\n".join(["nothing is planned, because the split leaks:", *leaks]))
    plans = draw_plans(project, params, originals, model)
    with whole_folder(project.output("experiments")) as folder:
        for content in plans:
            write_document(folder / f"{content['experiment']}.json", content)
    write_document(project.output("lineage.json"), describe_lineage(project))
    return f"{count_things(len(plans), 'plan')} in processed/experiments"
