"""Hostile requests: whatever does not come from the page that was opened with the token."""

import pytest
from reviewed import ADDRESS, PORT, TOKEN, open_page, write_project
from starlette.testclient import TestClient

from pipeline.project import Project
from pipeline.review import guard
from pipeline.review.app import build_app
from pipeline.review.desk import Desk

PATHS = [
    "/",
    "/static/main.js",
    "/api/project",
    "/api/tiles",
    "/api/labels",
    "/api/state",
    "/nothing",
]


@pytest.fixture
def stranger(folder):
    """A client without the token."""
    desk = Desk(Project(folder))
    return TestClient(build_app(desk, TOKEN, PORT), base_url=ADDRESS)


@pytest.mark.parametrize(
    "path", [*PATHS, "/?token=", "/?token=a-toke", "/?token=%C3%BC", "/api/tiles?token=a-token"]
)
def test_without_the_token_nothing_is_given(stranger, path):
    answer = stranger.get(path)
    assert answer.status_code == 403
    assert "prep review" in answer.text
    assert "set-cookie" not in answer.headers


def test_the_token_leaves_the_address_for_a_cookie_that_no_script_and_no_other_site_has(stranger):
    answer = stranger.get(f"/?token={TOKEN}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert f"prep-{PORT}={TOKEN}" in cookie
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


@pytest.mark.parametrize(
    "cookie", ["prep-8766=wrong", "prep-8766=", "prep-1=a-token", "=", "a;;=\x07", "prep-8766=\xfc"]
)
def test_a_wrong_cookie_opens_nothing(stranger, cookie):
    assert (
        stranger.get("/api/tiles", headers={"cookie": cookie.encode("latin-1")}).status_code == 403
    )


@pytest.mark.parametrize(
    "others", ['a={"x":1,"y":2}; ', "theme=a b; ", "flag; [x]=1; ", "u=\xc3\xa9; ", "domain=x; "]
)
def test_cookies_of_other_programs_of_this_machine_do_not_lock_the_page_out(stranger, others):
    """A browser sends them to every port of 127.0.0.1, and not all are written as in the book."""
    cookie = f"{others}prep-{PORT}={TOKEN}; last".encode("latin-1")
    assert stranger.get("/api/project", headers={"cookie": cookie}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8766", "127.0.0.1", "127.0.0.1:80", "[::1]:8766", ""]
)
def test_a_name_that_somebody_lets_lead_here_is_refused(client, host):
    """As in DNS rebinding: the browser takes the page of evil.example for our own."""
    assert client.get("/api/tiles", headers={"host": host}).status_code == 421


def test_localhost_is_this_machine_too(client):
    assert client.get("/api/project", headers={"host": f"localhost:{PORT}"}).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:80", "localhost"])
def test_browsers_do_not_name_port_80(folder, host):
    app = build_app(Desk(Project(folder)), TOKEN, 80)
    page = TestClient(app, base_url=f"http://{host}")
    assert page.get(f"/?token={TOKEN}", headers={"host": host}).status_code == 200
    origin = {"host": host, "origin": f"http://{host}"}
    assert page.get("/api/tiles", headers=origin).status_code == 200
    assert page.get("/api/tiles", headers={"host": f"{host}.evil"}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:9999"},
        {"origin": f"https://127.0.0.1:{PORT}"}, {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_another_sites_page_asks_is_refused(client, folder, ids, headers, method):
    body = {"changes": {ids[0]: "1"}, "was": {ids[0]: None}}
    answer = client.request(method, "/api/labels", json=body, headers=headers)
    assert answer.status_code == 403
    assert not (folder / "raw/labels.csv").exists()


def test_our_own_page_may(client):
    headers = {"origin": ADDRESS, "sec-fetch-site": "same-origin"}
    assert client.get("/api/labels", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_what_a_form_of_another_page_could_send_is_refused(client, ids, kind):
    body = f'{{"changes": {{"{ids[0]}": "1"}}, "was": {{"{ids[0]}": null}}}}'
    answer = client.post("/api/labels", content=body, headers={"content-type": kind})
    assert answer.status_code == 415


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"7", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 10_000]
)
def test_what_is_no_object_is_refused(client, body):
    answer = client.post("/api/labels", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)


def test_a_huge_body_is_refused_whether_it_says_so_or_not(client):
    headers = {"content-type": "application/json"}
    huge = b'{"changes": {}, "x": "' + b"x" * guard.MOST_BYTES + b'"}'
    assert client.post("/api/labels", content=huge, headers=headers).status_code == 413
    in_parts = (huge[start : start + 60_000] for start in range(0, len(huge), 60_000))
    assert client.post("/api/labels", content=in_parts, headers=headers).status_code == 413
    lying = {**headers, "content-length": "-1"}
    assert client.post("/api/labels", content=b"{}", headers=lying).status_code == 413


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py", "/static/....//app.py",
        "/static//etc/passwd", "/static/%2fetc%2fpasswd", "/static/..\\app.py", "/params.yaml",
        "/raw/scans/page-000.png", "/processed/tiles.h5", "/static/", "/static/nothing.js",
        "/api/scan/../../params.yaml", "/api/scan/%2e%2e%2fparams.yaml", "/api/scan/nothing",
        "/api/scan/raw%2fscans%2fpage-000.png", "/api/sheet/x/../../etc",
    ],
)  # fmt: skip
def test_no_path_leads_to_another_file(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert b"classes" not in answer.content


@pytest.mark.parametrize(
    "rows", ["", "x", "-1", "30", "1,", ",", "1e3", "٣", "0," * 300 + "0", "9" * 400, "1;2"]
)
def test_tiles_that_are_none_are_not_drawn(client, rows):
    digest = client.get("/api/tiles").json()["digest"]
    assert client.get(f"/api/sheet/{digest}", params={"rows": rows}).status_code == 404


def test_every_answer_lets_in_nothing_but_our_own_files(client):
    for path in (*PATHS, "/api/sheet/x"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith(
            "default-src 'none'; script-src 'self'"
        )
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    assert client.get("/api/tiles").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_do_nothing(client, method):
    assert client.request(method, "/api/labels").status_code == 405


def test_a_scan_that_the_catalogue_places_elsewhere_is_not_shown(tmp_path):
    """Whoever writes the catalogue, nothing outside the sources of params.yaml is opened."""
    write_project(tmp_path)
    (tmp_path / "secret.png").write_bytes((tmp_path / "raw/scans/page-000.png").read_bytes())
    table = tmp_path / "processed/catalogue.csv"
    before = table.read_text()
    for outside in ("secret.png", "raw/scans/../../secret.png", "/etc/passwd"):
        table.write_text(before.replace("raw/scans/page-000.png", outside))
        (tmp_path / "processed/.digests").unlink(missing_ok=True)
        client = open_page(tmp_path)
        scan = client.get("/api/tiles").json()["pages"][0]["id"]
        assert client.get(f"/api/scan/{scan}").status_code == 404
