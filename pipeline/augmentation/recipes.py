"""Ops: the recipes of the `augment` section, the numbers they draw, and what they do to images.

An op is one transform or several in turn: ours (flip, rotate, shift, zoom, duplicate) or any class
of albumentations that works on an image alone. Drawing its numbers (`draw`) and applying them
(`apply`) are two functions: original and numbers alone give the variant again.

Arrays: images are uint8 (N, H, W, C) and stay so; draws are float64 (N, k), a row for each image
and a column for each of `op.draw_names`.
"""

import hashlib
import inspect
import json
import os
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from pipeline.augmentation import warps
from pipeline.errors import DataError

Images = npt.NDArray[np.uint8]
Draws = npt.NDArray[np.float64]

# One blake2b digest is 64 bytes: eight numbers of eight bytes.
_NUMBERS_PER_DIGEST = 8

# Drawn seeds are whole numbers below this: draws are kept as float64, which counts no further.
_SEED_LIMIT = 2.0**53

# So many seeds a user may choose from: NumPy's and TensorFlow's have 32 bits, and the split also
# takes the next one.
SEEDS = 2**32 - 1
Seed = Annotated[int, Field(ge=0, lt=SEEDS)]


def _as_pair(value: object) -> object:
    """Return a [low, high] range as a tuple; a fixed number is the range that holds it alone."""
    pair = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(pair) != 2:
        raise ValueError("should be a number or a [low, high] range")
    return pair


def _check_order(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("should have its low end first")
    return pair


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


Number = TypeVar("Number")
Range = Annotated[tuple[Number, Number], BeforeValidator(_as_pair), AfterValidator(_check_order)]
Degrees = Annotated[float, Field(ge=-360, le=360)]
Fraction = Annotated[float, Field(ge=-1, le=1)]
Factor = Annotated[float, Field(ge=0.1, le=10)]
GreyLevel = Annotated[int, Field(ge=0, le=255)]
Fill = Annotated[tuple[GreyLevel, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
CHECKED = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Flip:
    """Mirror the image: horizontal swaps left and right, vertical top and bottom."""

    drawn: ClassVar[tuple[str, ...]] = ()
    direction: Literal["horizontal", "vertical"] = "horizontal"

    def apply(self, images: Images, draws: Draws) -> Images:
        """Mirror each image."""
        if self.direction == "horizontal":
            return warps.flip_left_right(images)
        return warps.flip_up_down(images)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Sampled:
    """The settings of every warp that looks between the pixels and past the border."""

    border: warps.Border = "constant"  # what comes in from outside
    fill: Fill = (0,)  # grey level 0..255 of a constant border, or a list: one for each channel
    interpolation: warps.Interpolation = "bilinear"

    @property
    def sampling(self) -> dict[str, Any]:
        """The settings as the warps take them."""
        return {"border": self.border, "fill": self.fill, "interpolation": self.interpolation}


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Rotate(Sampled):
    """Turn the image about its centre."""

    drawn: ClassVar[tuple[str, ...]] = ("degrees",)
    degrees: Range[Degrees]  # positive is counter-clockwise

    def apply(self, images: Images, draws: Draws) -> Images:
        """Turn each image by its degrees."""
        return warps.rotate(images, draws[:, 0], **self.sampling)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Shift(Sampled):
    """Move the image's content."""

    drawn: ClassVar[tuple[str, ...]] = ("x", "y")
    x: Range[Fraction] = (0.0, 0.0)  # fraction of the width, positive to the right
    y: Range[Fraction] = (0.0, 0.0)  # fraction of the height, positive downwards

    def __post_init__(self) -> None:
        if self.x == self.y == (0.0, 0.0):
            raise ValueError("x and y are both 0, which moves nothing")

    def apply(self, images: Images, draws: Draws) -> Images:
        """Move each image by its x and y."""
        return warps.shift(images, draws[:, 0], draws[:, 1], **self.sampling)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Zoom(Sampled):
    """Enlarge or shrink the image's content about its centre."""

    drawn: ClassVar[tuple[str, ...]] = ("factor",)
    factor: Range[Factor]  # above 1 enlarges; 2 doubles every length

    def apply(self, images: Images, draws: Draws) -> Images:
        """Zoom each image by its factor."""
        return warps.zoom(images, draws[:, 0], **self.sampling)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Duplicate:
    """Give the original once more: the control for an op that also adds images."""

    drawn: ClassVar[tuple[str, ...]] = ()

    def apply(self, images: Images, draws: Draws) -> Images:
        """Copy each image."""
        return images.copy()


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Albumentation:
    """Apply one of albumentations' transforms, with a seed of its own for each image."""

    drawn: ClassVar[tuple[str, ...]] = ("seed",)
    transform: str  # the class's name
    arguments: dict[str, Any]  # of its constructor

    @property
    def seed(self) -> tuple[float, float]:
        """The range of the seeds."""
        return 0.0, _SEED_LIMIT

    def build(self) -> Any:
        """Construct the transform; ValueError or TypeError says what it does not like."""
        transform = load_albumentations()[self.transform]
        # Classes that check their arguments take `strict`, and without it only warn; the few
        # that inherit the check do not take it.
        strict = {"strict": True} if "InitSchema" in vars(transform) else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice to programmers to use a newer class
            return transform(**self.arguments, **strict)

    def apply(self, images: Images, draws: Draws) -> Images:
        """Transform each image with its seed."""
        transform = self.build()
        transformed = images.copy()
        for image, seed in zip(transformed, draws[:, 0], strict=True):
            transform.set_random_seed(int(seed))
            image[...] = self._transform(transform, image)
        return transformed

    def _transform(self, transform: Any, image: Images) -> Images:
        try:
            result = transform(image=image)["image"]
        # There is no exception of albumentations' own: a transform that cannot do with a grey
        # image or wants a mask raises one of these.
        except (ValueError, TypeError, LookupError, RuntimeError, cv2.error) as error:
            raise ValueError(f"{self.transform} failed: {error}") from error
        # Some give a grey image back without its channel axis.
        if (*result.shape, 1)[:3] != image.shape or result.dtype != image.dtype:
            raise ValueError(
                f"{self.transform} made {result.dtype} {result.shape} of {image.dtype} "
                f"{image.shape}; an op has to keep the size and the type"
            )
        return np.asarray(result.reshape(image.shape))


Step = Flip | Rotate | Shift | Zoom | Duplicate | Albumentation

TRANSFORMS: dict[str, type[Any]] = {
    "flip": Flip,
    "rotate": Rotate,
    "shift": Shift,
    "zoom": Zoom,
    "duplicate": Duplicate,
}


@dataclass(frozen=True, config=CHECKED)
class Op:
    """A named recipe: steps in turn, so many variants of each image."""

    name: str
    steps: tuple[Step, ...]
    copies: Annotated[int, Field(ge=1, le=1000)] = 1
    seed: Seed = 1  # of the numbers that are drawn

    @property
    def draw_names(self) -> tuple[str, ...]:
        """The names of the drawn numbers: "degrees", or with several steps "rotate.degrees"."""
        if len(self.steps) == 1:
            return self.steps[0].drawn
        labelled = zip(_label_steps(self.steps), self.steps, strict=True)
        return tuple(f"{label}.{name}" for label, step in labelled for name in step.drawn)

    def describe(self) -> dict[str, Any]:
        """Return what the op does as plain values, to be kept beside its variants."""
        labelled = zip(_label_steps(self.steps), self.steps, strict=True)
        return {"steps": [{label: asdict(step)} for label, step in labelled], "copies": self.copies}


def draw(op: Op, seed: int, ids: Sequence[str], copy: int) -> Draws:
    """Draw an op's numbers for some tiles, each uniformly from its range.

    A number depends on the seed, the op's name, the tile's id and the copy's number, and on
    nothing else: neither on the other tiles nor on their order.

    Args:
        op: whose ranges.
        seed: the project's.
        ids: (N,) tile ids.
        copy: which of the op's copies, from 0.

    Returns:
        float64 (N, k), its columns named by `op.draw_names`.
    """
    ranges = np.array([getattr(step, name) for step in op.steps for name in step.drawn])
    low, high = ranges.reshape(-1, 2).T
    uniform = _draw_uniform([int(seed), op.name, int(copy)], ids, len(low))
    # Rounding may carry a number past an end.
    return np.asarray(np.clip(low + (high - low) * uniform, low, high))


def apply(op: Op, images: Images, draws: Draws) -> Images:
    """Make one variant of each image from its row of numbers.

    Args:
        op: the recipe.
        images: uint8 (N, H, W, C).
        draws: float64 (N, k), from `draw` or from a file of variants.

    Returns:
        A new uint8 (N, H, W, C), in the order of `images`.

    Raises:
        ValueError: draws do not fit the op and the images.
        DataError: the op's settings do not suit these images.
    """
    if draws.shape != (len(images), len(op.draw_names)):
        raise ValueError(
            f"draws must be ({len(images)}, {len(op.draw_names)}) for {op.name}, got {draws.shape}"
        )
    ends = np.cumsum([len(step.drawn) for step in op.steps])
    for step, numbers in zip(op.steps, np.split(draws, ends[:-1], axis=1), strict=True):
        try:
            images = step.apply(images, numbers)
        except ValueError as error:
            raise DataError(f"augment.{op.name}: {error}.") from error
    return images


def _draw_uniform(key: list[str | int], ids: Sequence[str], count: int) -> Draws:
    """Return (N, count) numbers in [0, 1), read off the digests of key and id."""
    blocks = range(-(-count // _NUMBERS_PER_DIGEST))
    words = [_hash_ids([*key, block], ids) for block in blocks]
    # The upper 53 bits of 64, all that a float64 holds, as a fraction of 1.
    uniform = np.hstack([np.empty((len(ids), 0)), *((word >> 11) * 2.0**-53 for word in words)])
    return uniform[:, :count]


def _hash_ids(key: list[str | int], ids: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Return the digests of key and id as (N, 8) words."""
    # A JSON list shows its own end: no two pairs of key and id make the same message.
    start = hashlib.blake2b(json.dumps(key).encode())
    digests = bytearray()
    for identifier in ids:
        digest = start.copy()
        digest.update(identifier.encode())
        digests += digest.digest()
    return np.frombuffer(digests, "<u8").reshape(len(ids), _NUMBERS_PER_DIGEST)


def _label_steps(steps: Sequence[Step]) -> list[str]:
    """Return the steps' names, numbered from 1 where a transform comes more than once."""
    names = [
        step.transform if isinstance(step, Albumentation) else type(step).__name__.lower()
        for step in steps
    ]
    times, seen = Counter(names), Counter[str]()
    labels = []
    for name in names:
        seen[name] += 1
        labels.append(f"{name}-{seen[name]}" if times[name] > 1 else name)
    return labels


@lru_cache
def load_albumentations() -> dict[str, type[Any]]:
    """Return albumentations' transforms of flat images, by class name.

    The import takes most of a second, so only an op that asks for it pays.
    """
    # It would ask the network for a newer version.
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import albumentations

    abstract = {"DualTransform", "ImageOnlyTransform", "Lambda"}
    flat = albumentations.DualTransform, albumentations.ImageOnlyTransform
    return {
        name: member
        for name, member in inspect.getmembers(albumentations, inspect.isclass)
        if issubclass(member, flat)
        and not issubclass(member, albumentations.Transform3D)
        and name not in abstract
    }
