"""A page of the report from its template: one file, which asks for nothing else."""

from collections.abc import Mapping

from pipeline.verdicts.wording import write_difference, write_percent


def render(template: str, content: Mapping[str, object]) -> str:
    """Return the page; whatever the content says is shown as text, never taken as markup."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pipeline"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for write in (write_difference, write_percent):
        environment.globals[write.__name__] = write
    return environment.get_template(template).render(content)
