"""Ops: what an entry of `augment` means, the numbers it draws, the variants it makes."""

import hashlib
import pickle
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.augmentation import warps
from pipeline.augmentation.parsing import parse_op
from pipeline.augmentation.recipes import Op, apply, draw
from pipeline.errors import DataError

Images = npt.NDArray[np.uint8]

SECTION = """
flip: {}
mirror: {transform: flip, direction: vertical}
rotate: {degrees: [-15, 15], copies: 2, border: reflect, interpolation: cubic}
slide: {transform: shift, x: [-0.1, 0.1], y: 0.05, fill: 255}
zoom: {factor: [0.9, 1.1], border: edge}
duplicate:
soften: {transform: GaussianBlur, blur_limit: [3, 5]}
tilt-shift: {transform: [{rotate: {degrees: 10}}, flip, {shift: {x: [-0.1, 0.1]}}], copies: 2}
"""
ENTRIES: dict[str, Any] = yaml.safe_load(SECTION)
IDS = ["3fa9c01b77-0-120-48", "3fa9c01b77-0-160-48", "é-1", ""]


def make_noise(*shape: int) -> Images:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def make_variants(op: Op, images: Images, copy: int = 0) -> Images:
    ids = [f"tile-{place}" for place in range(len(images))]
    return apply(op, images, draw(op, seed=7, ids=ids, copy=copy))


# --- reading ------------------------------------------------------------------------------------


def test_every_documented_entry_is_read() -> None:
    ops = [parse_op(name, spec) for name, spec in ENTRIES.items()]
    assert [op.name for op in ops] == list(ENTRIES)
    assert [op.copies for op in ops] == [1, 1, 2, 1, 1, 1, 1, 2]
    assert [op.draw_names for op in ops] == [
        (),
        (),
        ("degrees",),
        ("x", "y"),
        ("factor",),
        (),
        ("seed",),
        ("rotate.degrees", "shift.x", "shift.y"),
    ]


def test_an_op_may_have_a_seed_of_its_own() -> None:
    assert parse_op("rotate", {"degrees": 5, "seed": 9}).seed == 9
    with pytest.raises(ValueError, match=r"augment\.rotate\.seed should be greater .* 0, got -1"):
        parse_op("rotate", {"degrees": 5, "seed": -1})


def test_steps_that_come_twice_are_numbered() -> None:
    steps = [{"rotate": {"degrees": 5}}, "GaussianBlur", {"rotate": {"degrees": 9}}]
    op = parse_op("twist", {"transform": steps})
    assert op.draw_names == ("rotate-1.degrees", "GaussianBlur.seed", "rotate-2.degrees")


WRONG = [
    # The key that is wrong, and the nearest one that is known.
    ("rotate", {"degree": 5}, r"augment\.rotate\.degree is unknown\. Did you mean 'degrees'\?"),
    ("rotate", {"degrees": 5, "copys": 2}, "Did you mean 'copies'"),
    ("flip", {"degrees": 5}, r"augment\.flip\.degrees is unknown.* flip are direction, transform"),
    ("rotate", {1: 5}, r"augment\.rotate\.1 is unknown"),
    ("rotat", {"degrees": 5}, "there is no transform 'rotat'. Did you mean 'rotate'"),
    ("soft", {"transform": "GausianBlur"}, "Did you mean 'GaussianBlur'"),
    ("soft", {"transform": "GaussianBlur", "blur": 3}, r"soft\.blur is .* mean 'blur_limit'"),
    ("both", {"transform": ["flipp"]}, r"both\.flipp: .* Did you mean 'flip'"),
    ("both", {"transform": [{"rotate": {"degree": 3}}]}, r"both\.rotate\.degree is unknown"),
    (
        "both",
        {"transform": [{"rotate": {"degrees": 3, "copies": 2}}]},
        r"rotate\.copies is unknown",
    ),
    ("both", {"transform": ["flip"], "degrees": 3}, r"both\.degrees is unknown"),
    # Missing numbers.
    ("rotate", None, r"augment\.rotate\.degrees is missing"),
    ("zoom", {}, r"augment\.zoom\.factor is missing"),
    ("shift", {}, r"augment\.shift: x and y are both 0"),
    ("crop", {"transform": "CenterCrop"}, r"augment\.crop\.height is missing"),
    # Numbers out of range or of the wrong kind.
    ("rotate", {"degrees": [0, 900]}, r"degrees should be less than or equal to 360, got 900"),
    ("shift", {"x": -2}, r"augment\.shift\.x should be greater than or equal to -1, got -2"),
    ("zoom", {"factor": 0}, r"factor should be greater than or equal to 0.1, got 0"),
    ("rotate", {"degrees": [15, -15]}, r"degrees should have its low end first, got \[15, -15\]"),
    ("rotate", {"degrees": [1, 2, 3]}, r"should be a number or a \[low, high\] range"),
    ("rotate", {"degrees": "ten"}, "should be a number, got 'ten'"),
    ("rotate", {"degrees": None}, "should be a number, got None"),
    ("rotate", {"degrees": True}, "should be a number, got True"),
    ("rotate", {"degrees": [0, False]}, "should be a number, got False"),
    ("rotate", {"degrees": float("nan")}, "got nan"),
    ("rotate", {"degrees": float("inf")}, "got inf"),
    ("rotate", {"degrees": 5, "copies": 0}, "copies should be greater than or equal to 1, got 0"),
    ("rotate", {"degrees": 5, "copies": True}, "copies should be a whole number, got True"),
    ("rotate", {"degrees": 5, "copies": 1.5}, "copies should be a whole number, got 1.5"),
    ("rotate", {"degrees": 5, "copies": 1001}, "copies should be less than or equal to 1000"),
    ("rotate", {"degrees": 5, "seed": -1}, "seed should be greater than or equal to 0, got -1"),
    ("rotate", {"degrees": 5, "seed": 2**32}, "seed should be less than 4294967295, got 429496"),
    ("rotate", {"degrees": 5, "fill": []}, "fill needs 1 or more entries and has none"),
    ("rotate", {"degrees": 5, "fill": [0, 256]}, "fill should be less than or equal to 255"),
    ("rotate", {"degrees": 5, "border": "reflected"}, "got 'reflected'. Did you mean 'reflect'"),
    ("flip", {"direction": "up"}, "direction should be 'horizontal' or 'vertical', got 'up'"),
    ("soft", {"transform": "GaussianBlur", "p": 2}, r"soft\.p should be less than or equal to 1"),
    ("soft", {"transform": "GaussianBlur", "blur_limit": "x"}, r"augment\.soft\.blur_limit .*'x'"),
    ("bend", {"transform": "Affine", "scale": {"x": [1, float("nan")]}}, r"scale .*finite.*nan"),
    ("bend", {"transform": "Affine", "shear": float("inf")}, r"bend\.shear should be finite"),
    ("soft", {"transform": "MedianBlur", "blur_limit": "x"}, r"augment\.soft\.blur_limit .*'x'"),
    # Entries of the wrong shape.
    ("rotate", 15, r"augment\.rotate should be settings.* got 15"),
    ("both", {"transform": []}, r"both\.transform should be a name or a list, got \[\]"),
    ("both", {"transform": 3}, r"both\.transform should be a name or a list, got 3"),
    ("both", {"transform": [{"flip": None, "zoom": None}]}, "each step is a name or"),
    ("a/b", {"transform": "flip"}, r"augment\.a/b: an op's name is made of letters"),
    # Classes of albumentations that cannot work on an image alone.
    ("mix", {"transform": "Mosaic"}, "Mosaic needs more than an image: mosaic_metadata"),
    ("crop", {"transform": "CropAndPad"}, r"augment\.crop: Both px and percent .* None"),
    ("any", {"transform": "Lambda"}, "no transform 'Lambda'"),
    ("cube", {"transform": "CubicSymmetry"}, "no transform 'CubicSymmetry'"),
]


@pytest.mark.parametrize(("name", "spec", "message"), WRONG)
def test_a_wrong_entry_is_explained(name: str, spec: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        parse_op(name, spec)
    assert type(caught.value) is ValueError
    assert "\n" not in str(caught.value)


def test_the_section_is_not_changed_by_reading() -> None:
    spec = {"transform": "rotate", "degrees": [0, 5], "copies": 3}
    before = {**spec}
    parse_op("turn", spec)
    assert spec == before


def test_albumentations_is_imported_only_for_an_op_that_needs_it() -> None:
    code = (
        "import sys; from pipeline.augmentation.parsing import parse_op;"
        "parse_op('rotate', {'degrees': 5}); assert 'albumentations' not in sys.modules;"
        "parse_op('GaussianBlur', {}); assert 'albumentations' in sys.modules;"
        "import os; assert os.environ['NO_ALBUMENTATIONS_UPDATE'] == '1'"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


# --- drawing ------------------------------------------------------------------------------------


def read_off_digest(message: str, place: int) -> float:
    """The rule in other words: 8 bytes, little-endian, the upper 53 bits as a fraction of 1."""
    digest = hashlib.blake2b(message.encode()).digest()
    return (int.from_bytes(digest[8 * place : 8 * place + 8], "little") >> 11) / 2**53


def test_draws_are_read_off_a_digest() -> None:
    op = parse_op("rotate", {"degrees": [-15, 15]})
    [[drawn]] = draw(op, seed=42, ids=["3fa9c01b77-0-120-48"], copy=1)
    uniform = read_off_digest('[42, "rotate", 1, 0]3fa9c01b77-0-120-48', place=0)
    assert drawn == pytest.approx(-15 + 30 * uniform, abs=1e-12)
    assert drawn == pytest.approx(PINNED, abs=1e-9)


# What the rule gave when it was written: another value would change every dataset ever made.
PINNED = 10.522774631175885


def test_more_numbers_than_a_digest_holds_come_from_the_next() -> None:
    steps = [{"shift": {"x": [0, 1], "y": [0, 1]}}] * 5
    drawn = draw(parse_op("far", {"transform": steps}), seed=3, ids=["a", "b"], copy=0)
    assert drawn.shape == (2, 10)
    assert len(np.unique(drawn)) == 20
    for row, identifier in enumerate("ab"):
        first = [read_off_digest(f'[3, "far", 0, 0]{identifier}', k) for k in range(8)]
        second = [read_off_digest(f'[3, "far", 0, 1]{identifier}', k) for k in range(2)]
        assert drawn[row].tolist() == [*first, *second]


@given(ids=st.lists(st.text(max_size=12), unique=True, max_size=8), data=st.data())
def test_draws_depend_on_no_other_tile(ids: list[str], data: st.DataObject) -> None:
    op = parse_op("slide", ENTRIES["slide"])
    drawn = dict(zip(ids, draw(op, 7, ids, 0).tolist(), strict=True))
    others = data.draw(st.permutations([*ids, "one more"]))
    for identifier, numbers in zip(others, draw(op, 7, others, 0).tolist(), strict=True):
        assert drawn.get(identifier, numbers) == numbers


def test_draws_differ_by_seed_op_id_and_copy() -> None:
    rotate, turn = (
        parse_op(name, {"transform": "rotate", "degrees": [0, 360]}) for name in ("rotate", "turn")
    )
    drawn = [
        draw(rotate, 7, IDS, 0),
        draw(rotate, 8, IDS, 0),
        draw(rotate, 7, IDS, 1),
        draw(turn, 7, IDS, 0),
    ]
    assert len(np.unique(drawn)) == 4 * len(IDS)


def test_a_wider_range_stretches_the_same_draws() -> None:
    narrow = draw(parse_op("rotate", {"degrees": [0, 10]}), 7, IDS, 0)
    wide = draw(parse_op("rotate", {"degrees": [0, 20]}), 7, IDS, 0)
    np.testing.assert_allclose(wide, 2 * narrow)


def test_draws_fill_their_range_evenly() -> None:
    ids = [f"tile-{place}" for place in range(20_000)]
    drawn = draw(parse_op("rotate", {"degrees": [-15, 15]}), 7, ids, 0)
    assert drawn.dtype == np.float64
    assert drawn.min() >= -15
    assert drawn.max() <= 15
    counts, _ = np.histogram(drawn, bins=10, range=(-15, 15))
    assert np.abs(counts - 2000).max() < 200  # over four standard deviations


def test_a_fixed_number_is_drawn_as_it_is() -> None:
    op = parse_op("tilt-shift", ENTRIES["tilt-shift"])
    drawn = draw(op, 7, IDS, 0)
    assert (drawn[:, 0] == 10).all()
    assert (drawn[:, 2] == 0).all()
    assert (np.abs(drawn[:, 1]) <= 0.1).all()


def test_an_op_without_numbers_draws_none() -> None:
    assert draw(parse_op("flip", {}), 7, IDS, 0).shape == (len(IDS), 0)
    assert draw(parse_op("rotate", {"degrees": 5}), 7, [], 0).shape == (0, 1)


def test_a_seed_is_a_whole_number() -> None:
    seeds = draw(parse_op("soften", ENTRIES["soften"]), 7, IDS, 0)
    assert (seeds == np.floor(seeds)).all()
    assert (seeds >= 0).all()
    assert len(np.unique(seeds)) == len(IDS)


# --- applying -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize("shape", [(4, 15, 22, 1), (3, 20, 13, 3)])
def test_variants_keep_shape_type_and_original(name: str, shape: tuple[int, ...]) -> None:
    images = make_noise(*shape)
    before = images.copy()
    variants = make_variants(parse_op(name, ENTRIES[name]), images)
    assert variants.shape == shape
    assert variants.dtype == np.uint8
    assert not np.shares_memory(variants, images)
    np.testing.assert_array_equal(images, before)
    assert (variants == images).all() == (name == "duplicate")


@pytest.mark.parametrize("name", ENTRIES)
def test_the_recorded_numbers_alone_give_a_variant_again(name: str) -> None:
    op = parse_op(name, ENTRIES[name])
    images = make_noise(4, 15, 22, 3)
    draws = draw(op, 7, IDS, 0)
    variants = apply(op, images, draws)
    last = apply(pickle.loads(pickle.dumps(op)), images[3:], draws[3:])
    np.testing.assert_array_equal(last, variants[3:])


def test_ops_call_the_warps_with_their_settings() -> None:
    images = make_noise(2, 15, 22, 3)
    numbers = np.array([[12.0], [-3.0]])
    op = parse_op("rotate", {"degrees": [-15, 15], "border": "reflect", "interpolation": "cubic"})
    expected = warps.rotate(images, numbers[:, 0], border="reflect", interpolation="cubic")
    np.testing.assert_array_equal(apply(op, images, numbers), expected)

    op = parse_op("shift", {"x": 0.2, "y": [-0.1, 0], "fill": [9, 8, 7]})
    expected = warps.shift(images, 0.2, np.array([-0.1, 0]), fill=(9, 8, 7))
    np.testing.assert_array_equal(apply(op, images, np.array([[0.2, -0.1], [0.2, 0]])), expected)

    op = parse_op("zoom", {"factor": 1.3, "border": "edge"})
    expected = warps.zoom(images, 1.3, border="edge")
    np.testing.assert_array_equal(apply(op, images, np.full((2, 1), 1.3)), expected)

    none = np.empty((2, 0))
    np.testing.assert_array_equal(apply(parse_op("flip", {}), images, none), images[:, :, ::-1])
    mirror = parse_op("mirror", ENTRIES["mirror"])
    np.testing.assert_array_equal(apply(mirror, images, none), images[:, ::-1])


def test_steps_are_applied_in_turn_each_with_its_numbers() -> None:
    images = make_noise(2, 15, 22, 1)
    steps: list[object] = [{"rotate": {"degrees": [0, 90]}}, "flip", {"shift": {"x": [0, 1]}}]
    steps.append({"zoom": {"factor": [1, 2]}})
    draws = np.array([[30, 0.1, 0, 1.2], [60, 0.3, 0, 1.5]])
    expected = warps.flip_left_right(warps.rotate(images, draws[:, 0]))
    expected = warps.zoom(warps.shift(expected, draws[:, 1]), draws[:, 3])
    variants = apply(parse_op("all", {"transform": steps}), images, draws)
    np.testing.assert_array_equal(variants, expected)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "spec",
    [
        {"transform": "GaussianBlur", "blur_limit": [3, 5]},
        {"transform": "GaussNoise"},
        {"transform": "ElasticTransform", "alpha": 40},
        {"transform": "CoarseDropout"},
        {"transform": "MedianBlur", "blur_limit": 3},
        {"transform": "ShiftScaleRotate"},  # albumentations would rather have Affine
    ],
)
def test_albumentations_does_its_own_work(spec: Mapping[str, object], channels: int) -> None:
    images = make_noise(3, 28, 31, channels)
    op = parse_op("theirs", spec)
    draws = draw(op, 7, IDS[:3], 0)
    variants = apply(op, images, draws)
    assert (variants != images).any(axis=(1, 2, 3)).all()  # p is 1 unless the user says less

    [step] = op.steps
    transform = step.build()  # type: ignore[union-attr]
    for image, (seed,), variant in zip(images, draws, variants, strict=True):
        transform.set_random_seed(int(seed))
        np.testing.assert_array_equal(transform(image=image)["image"], variant)


def test_the_users_own_probability_is_kept() -> None:
    op = parse_op("rarely", {"transform": "InvertImg", "p": 0.25})
    images = make_noise(400, 4, 5, 1)
    inverted = (make_variants(op, images) == 255 - images).all(axis=(1, 2, 3))
    assert 60 < inverted.sum() < 140


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"transform": "Resize", "height": 9, "width": 9}, r"Resize made uint8 \(9, 9, 1\)"),
        ({"transform": "ToFloat"}, "ToFloat made float32"),
        ({"transform": "ToRGB"}, r"made uint8 \(20, 13, 3\) of uint8 \(20, 13, 1\)"),
        ({"transform": "Transpose"}, "keep the size and the type"),
        ({"transform": "ISONoise"}, "ISONoise failed: .*3-channel"),
        ({"transform": "ChannelDropout"}, "ChannelDropout failed: .*one channel"),
        ({"transform": "BBoxSafeRandomCrop"}, "BBoxSafeRandomCrop failed"),
        ({"transform": "rotate", "degrees": 5, "fill": [1, 2, 3]}, "fill has 3 grey levels"),
    ],
)
def test_an_op_that_does_not_suit_the_images_is_named(
    spec: Mapping[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=rf"augment\.odd: .*{message}"):
        make_variants(parse_op("odd", spec), make_noise(2, 20, 13, 1))


def test_draws_must_fit_the_op() -> None:
    op = parse_op("rotate", {"degrees": 5})
    with pytest.raises(ValueError, match=r"draws must be \(2, 1\) for rotate, got \(2, 2\)"):
        apply(op, make_noise(2, 5, 6, 1), np.zeros((2, 2)))


def test_an_empty_batch_stays_empty() -> None:
    for name, spec in ENTRIES.items():
        assert make_variants(parse_op(name, spec), make_noise(0, 8, 9, 3)).shape == (0, 8, 9, 3)
