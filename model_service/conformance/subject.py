"""What is checked: one model class, built when a rule asks for it, and the payloads that rules ask it about."""

import os
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from model_service.conformance.network import NetworkWatch
from model_service.conformance.options import Options
from model_service.conformance.sampler import Sampler, Unfit
from model_service.errors import ServiceError
from model_service.home import measure_memory
from model_service.loading import build_model, describe_model, import_model_class, read_card
from model_service.model import MLModel
from model_service.records import ModelInfo, Output, Payload
from model_service.schema.validation import SchemaValidator

#: Generated payloads that other rules ask the model about as well.
_MOST_ROWS = 40
_CARD = "README.md"
#: Share of the deadline that goes to payloads which the author gave: a slow model is not broken for their number.
_GIVEN_SHARE = 0.2
_Case = TypeVar("_Case")


class Subject:
    """One model under the rules.

    Attributes:
        generated: How many generated payloads the model has answered, one after the other: other rules ask about
            those, and about none that nobody has tried. None, once it has failed on one.
        loading: Seconds and bytes that importing and building took; empty before `build`.
    """

    def __init__(
        self,
        class_path: str,
        options: Options | None = None,
        *,
        model_class: type[MLModel] | None = None,
        network: NetworkWatch | None = None,
    ) -> None:
        self.class_path = class_path
        self.options = options or Options()
        self.network = network or NetworkWatch()
        self.generated = 0
        self.loading: dict[str, float] = {}
        self._class = model_class
        self._model: MLModel | None = None
        self._failure: ServiceError | None = None

    # What is known without weights.

    @property
    def model_class(self) -> type[MLModel]:
        """The class, imported.

        Raises:
            ModelImportFailed: It cannot be.
        """
        if self._class is None:
            began = time.perf_counter()
            self._class = import_model_class(self.class_path)
            self.loading["import_s"] = time.perf_counter() - began
        return self._class

    @cached_property
    def info(self) -> ModelInfo:
        """What the class says of itself, when it keeps the contract."""
        return describe_model(self.model_class)

    @cached_property
    def accepts(self) -> SchemaValidator:
        """The validator of payloads."""
        return SchemaValidator(self.model_class.input_schema)

    @cached_property
    def promises(self) -> SchemaValidator:
        """The validator of outputs."""
        return SchemaValidator(self.model_class.output_schema)

    @cached_property
    def card(self) -> str:
        """The model card: what was installed, or the ``README.md`` of the sources; empty where there is none."""
        source = self.source
        path = Path(self.options.card) if self.options.card else source / _CARD if source else None
        return path.read_text(encoding="utf-8") if path and path.is_file() else read_card(self.model_class)

    @cached_property
    def source(self) -> Path | None:
        """The folder that holds the package in its sources; ``None`` where they are not there."""
        folder = self.model_class.artifact_path("").parent.parent
        return folder if any((folder / name).is_file() for name in ("pyproject.toml", "setup.py", _CARD)) else None

    @property
    def examples(self) -> list[Payload]:
        """Copies of the examples, and of the payloads that the author gave."""
        return deepcopy([*self.model_class.input_schema.get("examples", ()), *self.options.payloads])

    # The model.

    def build(self) -> MLModel:
        """Return the model with its weights; what building it took is in `loading`.

        Raises:
            PackageError: It cannot be built; the same error each time.
        """
        if self._failure is not None:
            raise self._failure
        if self._model is None:
            model_class, before, began = self.model_class, measure_memory(os.getpid()), time.perf_counter()
            try:
                self._model = build_model(model_class)
            except ServiceError as error:
                self._failure = error
                raise
            self.loading["build_s"] = time.perf_counter() - began
            self.loading["bytes"] = max(0, measure_memory(os.getpid()) - before)
        return self._model

    def close(self) -> None:
        """Close the model, if it was built."""
        if self._model is not None:
            self._model.close()
            self._model = None

    def predict(self, payload: Payload) -> Output:
        """Return the output for a copy of a payload."""
        return self.build().predict(deepcopy(payload))

    def predict_batch(self, payloads: Sequence[Payload]) -> list[Output]:
        """Return the outputs for copies of payloads, in one call."""
        return self.build().predict_batch(deepcopy(list(payloads)))

    # What it is asked.

    def is_fit(self, payload: Payload) -> bool:
        """Whether the schema and the model's own rules accept a payload."""
        return self.accepts.accepts_all([payload]) and not self.model_class.find_violations(deepcopy(payload))

    def draw(self, count: int, *, seed: int = 0) -> Iterator[Payload]:
        """Yield payloads that the schema accepts; fewer where it lets none be found."""
        sampler = self.sample(seed=seed)
        for _ in range(count):
            try:
                yield sampler.draw()
            except Unfit:
                return

    def sample(self, *, seed: int = 0) -> Sampler:
        """Return what draws payloads: the same ones for the same seed."""
        return Sampler(self.model_class.input_schema, self.examples, seed=self.options.seed * 1000 + seed)

    def shuffle(self, *, seed: int) -> random.Random:
        """Return chance of its own, for what is neither payload nor model."""
        return random.Random(self.options.seed * 1000 + seed)  # noqa: S311 - no secret

    @cached_property
    def rows(self) -> list[Payload]:
        """The examples, and generated payloads that the model's rules accept, the same in every process."""
        drawn = self.draw(min(self.generated, 4 * _MOST_ROWS))
        return self.examples + [payload for payload in drawn if self.is_fit(payload)][:_MOST_ROWS]

    def rows_within_budget(self, share: float = 1.0) -> Iterator[Payload]:
        """Yield the rows that the author gave, unless the deadline is near, and generated ones while there is time."""
        given = len(self.examples)
        yield from _bound(self.rows[:given], self.options.deadline_s * _GIVEN_SHARE)
        if self.rows[given:]:
            yield from self.within_budget(self.rows[given:], share=share)

    def within_budget(self, cases: Iterable[_Case], *, share: float = 1.0) -> Iterator[_Case]:
        """Yield cases until the seconds of a rule are over; the first always."""
        yield from _bound(cases, self.options.seconds * share)


def _bound(cases: Iterable[_Case], seconds: float) -> Iterator[_Case]:
    end = time.perf_counter() + seconds
    for number, case in enumerate(cases):
        if number and time.perf_counter() > end:
            return
        yield case
