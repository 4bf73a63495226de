"""The page of a small project, asked without a browser."""

import pytest
from reviewed import open_page, write_project


@pytest.fixture
def folder(tmp_path):
    """A project of 30 tiles on three pages, of the classes 0, 1 and 2 in turn."""
    write_project(tmp_path)
    return tmp_path


@pytest.fixture
def client(folder):
    return open_page(folder)


@pytest.fixture
def ids(client):
    return client.get("/api/tiles").json()["ids"]
