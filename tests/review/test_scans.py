"""The pages that tiles were cut from: decoded in another process, and what can't be is told."""

import os

import pytest
from reviewed import open_page

from pipeline.dataset.tables import COLUMNS, read_table, write_table
from pipeline.intake import images
from pipeline.intake.names import printable_name
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


def call_the_first_page(folder, name):
    """Let the catalogue and the boxes call the first page otherwise; return its address."""
    for table in ("catalogue", "boxes"):
        path = folder / f"processed/{table}.csv"
        rows = read_table(path, COLUMNS[table])
        for row in rows:
            if row["source"] == "raw/scans/page-000.png":
                row["source"] = name
        write_table(path, COLUMNS[table], rows)
    return "/api/scan/" + open_page(folder).get("/api/tiles").json()["pages"][0]["id"]


@pytest.mark.skipif(os.name == "nt", reason="this system has no such names")
@pytest.mark.parametrize(
    "name", ["a\nb.png", "\u202egnp.exe", "a\\b.png", b"\xff.png", "<b>&#.png", "a/../x.png"]
)
def test_files_with_odd_names_are_shown(folder, name):
    name = os.fsdecode(name)
    (folder / "raw/scans/a").mkdir()
    (folder / "raw/scans/page-000.png").rename(folder / "raw/scans" / name)
    address = call_the_first_page(folder, printable_name(f"raw/scans/{name}"))
    assert open_page(folder).get(address).headers["content-type"] == "image/jpeg"


@pytest.mark.parametrize(
    "name",
    ["raw/scans/../../secret.png", "raw/scans/\\x00.png", "../secret.png", "raw/scans/round"],
)
def test_a_catalogue_that_names_what_lies_elsewhere_is_not_believed(folder, name):
    (folder / "raw/scans/page-000.png").rename(folder / "secret.png")
    (folder / "raw/scans/round").symlink_to("round")
    address = call_the_first_page(folder, name)
    assert open_page(folder).get(address).status_code == 404


def test_what_costs_too_much_is_told(client, folder, scan):
    text = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace("seconds: 60", "seconds: 0.000001"))
    answer = open_page(folder).get(scan)
    assert answer.status_code == 422
    assert "can't be shown: its decoder ended with" in answer.json()["error"]
