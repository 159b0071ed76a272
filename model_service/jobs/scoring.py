"""`SlicedScorer`: the rows of a chunk to their outcomes, in calls so short that other callers need not wait for them.

A slice grows and shrinks until a call takes `SLICE_S`. That changes no output: the answer to a row does not depend on
the rows beside it.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from model_service.errors import CapacityError, ModelError, PayloadTooLarge, PredictionTimeout
from model_service.files.rows import Outcome, Row
from model_service.prediction import PredictionService
from model_service.registry.entry import ServedModel
from model_service.scoring import join_faults, list_numbers, score_documents

#: How long one call should take: about what a person does not notice.
SLICE_S = 0.05
_FIRST_ROWS, _MOST_ROWS = 16, 1024
#: So few rows are sent one by one after a crash.
_APART_ROWS = 64
#: A row that alone takes longer than the model may is tried as often before its timeout is its outcome.
_TIMEOUTS = 2


class SlicedScorer:
    """Asks one model for the rows of a job.

    Args:
        predictions: The one road.
        target: The model.
        check: Called before each call; it raises when there is to be none.
        wait: Called with what hinders and how often it has in a row; returns when another try makes sense, or raises.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        predictions: PredictionService,
        target: ServedModel,
        check: Callable[[], None],
        wait: Callable[[CapacityError, int], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._predictions = predictions
        self._target = target
        self._check = check
        self._wait = wait
        self._clock = clock
        self._slice_rows = _FIRST_ROWS

    def score(self, rows: Sequence[Row]) -> list[Outcome]:
        """Return what became of each row, in order; that the model has no room is nothing that becomes of a row."""
        documents = [row.document for row in rows if row.fault is None]
        numbers = list_numbers(rows)
        outcomes: list[Outcome] = []
        while len(outcomes) < len(documents):
            part = slice(len(outcomes), len(outcomes) + self._slice_rows)
            started, asked = self._clock(), documents[part]
            outcomes += self._ask(asked, numbers[part])
            self._adapt(self._clock() - started, len(asked))
        return join_faults(rows, outcomes)

    def _ask(self, documents: list[Any], numbers: list[int]) -> list[Outcome]:
        """Return outcomes, after as many tries as it takes, in parts where all together are too many."""
        tries = 0
        while True:
            self._check()
            try:
                outcomes = score_documents(self._predictions, self._target, documents, numbers=numbers)
                return outcomes if not _is_crash(outcomes) else self._ask_apart(documents, numbers)
            except (PayloadTooLarge, PredictionTimeout) as error:
                if len(documents) > 1:
                    break
                tries += 1
                if tries >= _TIMEOUTS:
                    return [error.with_traceback(None)]
            except CapacityError as error:
                tries += 1
                self._wait(error.with_traceback(None), tries)
        middle = len(documents) // 2
        return [
            *self._ask(documents[:middle], numbers[:middle]),
            *self._ask(documents[middle:], numbers[middle:]),
        ]

    def _ask_apart(self, documents: list[Any], numbers: list[int]) -> list[Outcome]:
        """Return outcomes of rows with which the process of the model ended: if one row is why, it fails alone.

        Few steps, and not halves: each may end the process once more, and too often it is not started again.
        """
        size = math.isqrt(len(documents)) if len(documents) > _APART_ROWS else 1
        parts = (slice(start, start + size) for start in range(0, len(documents), size))
        return [outcome for part in parts for outcome in self._ask(documents[part], numbers[part])]

    def _adapt(self, took_s: float, rows: int) -> None:
        if took_s > 2 * SLICE_S:
            self._slice_rows = max(1, rows // 2)
        elif took_s < SLICE_S / 2:
            self._slice_rows = min(_MOST_ROWS, 2 * self._slice_rows)


def _is_crash(outcomes: list[Outcome]) -> bool:
    """Whether several rows have one and the same error of the model: it became of all, and not of each."""
    faults = [outcome for outcome in outcomes if isinstance(outcome, ModelError)]
    return len(faults) > 1 and all(fault is faults[0] for fault in faults)
