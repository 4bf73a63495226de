"""params.yaml as a whole: what its sections say of each other, and what follows from them.

A wrong setting is a DataError that names the key as it stands in the file, what was expected
and the nearest key or name that is known.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from pipeline.augmentation.parsing import parse_op
from pipeline.augmentation.recipes import Duplicate, Op
from pipeline.errors import DataError, nearest
from pipeline.intake.names import compose_name
from pipeline.settings.names import Thing, check_apart, check_name
from pipeline.settings.sections import (
    About,
    Balance,
    ClassNames,
    Compare,
    Experiment,
    Limits,
    Listed,
    Name,
    Report,
    Rounds,
    Section,
    Source,
    Split,
    Tile,
    Train,
)


class Params(Section):
    """The whole of params.yaml."""

    sources: Annotated[tuple[Source, ...], Listed, Field(min_length=1)]
    classes: Annotated[ClassNames, Field(min_length=2)]
    limits: Limits = Limits()
    tile: Tile = Tile()
    balance: Balance = Balance()
    split: Split = Split()
    augment: Annotated[dict[Name, Op], Field(min_length=1)]
    experiments: Annotated[dict[Name, Experiment], Field(min_length=1)]
    train: Train = Train()
    compare: Compare = Compare()
    report: Report = Report()
    dataset: About = About()

    @field_validator("augment", "experiments")
    @classmethod
    def _names_differ(cls, named: dict[str, Any]) -> dict[str, Any]:
        check_apart(named)
        return named

    @field_validator("augment", mode="before")
    @classmethod
    def _parse_ops(cls, section: object) -> object:
        if not isinstance(section, dict):
            return section
        return {name: parse_op(check_name(name), spec) for name, spec in section.items()}

    @field_validator("experiments", mode="before")
    @classmethod
    def _empty_means_defaults(cls, section: object) -> object:
        if not isinstance(section, dict):
            return section
        return {name: {} if spec is None else spec for name, spec in section.items()}

    @model_validator(mode="after")
    def _experiments_name_what_exists(self) -> "Params":
        for name, experiment in self.experiments.items():
            for word, known, section in _references(self, experiment):
                if word not in known:
                    raise ValueError(
                        f"experiments.{name}: '{word}' is not in {section}.{nearest(word, known)}"
                    )
        return self

    @model_validator(mode="after")
    def _questions_have_an_answer(self) -> "Params":
        for question in self.compare.questions:
            known: tuple[tuple[str, Iterable[str], str], ...] = (
                (question.experiment, self.experiments, "experiments"),
                (question.label, self.classes, "classes"),
            )
            for word, names, section in known:
                if word not in names:
                    raise ValueError(
                        f"compare.questions: '{word}' is not in {section}.{nearest(word, names)}"
                    )
            if not self.is_judged(question.experiment):
                raise ValueError(
                    f"compare.questions: there is no verdict on {question.experiment}: it changes "
                    "nothing, or it has no control. Ask about one of "
                    f"{', '.join(filter(self.is_judged, self.experiments)) or 'the others'}"
                )
        return self

    @model_validator(mode="after")
    def _controls_train_on_as_much(self) -> "Params":
        none = self.experiments.get("none")
        if none and none.labels != "corrected":
            raise ValueError(
                "experiments.none: labels: the others are compared with it; keep `none: {}`, and "
                "give this one another name, as in `uncleaned: {labels: found}`"
            )
        if none and none.share < 1:
            raise ValueError(
                "experiments.none: share: the others are compared with it; keep `none: {}`, and "
                f"give this one another name, as in `{write_plain(none.share)}`"
            )
        for name, experiment in self.experiments.items():
            control = self.experiments.get(experiment.control or "")
            if control and control.labels != "corrected":
                raise ValueError(
                    f"experiments.{name}: control: {experiment.control} trains on labels as they "
                    "were found, so the difference would not be its own; name another one"
                )
            if control and control.share != experiment.share:
                raise ValueError(
                    f"experiments.{name}: control: {experiment.control} trains on "
                    f"{100 * control.share:g} % of the tiles and {name} on "
                    f"{100 * experiment.share:g} %, so the difference would not be the ops' own; "
                    "name a control with the same share"
                )
        return self

    def source_of(self, picture: str) -> Source:
        """Return the source that a picture's path (as in the catalogue) lies in."""
        source = self.find_source(picture)
        if source is None:
            raise DataError(
                f"processed/catalogue.csv names {picture}, which lies in no source of params.yaml. "
                "Make it again with: prep ingest"
            )
        return source

    def find_source(self, picture: str) -> Source | None:
        """Return the source that a path from the project's root lies in, None where in none."""
        path = f"{compose_name(picture)}/"
        inside = [s for s in self.sources if path.startswith(f"{compose_name(s.path)}/")]
        return max(inside, key=lambda source: len(source.path), default=None)

    @property
    def twin_distance(self) -> int | None:
        """In how many bits of 64 tiles that look the same may differ; None: in no pixel."""
        return self.split.near_duplicates if self.tile.method == "photo" else None

    def seeds_of(self, name: str) -> tuple[int, ...]:
        """Return the seeds that an experiment is trained with; in rounds: at most."""
        own = self.experiments[name].seeds
        if own is not None:
            return own
        seeds = self.train.seeds
        return tuple(range(seeds.rounds[-1])) if isinstance(seeds, Rounds) else seeds

    def classes_of(self, name: str, op: str) -> tuple[str, ...]:
        """Return the classes whose variants by `op` the experiment `name` adds."""
        chosen = self.experiments[name].classes_of(op)
        return self.classes if chosen is None else chosen

    def control_of(self, name: str) -> str | None:
        """Return what the experiment `name` is compared with, None when that is missing.

        Unless it says, that is `none`. Variants of some classes only also make those classes more
        frequent, so the control of such an experiment has to shift them alike. One that trains on
        a share of the tiles has the control that it names and no other.
        """
        control = self.experiments[name].control or ("none" if name != "none" else None)
        if control not in self.experiments or control == name:
            return None
        if self.experiments[control].share != self.experiments[name].share:
            return None
        return control if self.class_shift(control) == self.class_shift(name) else None

    def class_shift(self, name: str) -> tuple[float, ...]:
        """Return the share of each class in the training tiles, were the originals balanced."""
        if self.experiments[name].balance != "none":
            return (1 / len(self.classes),) * len(self.classes)
        sizes = [1 + count for count in self.count_variants(name).values()]
        return tuple(size / sum(sizes) for size in sizes)

    def is_baseline(self, name: str) -> bool:
        """Return whether an experiment changes no picture: it adds nothing, or duplicates."""
        steps = [step for op in self.experiments[name].ops for step in self.augment[op].steps]
        return all(isinstance(step, Duplicate) for step in steps)

    def is_judged(self, name: str) -> bool:
        """Return whether there is something to say of an experiment, and a control to say it by."""
        own = self.experiments[name]
        changes = not self.is_baseline(name) or own.balance != "none" or own.labels != "corrected"
        return changes and self.control_of(name) is not None

    def find_twin(self, name: str) -> str | None:
        """Return the experiment that is this one in another order, None if there is none.

        Each tile once more is, under equal steps, the same training.
        """
        own = self.experiments[name]
        plain = (own.share, "none", "corrected")
        if own.ops or (own.share, own.balance, own.labels) != plain or self.train.budget != "steps":
            return None
        for other, experiment in self.experiments.items():
            once = set(self.count_variants(other).values()) == {1} and self.is_baseline(other)
            if once and (experiment.share, experiment.balance, experiment.labels) == plain:
                return other
        return None

    def count_variants(self, name: str) -> dict[str, int]:
        """Return how many variants of each of its tiles an experiment adds, by class."""
        experiment = self.experiments[name]
        return {
            label: sum(
                self.augment[op].copies
                for op in experiment.ops
                if label in self.classes_of(name, op)
            )
            for label in self.classes
        }


def choose(wanted: str | None, known: Mapping[str, Thing], what: str, section: str) -> list[Thing]:
    """Return the one thing that is wanted, or all; an unknown name is a DataError."""
    if wanted is None:
        return list(known.values())
    wanted = compose_name(wanted)
    if wanted not in known:
        raise DataError(
            f"there is no {what} '{wanted}' in params.yaml.{nearest(wanted, known)} "
            f"Known ({section}): {', '.join(known)}"
        )
    return [known[wanted]]


def _references(
    params: Params, experiment: Experiment
) -> Iterator[tuple[str, Mapping[str, Any] | tuple[str, ...], str]]:
    for op in experiment.ops:
        yield op, params.augment, "augment"
    chosen = experiment.classes or ()
    for names in chosen.values() if isinstance(chosen, dict) else [chosen]:
        for class_name in names:
            yield class_name, params.classes, "classes"
    if experiment.control is not None:
        yield experiment.control, params.experiments, "experiments"


def name_plain(share: float) -> str:
    """Return a name for the experiment that adds nothing to a share of the training tiles."""
    return "none" if share == 1 else f"none-{100 * share:.0f}"


def write_plain(share: float) -> str:
    """Return this experiment as a line of params.yaml."""
    return f"{name_plain(share)}: {{share: {share:g}}}" if share < 1 else "none: {}"
