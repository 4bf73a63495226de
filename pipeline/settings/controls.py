"""The lines of params.yaml that give an experiment its control."""

import yaml

from pipeline.settings.params import Params, name_plain, write_plain


def explain_missing_control(params: Params, name: str) -> str:
    """Return which lines to add for an experiment without a control, '' if it needs none."""
    if params.is_baseline(name) or params.control_of(name) is not None:
        return ""
    share = params.experiments[name].share
    if share < 1 and params.experiments[name].control is None:
        return ""
    counts = {label: count for label, count in params.count_variants(name).items() if count}
    if len(counts) == len(params.classes) and len(set(counts.values())) == 1:
        pointer = f", and to {name}: `control: {name_plain(share)}`" if share < 1 else ""
        return (
            f"No verdict on {name}: add its control to experiments: `{write_plain(share)}`{pointer}"
        )
    control = f"duplicate-for-{name}"
    copies = sorted(set(counts.values()))
    ops = [f"duplicate-{number}" if number > 1 else "duplicate" for number in copies]
    recipes = ", ".join(
        f"`{op}: {{transform: duplicate, copies: {number}}}`"
        for op, number in zip(ops, copies, strict=True)
    )
    classes = {
        op: [label for label, count in counts.items() if count == number]
        for op, number in zip(ops, copies, strict=True)
    }
    keys = {"ops": ops, "classes": classes} | ({"share": share} if share < 1 else {})
    experiment = yaml.safe_dump(
        keys, default_flow_style=True, allow_unicode=True, width=999
    ).strip()
    return (
        f"No verdict on {name}: it also makes {', '.join(counts)} more frequent, and its "
        f"control does not. Let augment have {recipes}; add to experiments "
        f"`{control}: {experiment}`, and to {name}: `control: {control}`"
    )
