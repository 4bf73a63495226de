"""TFRecord files: what tf.train.Example reads back, and what a full disk says."""

import errno
from pathlib import Path

import pytest

from pipeline.network.records import write_records

pytestmark = pytest.mark.slow


def test_bytes_and_numbers_come_back_by_their_names(tmp_path):
    import tensorflow as tf

    records = [{"b": b"\0\xff", "number": 2**40, "a": b""}, {"number": -1}]
    write_records(tmp_path / "some.tfrecord", iter(records))
    data = tf.data.TFRecordDataset(str(tmp_path / "some.tfrecord")).as_numpy_iterator()
    first, second = map(tf.train.Example.FromString, data)
    feature = first.features.feature
    assert sorted(feature) == ["a", "b", "number"]
    assert [list(feature[name].bytes_list.value) for name in "ab"] == [[b""], [b"\0\xff"]]
    assert list(feature["number"].int64_list.value) == [2**40]
    assert list(second.features.feature["number"].int64_list.value) == [-1]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_told_as_the_system_tells_it():
    with pytest.raises(OSError) as told:
        write_records(Path("/dev/full"), ({"image": bytes(1 << 16)} for _ in range(1 << 6)))
    assert (told.value.errno, told.value.filename) == (errno.ENOSPC, "/dev/full")


def test_a_place_that_is_not_there_is_told_as_the_system_tells_it(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        write_records(tmp_path / "nowhere" / "some.tfrecord", [{"number": 1}])
