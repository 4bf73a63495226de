"""Where the page is served, and what that costs to start."""

import os
import signal
import socket
import subprocess
import sys
import webbrowser

import pytest
from reviewed import write_project

from pipeline.errors import DataError
from pipeline.review import serving


@pytest.fixture
def served(monkeypatch):
    """What would be served, app and address; nothing is."""
    found = []

    def run(server, sockets):
        found.append((server.config.app, sockets[0].getsockname()))

    monkeypatch.setattr(serving._Server, "run", run)
    return found


def serve(port=None, browser=False):
    serving.serve(lambda token, number: (token, number), port, browser=browser)


def test_it_listens_to_this_machine_alone_with_a_new_token_each_time(served, capsys):
    serve()
    serve()
    ((token, port), place), ((other, _), _) = served
    assert place == ("127.0.0.1", port)
    assert len(token) >= 32
    assert token != other
    assert f"http://127.0.0.1:{port}/?token={token}\n" in capsys.readouterr().out


def test_of_a_port_that_is_taken_another_one_is_used_unless_it_was_asked_for(served):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(serving, "USUAL", taken)
            serve()
        assert served[0][1][1] != taken
        with pytest.raises(DataError, match=f"port {taken} is taken by another program"):
            serve(taken)


def test_without_a_browser_the_address_is_printed(served, capsys, monkeypatch):
    def refuse():
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "get", refuse)
    serve(browser=True)
    assert capsys.readouterr().out.startswith("Open the page at http://127.0.0.1:")


def test_a_browser_that_would_take_the_terminal_is_not_started(served, capsys, monkeypatch):
    monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.GenericBrowser("lynx"))
    serve(browser=True)
    assert capsys.readouterr().out.startswith("Open the page at ")


@pytest.mark.slow
def test_it_starts_without_tensorflow_and_pandas_and_ctrl_c_ends_it_quietly(tmp_path):
    write_project(tmp_path)
    words = (
        "import sys, threading, urllib.request\n"
        "from pipeline.review import serving\n"
        "def look(*known):\n"
        "    heavy = {'tensorflow', 'keras', 'pandas', 'scipy', 'sklearn', 'matplotlib'}\n"
        "    print(sorted(heavy & sys.modules.keys()), flush=True)\n"
        "serving.say = look\n"
        "sys.argv = ['prep', 'review', '--no-browser']\n"
        "from pipeline.__main__ import main\n"
        "main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout.readline() == "[]\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (out, err, process.returncode) == ("", "Stopped.\n", 130)
