"""`PredictionService`: the one road that every prediction takes, from every door."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from model_service.errors import ModelError, OutputInvalid, PayloadInvalid, PayloadMalformed, PayloadTooLarge
from model_service.manager import ModelManager, ServedModel
from model_service.records import ModelInfo, Output, Payload, Prediction, Violation
from model_service.schema.validation import MAX_VIOLATIONS

logger = logging.getLogger(__name__)


class PredictionService:
    """Find the model, validate, run, validate again. Thread-safe.

    Args:
        manager: Knows the models.
        max_rows: Most payloads of one `predict_many`.
        clock: Seconds that only grow; a parameter so that tests need not sleep.
    """

    def __init__(self, manager: ModelManager, *, max_rows: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._manager = manager
        self._max_rows = max_rows
        self._clock = clock

    def predict(self, qualified_name: str, payload: Any, *, version: str | None = None) -> Prediction:
        """Predict for one payload.

        Args:
            qualified_name: The model's name.
            payload: Any JSON document; whether it is a payload is decided here.
            version: The default version of the name when ``None``.

        Returns:
            A prediction with one output.

        Raises:
            ModelNotFound, ModelNotReady: From the manager.
            PayloadInvalid: Every violation, with pointers into the payload.
            PredictionFailed, OutputInvalid, CapacityError: From the backend and the model.
        """
        started = self._clock()
        served = self._manager.get_model(qualified_name, version)
        (violations,) = _find_violations(served, [payload])
        if violations:
            raise _invalid(served.info, violations)
        return self._run(served, [payload], started)

    def predict_many(self, qualified_name: str, payloads: list[Any], *, version: str | None = None) -> Prediction:
        """Predict for many payloads, all or nothing.

        Returns:
            A prediction with one output a payload, in order.

        Raises:
            PayloadMalformed: There are none.
            PayloadTooLarge: There are more than ``max_rows``.
            PayloadInvalid: Every violation, with pointers that start with the row's index.
            ModelNotFound, ModelNotReady, PredictionFailed, OutputInvalid, CapacityError: As `predict`.
        """
        started = self._clock()
        served = self._manager.get_model(qualified_name, version)
        if not payloads:
            raise PayloadMalformed("the array is empty; send at least one payload")
        if len(payloads) > self._max_rows:
            raise PayloadTooLarge(f"{len(payloads)} rows in one request; at most {self._max_rows} are accepted")
        found = _find_violations(served, payloads)
        if any(found):
            raise _invalid(
                served.info,
                [
                    replace(violation, pointer=f"/{i}{violation.pointer}")
                    for i, violations in enumerate(found)
                    for violation in violations
                ],
            )
        return self._run(served, payloads, started)

    def _run(self, served: ServedModel, documents: list[Any], started: float) -> Prediction:
        """Run documents that are payloads: the input schema, whose type is object, has accepted each."""
        info = served.info
        try:
            outputs = served.backend.run(documents)
            _check_outputs(served, outputs)
        except ModelError as error:
            raise _log_fault(info, error) from None
        return Prediction(info.qualified_name, info.version, outputs, self._clock() - started)


def _log_fault(info: ModelInfo, error: ModelError) -> ModelError:
    """Log what the model raised; return what may leave, the kind of the error: its cause may repeat the payload."""
    names = {"model": info.qualified_name, "version": info.version}
    logger.error("prediction failed: %s", error.message, extra=names, exc_info=error)
    return type(error)(f"model '{info.qualified_name}' failed; the log tells why, by request id")


def _find_violations(served: ServedModel, documents: list[Any]) -> list[list[Violation]]:
    """Return the violations of each document: the schema's, or, where it has none, those of the model's own rules.

    The list is shorter than the documents when there are more violations than an answer holds.
    """
    if served.input_validator.accepts_all(documents):
        return _find_own_violations(served, documents)
    found: list[list[Violation]] = []
    for document in documents:
        found.append(served.input_validator.find_violations(document))
        if found[-1] and sum(map(len, found)) >= MAX_VIOLATIONS:
            return found
    sound = [i for i, violations in enumerate(found) if not violations]
    if sound:
        own = _find_own_violations(served, [documents[i] for i in sound])
        for i, violations in zip(sound, own, strict=True):
            found[i] = violations
    return found


def _find_own_violations(served: ServedModel, payloads: list[Payload]) -> list[list[Violation]]:
    try:
        return served.backend.find_violations(payloads)
    except ModelError as error:
        raise _log_fault(served.info, error) from None


def _invalid(info: ModelInfo, violations: list[Violation]) -> PayloadInvalid:
    count = f"{len(violations)} {'fault' if len(violations) == 1 else 'faults'}"
    if len(violations) >= MAX_VIOLATIONS:
        count = f"at least {MAX_VIOLATIONS} faults"
    message = f"the payload for model '{info.qualified_name}' has {count}; see errors"
    return PayloadInvalid(message, violations[:MAX_VIOLATIONS])


def _check_outputs(served: ServedModel, outputs: list[Output]) -> None:
    """Hold every output against the output schema.

    Raises:
        OutputInvalid: Names the broken rules of the first bad output, for the log.
    """
    if served.output_validator.accepts_all(outputs):
        return
    for i, output in enumerate(outputs):
        violations = served.output_validator.find_violations(output)
        if violations:
            raise OutputInvalid(f"output {i}: " + "; ".join(_sentences(violations)), violations)


def _sentences(violations: list[Violation]) -> Iterator[str]:
    for violation in violations[:5]:
        yield f"'{violation.pointer or '/'}' {violation.message}"
