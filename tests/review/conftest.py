"""The page of a small project, asked without a browser and with one."""

import pytest
from browsed import Server
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


@pytest.fixture
def serve():
    """Start servers that are stopped at the end."""
    servers = []

    def start(folder, **options):
        servers.append(Server(folder, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def show(browser):
    """Open the page of a server, listening to what it complains of and asks for elsewhere."""
    pages, complaints = [], []

    def open_view(server, width=1600, scheme="light", view="", **options):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, **options
        )
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda one: one.url.startswith("http://127.0.0.1:") or complaints.append(one.url),
        )
        page.goto(server.address)
        page.wait_for_selector(".cell")
        if view:
            page.click(f"nav >> text={view}")
        pages.append(context)
        return page

    open_view.complaints = complaints
    yield open_view
    for context in pages:
        context.close()
    # A refused request is told by the browser too; the page tells it in words.
    assert [one for one in complaints if "Failed to load resource" not in one] == []
