"""`MLModel`: the one class a model author writes. Not the platform's own code path.

    from model_service import MLModel

    class GreetingModel(MLModel):
        qualified_name = "greeting_model"
        display_name = "Greeting"
        description = "Greets a person by name."
        version = "1.0.0"
        input_schema = {
            "type": "object",
            "properties": {"name": {"type": "string", "minLength": 1}},
            "required": ["name"],
            "examples": [{"name": "Ada"}],
        }
        output_schema = {"type": "object", "properties": {"greeting": {"type": "string"}}}

        def predict(self, payload):
            return {"greeting": f"Hello, {payload['name']}!"}

Everything that describes a model is a class attribute, so that documents, forms
and the command line never load weights. ``__init__`` loads them, once.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

from model_service.records import Explanation, Output, Payload, Schema, Violation


class Ask(Protocol):
    """How an explanation asks its model: by the queue that all predictions wait in, so that it holds nobody up."""

    @property
    def seconds_left(self) -> float:
        """Seconds until nobody waits for the explanation any more."""

    def __call__(self, payloads: list[Payload]) -> list[Output | None]:
        """Return an output per payload, in order; ``None`` for one that is not valid, or for which the model raises.

        Raises:
            ServiceError: There is no time left, or no room; to be let through.
        """


class MLModel(ABC):
    """A trained model with a name, a version and two JSON Schemas.

    The platform builds one object per process and runs one batch at a time, so a
    model needs no lock of its own. Batches may come from different threads.

    Attributes:
        qualified_name: Identifier, unique in a service: ``[a-z][a-z0-9_]*``, at most 64 characters.
        display_name: Name for people.
        description: One to a few sentences: what goes in, what comes out, what it is for.
        version: PEP 440 version of the model, not of the code that serves it.
        input_schema: JSON Schema 2020-12 of one payload, ``type: object``. Its ``title``,
            ``description`` and ``examples`` are shown to people; its ``examples`` are the
            self-test that runs before the model takes requests. A subschema may carry
            ``x-error-messages``, ``{keyword: sentence}``, to speak the author's words.
            A field that is accepted and plays no part says ``x-unused: true``.
        output_schema: JSON Schema 2020-12 of one output, ``type: object``. Its ``examples``, where it has
            some, are the outputs of the examples of ``input_schema``, in their order.
        thread_safe: Whether several threads may predict at once. The platform runs one batch at a time
            either way; the conformance kit holds a class to it.
    """

    qualified_name: ClassVar[str]
    display_name: ClassVar[str]
    description: ClassVar[str]
    version: ClassVar[str]
    input_schema: ClassVar[Schema]
    output_schema: ClassVar[Schema]
    thread_safe: ClassVar[bool] = False

    def __init__(self) -> None:  # noqa: B027 - a model without parameters needs none
        """Load the parameters from the package's own artifacts; called once."""

    @abstractmethod
    def predict(self, payload: Payload) -> Output:
        """Predict for one payload.

        It must be free of side effects (a batch that failed may be run again row by
        row) and must not change the payload.

        Args:
            payload: An object that `input_schema` accepts and `find_violations` does too.
                Integers may arrive as ``5`` or ``5.0``: JSON Schema calls both integers.

        Returns:
            An object that `output_schema` accepts, of plain JSON types (no tuples, no NaN, no NumPy
            scalars; ``np.float64`` alone passes, because it is a Python float).
        """

    def predict_batch(self, payloads: list[Payload]) -> list[Output]:
        """Predict for many payloads; override it where the work can be vectorised.

        Args:
            payloads: One or more payloads, each as for `predict`.

        Returns:
            One output per payload, in order. The output of a row must not depend on
            the rows beside it.
        """
        return [self.predict(payload) for payload in payloads]

    def predict_columns(self, columns: Mapping[str, Any]) -> Mapping[str, Any]:
        """Predict for many payloads given as NumPy columns. Optional; only tensors of many rows come this way.

        It pays where the work is little beside that of making a dict per row, and it is asked only where columns can
        say what rows say: all fields are numbers, integers, booleans or texts, and there are no `find_violations`.

        Args:
            columns: Every field of the input schema: float64, int64, bool, or texts as objects, each of shape
                ``(rows,)``, not to be changed. Where a number may be null or missing it is float64 with NaN.

        Returns:
            Every field of the output schema, of any type of numbers; what lies inside an object by its dotted name.
            The rows must be answered as `predict_batch` answers them: the start of the service compares the two on
            the schema's examples.
        """
        raise NotImplementedError

    def explain(self, payload: Payload, output: Output, ask: Ask) -> Explanation:
        """Say what of a payload led to its output. Optional; whoever has none of its own offers no explanations.

        It may read what the output holds, compute from its own parameters, or ask for the outputs of other payloads:
        `model_service.explain` has ways that suit any model. It is called beside predictions, perhaps from
        another thread: whatever runs the model goes by ``ask``, or bears two threads.

        Args:
            payload: As for `predict`; not to be changed.
            output: What the model answered to it, as `output_schema` says.
            ask: Predicts for other payloads.

        Returns:
            An object of plain JSON types, as docs/explanations.md says: ``method``, ``explained``, ``base``,
            ``contributions`` of fields, ``sequences`` with a number per letter.
        """
        raise NotImplementedError

    @classmethod
    def find_violations(cls, payload: Payload) -> list[Violation]:
        """Find what JSON Schema cannot say: rules that join several fields.

        Called after `input_schema` accepted the payload and before it joins a batch, from
        several threads at once; needs no weights. A violation is answered as the caller's mistake.

        Returns:
            One `Violation` per broken rule, with JSON Pointers into the payload; empty
            when the payload may be predicted.
        """
        return []

    def close(self) -> None:  # noqa: B027 - most models hold nothing to give back
        """Give back what the model holds; called once, after its last prediction."""

    @classmethod
    def artifact_path(cls, name: str) -> Path:
        """Return the path of a file in the ``artifacts`` folder beside the class's module.

        The platform has checked its digest against ``artifacts/manifest.json`` before
        it builds the model (`model_service.artifacts.verify_artifacts`).
        """
        return Path(inspect.getfile(cls)).parent / "artifacts" / name
