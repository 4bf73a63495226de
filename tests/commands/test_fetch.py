"""prep fetch: what Keras has in its cache comes into raw/, and no network is one sentence."""

import gzip
import http.client
import io
import ssl
import struct
import tarfile

import numpy as np
import pytest
import yaml

DICE = np.random.default_rng(3)
X, U = (DICE.integers(0, 256, (n, 28, 28)).astype(np.uint8) for n in (12, 5))
Y, V = np.arange(12) % 10, np.arange(5)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Keras's cache, empty; whatever lies there counts as what it wants."""
    from pipeline.network.backend import import_keras

    import_keras()
    home = tmp_path / "keras"
    (home / "datasets").mkdir(parents=True)
    monkeypatch.setenv("KERAS_HOME", str(home))
    # Keras reads the environment as it is imported, and these small sets have other digests.
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(home))
    monkeypatch.setattr("keras.src.utils.file_utils.validate_file", lambda *_, **__: True)

    def refuse(address, *_):
        import urllib.error

        raise urllib.error.URLError("no network")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", refuse)
    return home / "datasets"


def fill_mnist(cache):
    np.savez(cache / "mnist.npz", x_train=X, y_train=Y, x_test=U, y_test=V)


def fill_fashion(cache):
    (cache / "fashion-mnist").mkdir()
    for part, pictures, labels in (("train", X, Y), ("t10k", U, V)):
        for kind, array in (("images-idx3", pictures), ("labels-idx1", labels)):
            head = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            packed = gzip.compress(head + array.astype(np.uint8).tobytes())
            (cache / "fashion-mnist" / f"{part}-{kind}-ubyte.gz").write_bytes(packed)


@pytest.mark.parametrize(("name", "fill"), [("mnist", fill_mnist), ("fashion-mnist", fill_fashion)])
def test_a_cached_set_goes_the_road_with_the_lines_that_are_printed(
    name, fill, cache, project, prep
):
    fill(cache)
    code, said, errors = prep("fetch", name)
    assert (code, errors) == (0, "")
    wanted = name.replace("-", "_")
    file = project / "raw" / wanted / f"{wanted}.npz"
    first = file.read_bytes()
    assert "12 training and 5 test pictures" in said
    lines = said[said.index("sources:") : said.index("fetch:")]
    params = yaml.safe_load((project / "params.yaml").read_text()) | yaml.safe_load(lines)
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    for stage in ("ingest", "segment", "normalise"):
        assert prep(stage)[0] == 0
    from pipeline.dataset.store import open_dataset

    with open_dataset(project / "processed/tiles.h5") as tiles:
        np.testing.assert_array_equal(tiles.read().images[..., 0], np.concatenate([U, X]))
        assert tiles.labels.tolist() == [*V, *Y]
    code, said, _ = prep("fetch", name)
    assert code == 0 and "was there already, the same" in said and file.read_bytes() == first


def test_another_file_of_that_name_is_kept(cache, project, prep):
    fill_mnist(cache)
    (project / "raw/mnist").mkdir()
    (project / "raw/mnist/mnist.npz").write_bytes(b"mine")
    code, _, error = prep("fetch", "mnist")
    assert code == 1 and "raw/mnist/mnist.npz is there already, with other content" in error
    assert (project / "raw/mnist/mnist.npz").read_bytes() == b"mine"
    assert len(list((project / "raw/mnist").iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("mnist", "mnist.npz"),
        ("fashion_mnist", "fashion-mnist/t10k-images-idx3-ubyte.gz"),
        ("cifar10", "cifar-10-batches-py-target_archive"),
    ],
)
def test_without_a_network_it_says_what_to_download_and_where_to(name, file, cache, project, prep):
    code, _, error = prep("fetch", name)
    told = "".join(error.split())
    assert code == 1 and "no network" in error and "Traceback" not in error
    assert "".join(str(cache / file).split()) in told
    assert not (project / "raw" / name / f"{name}.npz").exists()


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError("The read operation timed out"),
        http.client.RemoteDisconnected("Remote end closed connection without response"),
        ssl.SSLError(1, "certificate verify failed"),
        ConnectionResetError(104, "Connection reset by peer"),
        http.client.IncompleteRead(b"half"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_connection_that_breaks_off_is_no_damage_of_the_cache(
    error, cache, project, prep, monkeypatch
):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("urllib.request.urlopen", fail)
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", fail)
    code, _, told = prep("fetch", "mnist")
    assert code == 1
    assert "mnist can't be downloaded" in " ".join(told.split())
    assert "damaged" not in told


def test_the_archive_of_cifar10_may_be_put_there_by_hand(cache, project, prep, monkeypatch):
    import pickle

    count = 10_000  # as Keras wants of each file
    pixels = np.zeros((count, 3072), np.uint8)
    pixels[:, 5] = 7
    batch = pickle.dumps({b"data": pixels, b"labels": [3] * count})
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as archive:
        for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(batch)
            archive.addfile(entry, io.BytesIO(batch))
    (cache / "cifar-10-batches-py-target_archive").write_bytes(stream.getvalue())
    code, said, _ = prep("fetch", "cifar10")
    assert code == 0 and "size: 32, channels: 3, method: photo" in said
    with np.load(project / "raw/cifar10/cifar10.npz") as found:
        assert found["x_train"].shape == (50_000, 32, 32, 3)
        assert found["x_train"][0, 0, 5].tolist() == [7, 0, 0]
        assert set(found["y_test"].tolist()) == {3}


def test_a_damaged_file_of_the_cache_is_named(cache, project, prep):
    (cache / "mnist.npz").write_bytes(b"broken off")
    code, _, error = prep("fetch", "mnist")
    assert code == 1 and "is damaged" in error and "mnist.npz" in "".join(error.split())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("mnits", "Did you mean 'mnist'?"),
        ("cifar100", "does not say what its classes are called"),
        ("imdb", "it holds texts, not pictures"),
    ],
)
def test_what_is_not_fetched_says_why(name, reason, project, prep):
    code, _, error = prep("fetch", name)
    assert code == 1 and reason in " ".join(error.split())
