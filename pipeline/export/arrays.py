"""The dataset as arrays, as keras.datasets gives them; no Keras is loaded for it.

Tiles are uint8 (N, S, S), in colour (N, S, S, 3); labels uint8 (N,), int64 where there are more
than 256 classes.
"""

import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack, cast, overload

import numpy as np
import numpy.typing as npt

from pipeline.dataset.streams import WINDOW_BYTES
from pipeline.export.contents import Content, Contents, Texts, open_contents
from pipeline.export.npz import choose_type
from pipeline.project import Project, find_project
from pipeline.settings.loading import load_params
from pipeline.settings.params import Params, choose

Array = npt.NDArray[Any]
Pair = tuple[Array, Array]
Triple = tuple[Array, Array, Texts]  # with the ids


class LazyTiles:
    """Tiles that are read when they are asked for: tiles[7], tiles[:32], tiles[[3, 1, 2]].

    They have len(), shape and dtype as an array has, and np.asarray(tiles) is that array.
    """

    def __init__(self, content: Content, form: "_Form") -> None:
        self._content, self._form = content, form
        empty = form.make_none()
        self.shape: tuple[int, ...] = (len(content), *empty.shape[1:])
        self.dtype = empty.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: int | slice | npt.NDArray[Any] | list[int]) -> Array:
        """Return one tile, or those of a slice, of places or of a mask, in the order asked for."""
        places = np.arange(len(self))[rows]
        images = self._form.shape_images(self._content.read_images(np.atleast_1d(places)))
        return images if np.ndim(places) else cast(Array, images[0])

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return self[:].astype(dtype or self.dtype, copy=False)


class _Form:
    """How arrays are to look."""

    def __init__(
        self, contents: Contents, *, flatten: bool, normalise: bool, one_hot: bool
    ) -> None:
        self.classes = len(contents.classes)
        self.tile_shape = contents.tile_shape
        self.shape = (int(np.prod(self.tile_shape)),) if flatten else contents.array_shape
        self.normalise, self.one_hot = normalise, one_hot

    def shape_images(self, images: Array) -> Array:
        """Return images (n, S, S, C) as they are wanted."""
        images = images.reshape(len(images), *self.shape)
        return images.astype(np.float32) / np.float32(255) if self.normalise else images

    def make_none(self) -> Array:
        """Return no images, as they are wanted: their shape and type."""
        return self.shape_images(np.empty((0, *self.tile_shape), np.uint8))

    def shape_labels(self, labels: npt.NDArray[np.int64]) -> Array:
        """Return labels (n,) as they are wanted."""
        if self.one_hot:
            return cast(Array, np.eye(self.classes, dtype=np.float32)[labels])
        return labels.astype(choose_type(self.classes))


class _How(TypedDict, total=False):
    """The options of load_data that change no types that are told."""

    fold: int
    flatten: bool
    normalise: bool
    one_hot: bool


Folder = str | Path | None


@overload
def load_data(
    project: Folder = None,
    *,
    validation: Literal[False] = False,
    ids: Literal[False] = False,
    lazy: Literal[False] = False,
    **how: Unpack[_How],
) -> tuple[Pair, Pair]: ...
@overload
def load_data(
    project: Folder = None,
    *,
    validation: Literal[True],
    ids: Literal[False] = False,
    lazy: Literal[False] = False,
    **how: Unpack[_How],
) -> tuple[Pair, Pair, Pair]: ...
@overload
def load_data(
    project: Folder = None,
    *,
    validation: Literal[False] = False,
    ids: Literal[True],
    lazy: Literal[False] = False,
    **how: Unpack[_How],
) -> tuple[Triple, Triple]: ...
@overload
def load_data(
    project: Folder = None,
    *,
    validation: Literal[True],
    ids: Literal[True],
    lazy: Literal[False] = False,
    **how: Unpack[_How],
) -> tuple[Triple, Triple, Triple]: ...
@overload
def load_data(
    project: Folder = None,
    *,
    validation: bool = False,
    ids: bool = False,
    lazy: Literal[True],
    **how: Unpack[_How],
) -> tuple[tuple[Any, ...], ...]: ...
def load_data(
    project: Folder = None,
    *,
    validation: bool = False,
    ids: bool = False,
    fold: int = 0,
    flatten: bool = False,
    normalise: bool = False,
    one_hot: bool = False,
    lazy: bool = False,
) -> tuple[tuple[Any, ...], ...]:
    """Return `(x_train, y_train), (x_test, y_test)` of a project, as keras.datasets do.

    project: its folder (default: the one that we are in). With `validation` there are three pairs:
    training, validation and test set; without, the validation set is left out. With `ids` a pair
    has the tiles' ids (N,) as a third. fold: of several, whose sets. flatten: x are (N, pixels);
    normalise: float32 from 0 to 1; one_hot: y are float32 (N, classes). With `lazy` x are read
    when they are asked for (`LazyTiles`). Raises DataError where the project is not ready.
    """
    names = ("train", "validation", "test") if validation else ("train", "test")
    with ExitStack() as stack:
        contents = stack.enter_context(open_contents(*_open_project(project), fold=fold))
        form = _Form(contents, flatten=flatten, normalise=normalise, one_hot=one_hot)
        loaded = tuple(_load_part(contents.find(name), form, lazy, ids) for name in names)
        if lazy:  # the files stay open as long as something reads from them
            weakref.finalize(form, stack.pop_all().close)
        return loaded


def _load_part(content: Content, form: _Form, lazy: bool, with_ids: bool) -> tuple[Any, ...]:
    images = LazyTiles(content, form) if lazy else _read_images(content, form)
    found = (images, form.shape_labels(content.labels))
    return (*found, content.ids) if with_ids else found


def _read_images(content: Content, form: _Form) -> Array:
    empty = form.make_none()
    images = np.empty((len(content), *empty.shape[1:]), empty.dtype)
    step = max(1, WINDOW_BYTES // int(np.prod(form.tile_shape)))
    for start in range(0, len(content), step):
        places = np.arange(start, min(start + step, len(content)))
        images[places] = form.shape_images(content.read_images(places))
    return images


def load_classes(project: Folder = None) -> list[str]:
    """Return the names of the classes: label 0 is the first."""
    return list(_open_project(project)[1].classes)


def load_variants(
    op: str, class_name: str | None = None, project: Folder = None, *, fold: int = 0
) -> tuple[Array, Array, Texts]:
    """Return an op's variants of the training tiles: images, labels and the ids of the parents.

    class_name: of this class only. Raises DataError for an op or class that is not in params.yaml,
    and where they have not been made.
    """
    where, params = _open_project(project)
    known = {name: label for label, name in enumerate(params.classes)}
    labels = choose(class_name, known, "class", "classes")
    with open_contents(where, params, with_ops=[op], fold=fold) as contents:
        form = _Form(contents, flatten=False, normalise=False, one_hot=False)
        variants = contents.find("train").variants_of(labels)
        windows = list(variants.windows())
        parents = np.concatenate([np.empty(0, object), *(window.parents for window in windows)])
        images = np.concatenate(
            [np.empty((0, *form.tile_shape), np.uint8), *(window.images for window in windows)]
        )
        return form.shape_images(images), form.shape_labels(variants.labels), parents


def _open_project(folder: Folder) -> tuple[Project, Params]:
    """Return the project in a folder, or the one that we are in."""
    project = find_project(Path.cwd()) if folder is None else Project(Path(folder).absolute())
    return project, load_params(project.params_file)
