"""Too little memory: one sentence says so, and what to change, whatever ran out of it."""

import errno
import os
import subprocess
import sys

import cv2
import pytest

from pipeline import cli
from pipeline.errors import is_out_of_memory
from pipeline.isolation import Death
from pipeline.stages import train
from pipeline.training.runs import Task


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory", "processed/tiles.h5"),
        ImportError("libtensorflow_cc.so.2: failed to map segment from shared object"),
        ImportError("libx.so: cannot allocate memory in static TLS block"),
        RuntimeError("std::bad_alloc"),
        cv2.error("OpenCV(5.0.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate"),
        type("ResourceExhaustedError", (Exception,), {})("OOM when allocating tensor"),
    ],
)
def test_whatever_runs_out_of_memory_is_one_sentence(project, prep, monkeypatch, error):
    assert is_out_of_memory(error)

    def raise_it(*words):
        raise error

    monkeypatch.setattr("pipeline.settings.loading.load_params", raise_it)
    code, _, errors = prep("balance")
    assert (code, "not enough memory" in errors, "Close other" in errors) == (1, True, True)
    assert errors.count("\n") == 1


def test_other_errors_are_not_taken_for_it(project, monkeypatch):
    assert not is_out_of_memory(ImportError("No module named 'h5py'"))
    assert not is_out_of_memory(OSError(errno.ENOENT, "No such file", "x"))

    def raise_it(*words):
        raise ZeroDivisionError

    monkeypatch.setattr("pipeline.settings.loading.load_params", raise_it)
    monkeypatch.setattr(sys, "argv", ["prep", "balance"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limits")
@pytest.mark.parametrize(("limit", "option"), [("RLIMIT_AS", "-v"), ("RLIMIT_DATA", "-d")])
def test_a_limit_that_tensorflow_does_not_fit_into_is_told_before_it_is_loaded(limit, option):
    code = (
        f"import resource; resource.setrlimit(resource.{limit}, (600_000_000,) * 2)\n"
        "from pipeline.network.backend import import_keras\nimport_keras()"
    )
    environment = os.environ | {"KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    told = f"and this process may have 0.6 GB (ulimit {option}): raise that limit"
    assert told in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(("exitcode", "told"), [(-9, True), (-6, True), (-11, True), (1, False)])
def test_a_training_that_was_ended_for_want_of_memory_says_what_to_change(exitcode, told):
    outcome = train._explain_death(Task("none", 0, 0), Death(exitcode))
    assert ("a smaller train.batch_size" in outcome.failure) == told
