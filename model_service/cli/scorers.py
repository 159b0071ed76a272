"""What scores the rows of a file for `model-service score`: this process, processes beside it, or a server."""

import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from multiprocessing import get_context
from typing import Any, Protocol

from model_service.config import ServiceConfig
from model_service.errors import CapacityError, ModelNotReady, PredictionFailed, ServiceError
from model_service.files.rows import Outcome, Row
from model_service.records import Schema
from model_service.scoring import join_faults, rare_collections, score_documents
from model_service.service import Service

#: Chunks that are under way for each that is scored at a time, so that nobody waits for the reader.
_AHEAD = 2
#: So long this process scores alone.
_ALONE_S = 5.0
#: What is too much for the model's queue is tried again so often, a little later each time.
_TRIES = 8


@dataclass(frozen=True, slots=True)
class Described:
    """What must be known of a model to read and to write its files."""

    qualified_name: str
    version: str
    input_schema: Schema
    output_schema: Schema


class Scorer(Protocol):
    """Scores chunks of rows, several at a time.

    Attributes:
        model: The model that answers.
        chunk_rows: Rows that are scored together.
    """

    model: Described
    chunk_rows: int

    def score(self, chunks: Iterable[list[Row]]) -> Iterator[tuple[list[Row], list[Outcome]]]:
        """Yield the chunks with what became of their rows, in order.

        Raises:
            ServiceError: Nothing could be said of a chunk.
        """
        ...


class LocalScorer(Scorer):
    """Scores with a model that is loaded here: in this process, and, if that takes long, then in others.

    Args:
        service: Has started, with the one model.
        described: That model.
        workers: How many processes score; with one it is this process.
        clock: Seconds that only grow.
    """

    chunk_rows = 1000

    def __init__(
        self, service: Service, described: Described, workers: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.model = described
        self._service = service
        self._workers = workers
        self._clock = clock

    def score(self, chunks: Iterable[list[Row]]) -> Iterator[tuple[list[Row], list[Outcome]]]:
        left = iter(chunks)
        target = self._service.predictions.find_target(self.model.qualified_name, self.model.version)

        def score_here(documents: list[Any]) -> list[Outcome]:
            return insist(lambda: score_documents(self._service.predictions, target, documents))

        with ThreadPoolExecutor(1) as pool:
            yield from in_order(pool, score_here, self._take_for_a_while(left), _AHEAD)
        for first in left:
            yield from self._score_in_processes(chain([first], left))

    def _take_for_a_while(self, chunks: Iterator[list[Row]]) -> Iterator[list[Row]]:
        """Yield chunks until it is worth while to start processes, each of which loads the model."""
        end = self._clock() + _ALONE_S
        while self._workers == 1 or self._clock() < end:
            rows = next(chunks, None)
            if rows is None:
                return
            yield rows

    def _score_in_processes(self, chunks: Iterable[list[Row]]) -> Iterator[tuple[list[Row], list[Outcome]]]:
        began = (_alone(self._service.config), self.model.qualified_name, self.model.version)
        with ProcessPoolExecutor(self._workers, get_context("spawn"), _begin, began) as processes:
            try:
                yield from in_order(processes, _score_there, chunks, _AHEAD * self._workers)
            except BrokenProcessPool:
                raise PredictionFailed("a process of the model ended; what is written so far can be resumed") from None
            finally:
                processes.shutdown(wait=True, cancel_futures=True)


def in_order(
    pool: Executor, score: Callable[[list[Any]], list[Outcome]], chunks: Iterable[list[Row]], most: int
) -> Iterator[tuple[list[Row], list[Outcome]]]:
    """Yield chunks with what a function says of their documents, in order; so many are under way at a time."""
    waiting: deque[tuple[list[Row], Future[list[Outcome]]]] = deque()
    try:
        for rows in chunks:
            documents = [row.document for row in rows if row.fault is None]
            waiting.append((rows, pool.submit(score, documents)))
            while len(waiting) > most:
                yield _settle(*waiting.popleft())
        while waiting:
            yield _settle(*waiting.popleft())
    finally:
        for _, future in waiting:
            future.cancel()


def insist(call: Callable[[], list[Outcome]], sleep: Callable[[float], object] = time.sleep) -> list[Outcome]:
    """Return what a call returns, and try again when there was no room for it."""
    for tried in range(1, _TRIES + 1):
        try:
            return call()
        except ModelNotReady:
            raise
        except CapacityError as error:
            if tried == _TRIES:
                raise
            sleep(min((error.retry_after_s or 1) * tried, 30))
    raise AssertionError("unreachable")


def _settle(rows: list[Row], future: Future[list[Outcome]]) -> tuple[list[Row], list[Outcome]]:
    return rows, join_faults(rows, future.result())


def _alone(config: ServiceConfig) -> ServiceConfig:
    """Return a configuration for a process that is one of several."""
    return replace(config, models=tuple(replace(entry, replicas=1) for entry in config.models))


#: The model of this process, where it is one of several that score.
_here = ExitStack()
_model: list[tuple[Service, str, str]] = []


def _begin(config: ServiceConfig, name: str, version: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that has started this one ends it
    _here.enter_context(rare_collections())
    service = _here.enter_context(Service(config)).start()
    _model.append((service, name, version))


def _score_there(documents: list[Any]) -> list[Outcome]:
    ((service, name, version),) = _model
    target = service.predictions.find_target(name, version)
    outcomes = insist(lambda: score_documents(service.predictions, target, documents))
    for outcome in outcomes:
        if isinstance(outcome, ServiceError):
            outcome.__cause__ = None  # it may not travel, and the log of this process has it
    return outcomes
