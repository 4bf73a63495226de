"""prep segment: what it leaves beside the tables."""

from conftest import run_to

from pipeline.stages.segment import NO_OVERLAYS


def test_where_no_page_is_drawn_the_folder_says_why(project, prep):
    run_to(prep, "segment")
    folder = project / "processed/overlays"
    assert [path.name for path in folder.iterdir()] == ["README.txt"]
    assert (folder / "README.txt").read_text() == NO_OVERLAYS
