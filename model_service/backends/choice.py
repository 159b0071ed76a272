"""How a model runs in a worker: in the loop or dispatched, its rows joined or not. It measures when it is not told.

A run costs what its rows cost, and something beside them: arrays, one call of the framework. Only the latter is
saved by joining rows of different requests, so one row and two are timed: what a run costs beside its rows is
twice the time of one less the time of two.

A row that takes so little time that a loop full of them is not felt runs in the loop: handing it to a thread and
its answer back would cost more than the row itself.

Workers that measure for themselves on a busy machine would come to different answers. So the first one to measure
writes down what it found, and the others do the same: `agree`.
"""

import copy
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from model_service.backends.base import AsyncBackend, Backend, Host
from model_service.backends.queued import QueuedBackend
from model_service.config import Batching, ExecutionChoice, ModelConfig
from model_service.errors import ServiceError
from model_service.records import Payload

#: What it costs to hand a row to the dispatcher and the answer back: two changes of threads
#: (`benchmarks/hand_off.py` measures some 15 to 20 microseconds of processor time).
HAND_OFF_S = 20e-6
#: A slower row would hold the loop up: this is a tenth of what one turn of it can spare.
IN_LOOP_S = 200e-6
#: A smaller share of a row's time is not worth the wait for the other rows of a batch, nor can it be told from noise.
LEAST_SHARE = 0.25
#: Enough for hundreds of runs of a cheap model; a service of many models starts later by as much for each. Others
#: load meanwhile, so the shortest of several runs counts; a slow model is not run that often.
MEASURE_S, LEAST_RUNS, LONGEST_MEASURE_S = 0.003, 5, 0.05

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Choice:
    """How a model runs."""

    is_in_loop: bool
    is_joining: bool


def make_queued(backend: Backend, config: ModelConfig, host: Host, examples: Sequence[Payload]) -> AsyncBackend:
    """Return a started backend behind the queue that its entry asks for, or that suits what was measured.

    Args:
        backend: Started. One that takes tickets itself is returned as it is.
        config: The model's entry.
        host: Of this process; the other workers of the service share its folder.
        examples: Payloads to measure with; without any, nothing says that the loop could bear it.
    """
    if isinstance(backend, AsyncBackend):
        return backend
    choice = choose(backend, config, examples)
    if host.folder is not None:
        choice = agree(host.folder / "choice.json", choice)
    queued = QueuedBackend(backend, config, host, is_in_loop=choice.is_in_loop, is_joining=choice.is_joining)
    queued.open()
    return queued


def choose(
    backend: Backend, config: ModelConfig, examples: Sequence[Payload], *, clock: Clock = time.perf_counter
) -> Choice:
    """Return how a started backend should run: what its entry says, and for the rest what is measured."""
    is_in_loop = config.execution is ExecutionChoice.IN_LOOP
    is_joining = config.batching is Batching.ON
    if config.execution is ExecutionChoice.AUTO or config.batching is Batching.AUTO:
        one_s, two_s = _time_slowest(backend, examples, clock)
        beside_s = 2 * one_s - two_s
        if config.execution is ExecutionChoice.AUTO:
            is_in_loop = one_s < IN_LOOP_S and not config.max_wait_s
        if config.batching is Batching.AUTO:
            hand_off_s = 0.0 if is_in_loop else HAND_OFF_S
            is_joining = beside_s > max(hand_off_s, LEAST_SHARE * one_s)
    return Choice(is_in_loop, is_joining)


def agree(path: Path, choice: Choice) -> Choice:
    """Return what stands in a file, or, for the first one who asks, what is written into it now."""
    own = path.with_name(f"{path.name}.{os.getpid()}")
    own.write_text(json.dumps(asdict(choice)), encoding="utf-8")
    try:
        os.link(own, path)  # in one step, and only where there is none yet
    except FileExistsError:
        return Choice(**json.loads(path.read_text(encoding="utf-8")))
    finally:
        own.unlink()
    return choice


def _time_slowest(backend: Backend, examples: Sequence[Payload], clock: Clock) -> tuple[float, float]:
    """Return the shortest of several runs of one row, and of two, of the example that takes longest."""
    if not examples:
        return math.inf, math.inf
    own = copy.deepcopy(list(examples))  # a model that changes them must not change the schema
    return _time_rows(backend, max(own, key=lambda payload: _time_once(backend, [payload], clock)), clock)


def _time_once(backend: Backend, payloads: list[Payload], clock: Clock) -> float:
    started = clock()
    try:
        if backend.has_rules:
            backend.find_violations(payloads)
        backend.run(payloads)
    except ServiceError:
        return math.inf
    return clock() - started


def _time_rows(backend: Backend, payload: Payload, clock: Clock) -> tuple[float, float]:
    shortest = {1: math.inf, 2: math.inf}
    began = clock()
    runs = 0
    while (took := clock() - began) < MEASURE_S or (runs < LEAST_RUNS and took < LONGEST_MEASURE_S):
        runs += 1
        for rows in shortest:
            took_s = _time_once(backend, [payload] * rows, clock)
            if took_s == math.inf:  # it failed for two rows what it did for one: leave them apart
                return shortest[1], math.inf
            shortest[rows] = min(shortest[rows], took_s)
    return shortest[1], shortest[2]
