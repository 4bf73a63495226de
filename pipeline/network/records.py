"""TFRecord files of tf.train.Example, written by TensorFlow's own writer."""

import errno
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.network.backend import import_tensorflow


def write_records(path: Path, records: Iterable[Mapping[str, bytes | int]]) -> None:
    """Write an Example for each record: bytes and int64 by their names, the same bytes each time.

    Raises OSError, where TensorFlow has errors of its own.
    """
    tensorflow = import_tensorflow()
    train = tensorflow.train
    try:
        with tensorflow.io.TFRecordWriter(str(path)) as writer:
            for record in records:
                features = {
                    name: train.Feature(bytes_list=train.BytesList(value=[value]))
                    if isinstance(value, bytes)
                    else train.Feature(int64_list=train.Int64List(value=[value]))
                    for name, value in record.items()
                }
                example = train.Example(features=train.Features(feature=features))
                writer.write(example.SerializeToString(deterministic=True))
    except tensorflow.errors.ResourceExhaustedError as error:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
    except tensorflow.errors.OpError as error:
        raise OSError(errno.EIO, error.message, str(path)) from error
