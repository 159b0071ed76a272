"""What a new package will be: everything that is known before its files are written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from model_service.records import Payload
from model_service.scaffold.drafting import Draft

_FILE_NAME = re.compile(r"[\w.-]{1,100}")


@dataclass(frozen=True, slots=True)
class Plan:
    """A package to be written.

    Attributes:
        name: Of the module and of the model.
        class_name: Of the model's class.
        display_name: For people.
        description: One sentence.
        template: Which of `model_service.scaffold.layouts.LAYOUTS`.
        fields: Of a payload.
        target: What is predicted: a choice among classes, or a number.
        examples: Complete payloads.
        left_out: Columns that are no fields, each with the reason.
        sample: The file that the fields were drafted from; ``None`` for the made-up one.
        model: The trained model that the package is made around.
        flags: What more the files depend on, as ``@word|`` in their templates.
        outputs: What is answered, where that is not the target.
        words: What else templates put for ``$word``.
    """

    name: str
    class_name: str
    display_name: str
    description: str
    template: str
    fields: tuple[Draft, ...]
    target: Draft
    examples: tuple[Payload, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    sample: Path | None = None
    model: Path | None = None
    flags: frozenset[str] = frozenset()
    outputs: tuple[Draft, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def sample_name(self) -> str:
        """The name of the sample, where it can stand in a text; empty for the made-up one."""
        if self.sample is None:
            return ""
        return self.sample.name if _FILE_NAME.fullmatch(self.sample.name) else "rows.csv"

    @property
    def model_name(self) -> str:
        """The name of the trained model, likewise."""
        if self.model is None:
            return ""
        return self.model.name if _FILE_NAME.fullmatch(self.model.name) else f"model{self.model.suffix[:10]}"

    @property
    def is_classifier(self) -> bool:
        """Whether classes are predicted."""
        return self.target.kind == "choice"

    @property
    def is_graph(self) -> bool:
        """Whether it is made around a graph from elsewhere."""
        return self.template == "graph"

    @property
    def origin(self) -> str:
        """What the fields were drafted from, in words."""
        return self.sample_name or (self.model_name if self.is_graph else "a made-up table")

    @property
    def task(self) -> str:
        """The name of the task."""
        return "classification" if self.is_classifier else "regression"

    @property
    def numbers(self) -> tuple[str, ...]:
        """Fields that a model reads as numbers."""
        return tuple(draft.name for draft in self.fields if draft.is_number)

    @property
    def texts(self) -> tuple[str, ...]:
        """Fields that a model reads as texts."""
        return tuple(draft.name for draft in self.fields if not draft.is_number)

    @property
    def probabilities(self) -> str:
        """What the output calls the probabilities of the classes."""
        return name_probabilities(self.target.name)

    @property
    def class_path(self) -> str:
        """How the configuration names the class."""
        return f"{self.name}.{self.class_name}"

    @property
    def distribution(self) -> str:
        """The name of the distribution."""
        return self.name.replace("_", "-")


def name_probabilities(target: str) -> str:
    """Return what an output calls the probabilities of its classes: no second ``probabilities``."""
    return "probabilities" if target != "probabilities" else "class_probabilities"
