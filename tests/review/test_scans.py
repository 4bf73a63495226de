"""The pages that tiles were cut from: decoded in another process, and what can't be is told."""

import pytest
from reviewed import open_page

from pipeline.intake import images
from pipeline.intake.scans import read_catalogue
from pipeline.project import Project
from pipeline.review import scans
from pipeline.settings.sections import Limits

pytestmark = pytest.mark.slow  # each starts a process


@pytest.fixture
def scan(client):
    """The address of the first page."""
    return "/api/scan/" + client.get("/api/tiles").json()["pages"][0]["id"]


def test_a_page_comes_as_jpeg_of_its_size(client, scan):
    answer = client.get(scan)
    assert answer.headers["content-type"] == "image/jpeg"
    assert images.decode_page(answer.content).shape == (400, 300, 3)
    assert "immutable" in answer.headers["cache-control"]


def test_a_large_one_comes_smaller(folder, monkeypatch):
    monkeypatch.setattr(scans, "MOST", 100)
    row = read_catalogue(Project(folder))[0]
    made = scans.draw_scan(folder, Limits(), row)
    assert images.decode_page(made).shape == (100, 75, 3)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_any_more_is_told(client, folder, scan, content):
    (folder / "raw/scans/page-000.png").write_bytes(content)
    answer = client.get(scan)
    assert answer.status_code == 422
    assert "raw/scans/page-000.png can't be read" in answer.json()["error"]


def test_a_file_that_is_gone_is_told(client, folder, scan):
    (folder / "raw/scans/page-000.png").unlink()
    answer = client.get(scan)
    assert answer.status_code in (422, 507)
    assert "page-000.png" in answer.json()["error"]


def test_a_link_out_of_the_source_is_not_followed(folder, client, scan):
    page = folder / "raw/scans/page-000.png"
    page.rename(folder / "secret.png")
    page.symlink_to(folder / "secret.png")
    assert open_page(folder).get(scan).status_code == 404


def test_what_costs_too_much_is_told(client, folder, scan):
    text = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace("seconds: 60", "seconds: 0.000001"))
    answer = open_page(folder).get(scan)
    assert answer.status_code == 422
    assert "can't be shown: its decoder ended with" in answer.json()["error"]
