"""The review page in a real browser."""

import re
import subprocess
import sys


class Server:
    """`prep review` on a project, in a process of its own."""

    def __init__(self, folder, port=None):
        words = [sys.executable, "-m", "pipeline", "review", "--no-browser"]
        words += ["--port", str(port)] if port else []
        self.process = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True)
        self.address = re.search(r"http://\S+", self.process.stdout.readline())[0]
        self.port = int(re.search(r":(\d+)/", self.address)[1])

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def saved(page):
    """Wait until everything is on the disk."""
    page.wait_for_selector("#waiting:not([aria-busy=true])")


def becomes(page, look, wanted):
    """Wait until what a file or the page says is what is wanted; it is shown where it never is."""
    for _ in range(100):
        if look() == wanted:
            return
        page.wait_for_timeout(100)
    assert look() == wanted
