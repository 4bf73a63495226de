"""The sections of params.yaml, typed and checked: every setting, each with its unit."""

import re
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from pipeline.augmentation.recipes import Seed
from pipeline.errors import nearest
from pipeline.intake.arrays.content import Reading
from pipeline.intake.grouping import Rule
from pipeline.settings.names import (
    check_class,
    check_inside,
    check_name,
    check_once,
)
from pipeline.subjects.layouts import LAYOUTS, LayoutName, Origin

MOST_SEEDS = 1000
MINIMUM_SEEDS = 3  # of a look at which anything can be said
OWN_MODEL = re.compile(r"[^:]+\.py:\w+")
Name = Annotated[str, BeforeValidator(check_name)]
ClassName = Annotated[str, BeforeValidator(check_class)]
# YAML has lists where a section, which never changes, has tuples.
Listed = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
OpNames = Annotated[tuple[Name, ...], Listed, AfterValidator(check_once)]
ClassNames = Annotated[tuple[ClassName, ...], Listed, AfterValidator(check_once)]
Share = Annotated[float, Field(ge=0, lt=1)]


def _count_or_list(seeds: object) -> object:
    """Return seeds that are given as a number, how many, or as a list."""
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        if not 1 <= seeds <= MOST_SEEDS:
            raise ValueError(
                f"a number says how many seeds, 1 to {MOST_SEEDS} (found: {seeds}); seeds of "
                "your own stand in a list, as in [7, 8, 9]"
            )
        return tuple(range(seeds))
    if not isinstance(seeds, (list, tuple)) or not seeds:
        raise ValueError("give how many seeds (5) or a list of different ones ([0, 1, 2])")
    return tuple(seeds)


Seeds = Annotated[tuple[Seed, ...], BeforeValidator(_count_or_list), AfterValidator(check_once)]


class Section(BaseModel):
    """A part of params.yaml; keys it does not know are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Rounds(Section):
    """How many seeds each experiment has after each look at the table."""

    rounds: Annotated[tuple[Annotated[int, Field(ge=MINIMUM_SEEDS, le=MOST_SEEDS)], ...], Listed]

    @model_validator(mode="after")
    def _they_rise(self) -> "Rounds":
        if len(self.rounds) < 2 or any(b <= a for a, b in pairwise(self.rounds)):
            raise ValueError(
                f"rounds have to rise, as in [4, 7, 10, 15] (found: {list(self.rounds)})"
            )
        return self


class Source(Section):
    """One folder of pictures and what a file in it is."""

    path: str
    layout: LayoutName
    split: Literal["train", "val", "test", "none"] | None = None  # none: whatever names say
    rows: Annotated[int, Field(ge=1, le=10_000)] | None = None  # cells: how many
    columns: Annotated[int, Field(ge=1, le=10_000)] | None = None  # cells: how many
    labels: Origin | None = None  # where labels come from; null: as the layout has it
    transpose: bool | None = None  # array: lies transposed; null: as the file's kind and name say
    invert: bool | None = None  # array: dark on bright; null: it is not, and doubts are told

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        plain = PurePosixPath(check_inside(path, "raw/scans")).as_posix()  # of ./raw//scans/ too
        if plain == "." or ":" in path:
            raise ValueError("give a folder inside the project, as in raw/scans")
        return plain

    @model_validator(mode="after")
    def _cells_need_counts(self) -> "Source":
        if LAYOUTS[self.layout].has_cells and not (self.rows and self.columns):
            raise ValueError("layout 'cells' needs rows: and columns:, how many a page has")
        return self

    @model_validator(mode="after")
    def _labels_are_of_the_layout(self) -> "Source":
        allowed = LAYOUTS[self.layout].origins
        if self.labels and self.labels not in allowed:
            known = " or ".join(f"labels: {origin}" for origin in allowed)
            raise ValueError(
                f"layout '{self.layout}' has no labels by {self.labels}: say {known}, or leave "
                "labels: out"
            )
        return self

    @model_validator(mode="after")
    def _only_arrays_are_turned(self) -> "Source":
        for key in ("transpose", "invert"):
            if getattr(self, key) is not None and not LAYOUTS[self.layout].is_array:
                raise ValueError(f"{key}: is for layout array, not '{self.layout}'")
        return self

    @property
    def reading(self) -> Reading:
        """How the pictures of arrays are read."""
        return Reading(self.transpose, self.invert)


class Limits(Section):
    """What one file may cost `prep ingest` before it is quarantined."""

    seconds: Annotated[float, Field(gt=0, le=86_400)] = 60  # to read and decode it
    memory_mb: Annotated[int, Field(ge=1, le=10_000_000)] = 4000  # 10^6 bytes, for that too
    pixels: Annotated[int, Field(ge=1, le=10_000_000_000)] = 200_000_000  # of a page


class Tile(Section):
    """What every picture is normalised to."""

    size: Annotated[int, Field(ge=8, le=1024)] = 28  # pixels a side
    channels: Literal[1, 3] = 1
    method: Literal["mnist", "emnist", "photo"] = "mnist"
    fit: Literal["crop", "pad", "stretch"] = "crop"  # photo: how it becomes a square

    @model_validator(mode="after")
    def _writing_is_grey(self) -> "Tile":
        if self.method != "photo" and self.channels != 1:
            raise ValueError(f"method '{self.method}' makes grey tiles: set channels: 1")
        return self


class Balance(Section):
    """How many tiles of each class stay."""

    method: Literal["undersample", "none"] = "undersample"
    to: Literal["smallest"] | Annotated[int, Field(ge=1)] = "smallest"  # tiles a class
    seed: Seed = 1


class Split(Section):
    """Which tiles train, validate and test."""

    test: Share | Annotated[int, Field(ge=1)] = 0.2  # of all tiles, or how many of them
    val: Share = 0.15  # of all tiles
    folds: Annotated[int, Field(ge=1, le=100)] = 1  # above 1: cross-validation
    group: Rule = "writer"  # what is never torn apart
    near_duplicates: Annotated[int, Field(ge=0, le=32)] | None = 4  # photos: bits of 64, null: off
    seed: Seed = 1


class Experiment(Section):
    """A named choice of variants that are added to the training tiles."""

    ops: OpNames = ()
    # Of which classes; a map gives each op its own; null, or an op not in the map: every class.
    classes: ClassNames | dict[Name, ClassNames] | None = None
    variants: Literal["stored", "online"] = "stored"  # online: drawn anew in each pass
    balance: Literal["none", "weights", "oversample"] = "none"  # of the classes that are trained on
    share: Annotated[float, Field(gt=0, le=1)] = 1.0  # of the training tiles
    labels: Literal["corrected", "found"] = "corrected"  # found: before raw/labels.csv changed any
    control: Name | None = None  # the experiment that it is compared with; null: none
    seeds: Seeds | None = None  # of its own; null: as train.seeds says

    @model_validator(mode="after")
    def _classes_are_of_its_ops(self) -> "Experiment":
        for op in self.classes if isinstance(self.classes, dict) else ():
            if op not in self.ops:
                raise ValueError(f"classes: '{op}' is not in its ops.{nearest(op, self.ops)}")
        return self

    @model_validator(mode="after")
    def _labels_alone_differ(self) -> "Experiment":
        if self.labels == "found" and (self.ops or self.share < 1):
            raise ValueError(
                "labels: found is for an experiment without ops and share: what it differs in from "
                "`none` are the corrections alone"
            )
        return self

    def classes_of(self, op: str) -> tuple[str, ...] | None:
        """Return the classes that get an op's variants, None for all."""
        return self.classes.get(op) if isinstance(self.classes, dict) else self.classes


class Train(Section):
    """One budget for every experiment."""

    model: str = "cnn"  # a name, or an own one: path/to/file.py:function
    budget: Literal["steps", "epochs"] = "steps"  # what is the same for every experiment
    steps: Annotated[int, Field(ge=1, le=1_000_000_000)] = 600  # optimiser steps
    epochs: Annotated[float, Field(gt=0, le=1_000_000)] | None = None  # passes over the tiles
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 64  # tiles a step
    learning_rate: Annotated[float, Field(gt=0, le=1e38)] | None = None  # null: the model's own
    validate_every: Annotated[int, Field(ge=1)] = 50  # steps
    keep: Literal["average", "best", "last"] = "average"  # which weights a run ends with
    seeds: Rounds | Seeds = (0, 1, 2)
    minutes: Annotated[float, Field(gt=0)] | None = None  # that rounds may take; null: no limit
    init: str | None = None  # a .keras file that every run starts from
    freeze: Annotated[int, Field(ge=0)] = 0  # of its layers, from the first: they don't learn
    precision: Literal["float32", "bfloat16"] = "float32"  # that is computed in
    memory_mb: Annotated[int, Field(ge=0)] = 512  # 10^6 bytes of tiles in memory; more are streamed

    @field_validator("init")
    @classmethod
    def _is_a_model_file(cls, init: str | None) -> str | None:
        if init is not None and not init.endswith(".keras"):
            raise ValueError("give a .keras file, as in models/pretrained.keras")
        return init and check_inside(init, "models/pretrained.keras")

    @model_validator(mode="after")
    def _only_a_trained_model_is_frozen(self) -> "Train":
        if self.freeze and self.init is None:
            raise ValueError("freeze needs init, the trained model whose layers stay as they are")
        return self

    @field_validator("model")
    @classmethod
    def _known_model(cls, model: str) -> str:
        from pipeline.network.recipes import MODELS

        if OWN_MODEL.fullmatch(model):
            return check_inside(model, "models/mine.py:build")
        if model not in MODELS:
            known = ", ".join(MODELS)
            raise ValueError(
                f"unknown model '{model}'.{nearest(model, MODELS)} Known: {known}, or your own, as "
                "in models/mine.py:build"
            )
        return model

    @model_validator(mode="after")
    def _minutes_limit_rounds(self) -> "Train":
        if self.minutes is not None and not isinstance(self.seeds, Rounds):
            raise ValueError(
                "minutes limits rounds: set seeds: {rounds: [4, 7, 10, 15]}, or leave it out"
            )
        return self

    @property
    def rounds(self) -> tuple[int, ...] | None:
        """How many seeds there are after each look; None: there is one look, at the end."""
        return self.seeds.rounds if isinstance(self.seeds, Rounds) else None

    @model_validator(mode="after")
    def _epochs_are_counted(self) -> "Train":
        if (self.budget == "epochs") != (self.epochs is not None):
            raise ValueError("budget: epochs and epochs: (how many) go together")
        return self

    @property
    def model_file(self) -> str | None:
        """The file that the model is made of; None for a model by name."""
        return self.init or (self.own_model[0] if self.own_model else None)

    @property
    def own_model(self) -> tuple[str, str] | None:
        """The file and the function of an own model."""
        file, _, function = self.model.rpartition(":")
        return (file, function) if file else None


class Question(Section):
    """A class recall that the user wants to know of, said before the runs are trained."""

    experiment: Name
    label: Annotated[ClassName, Field(alias="class")]


class Compare(Section):
    """How the table is read."""

    margin: Annotated[float, Field(gt=0, le=100)] = 1.0  # points; less is no effect
    # Tested beside the accuracies, not behind them.
    questions: Annotated[tuple[Question, ...], Listed] = ()

    @property
    def asked(self) -> list[list[str]]:
        """The questions as pairs of experiment and class."""
        return [[question.experiment, question.label] for question in self.questions]


class Report(Section):
    """What the report shows."""

    title: str = ""
    tiles_per_class: Annotated[int, Field(ge=1, le=200)] = 30
    pages: Annotated[int, Field(ge=0, le=50)] = 6  # with their boxes drawn
    gallery: Annotated[int, Field(ge=0, le=100)] = 12  # pictures in each gallery
    points: Annotated[int, Field(ge=10, le=5000)] = 1500  # in the scatter plots
    reasons: Annotated[int, Field(ge=0, le=50)] = 4  # a quarter of the pictures with maps; 0: off
    reference: str | None = None  # a tiles.h5 or a folder of arrays, to be shown beside ours


class About(Section):
    """What a person says of the dataset; it goes along with `prep export`, and nowhere else."""

    name: str = ""
    description: str = ""
    licence: str = ""  # an SPDX name, as in CC-BY-4.0, or in words
    authors: Annotated[tuple[str, ...], Listed] = ()
    consent: str = ""  # of those whose writing or pictures these are
    url: str = ""
