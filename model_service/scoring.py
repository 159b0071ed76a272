"""Rows of files through the one road: each row's output or its error, unless there was no room for them."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from model_service.backends.ticket import RowOutcome
from model_service.errors import CapacityError
from model_service.files.rows import Row
from model_service.prediction import PredictionService
from model_service.records import RequestContext
from model_service.registry.entry import ServedModel

#: Objects that are made before Python looks through the newest for garbage, and how often before through older ones.
_COLLECT_AFTER = (50_000, 20, 20)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Within a block, let Python look rarely for garbage that holds itself; for all threads of the process.

    Rows make millions of objects that go as soon as nobody holds them. To look through them for more takes a third of
    the time of a row of a small model, and finds nothing.
    """
    before = gc.get_threshold()
    gc.set_threshold(*_COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def score_chunk(
    predictions: PredictionService, target: ServedModel, rows: Sequence[Row], context: RequestContext | None = None
) -> list[RowOutcome]:
    """Return what became of each row of a file, in order.

    Args:
        predictions: The road.
        target: From `PredictionService.find_target`.
        rows: Those with a fault keep it.
        context: As in `PredictionService.predict`.

    Raises:
        CapacityError, PayloadTooLarge: As `score_documents`.
    """
    documents = [row.document for row in rows if row.fault is None]
    outcomes = score_documents(predictions, target, documents, context, numbers=list_numbers(rows))
    return join_faults(rows, outcomes)


def list_numbers(rows: Sequence[Row]) -> list[int]:
    """Return which rows of the request, from 0, those without a fault are."""
    return [row.number - 1 for row in rows if row.fault is None]


def pin_rows(predictions: PredictionService, target: ServedModel, rows: Sequence[Row]) -> ServedModel:
    """Return the version that answers for a file that begins with some rows, as `PredictionService.pin` does."""
    return predictions.pin(target, [row.document for row in rows if row.fault is None][:1])


def join_faults(rows: Sequence[Row], outcomes: list[RowOutcome]) -> list[RowOutcome]:
    """Return what became of each row: its fault, or the next of the outcomes, one per row without a fault."""
    if len(outcomes) == len(rows):
        return outcomes
    left = iter(outcomes)
    return [row.fault if row.fault is not None else next(left) for row in rows]


def score_documents(
    predictions: PredictionService,
    target: ServedModel,
    documents: list[Any],
    context: RequestContext | None = None,
    *,
    numbers: Sequence[int] | None = None,
) -> list[RowOutcome]:
    """Return what became of each document, in order: its output, or an error that is the row's own.

    Raises:
        CapacityError: There was no room, or no time: that is no fault of a row, and the same rows may be sent again.
        PayloadTooLarge: They are more than may ever wait.
    """
    outcomes = predictions.predict_rows(target, documents, context, numbers=numbers)
    for outcome in outcomes:
        if isinstance(outcome, CapacityError):
            raise outcome
    return outcomes
