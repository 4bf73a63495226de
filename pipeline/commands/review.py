"""prep review: the labels looked at and mended in the browser."""

from pipeline.project import Project
from pipeline.review.app import build_app
from pipeline.review.desk import Desk
from pipeline.review.serving import serve
from pipeline.settings.params import Params


def review(project: Project, params: Params, port: int | None, browser: bool) -> str:
    """Serve the page until Ctrl-C; params, which are sound, it reads anew whenever they change."""
    desk = Desk(project)
    serve(lambda token, number: build_app(desk, token, number), port, browser=browser)
    return ""
