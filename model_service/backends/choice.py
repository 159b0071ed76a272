"""How a model runs in a worker: in the loop or dispatched, its rows joined or not. It measures when it is not told.

A run costs what its rows cost, and something beside them: arrays, one call of the framework. Only the latter is
saved by joining rows of different requests, so one row and two are timed: what a run costs beside its rows is
twice the time of one less the time of two.

A row that takes so little time that a loop full of them is not felt runs in the loop: handing it to a thread and
its answer back would cost more than the row itself.

A busy machine must not change the choice. What a run computes is read from the clock of its thread, which stands
still while others have the processor or the interpreter, and what it waits is the least that any of its runs waited:
a model that waits for something waits in each of them, a run that others held up is one among several.

The first worker to measure writes down what it found, and the others do the same.
"""

import copy
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from model_service.backends.base import AsyncBackend, Backend, Host
from model_service.backends.queued import QueuedBackend
from model_service.config import Batching, ExecutionChoice, ModelConfig
from model_service.errors import ServiceError
from model_service.home import agree
from model_service.records import Payload

#: What it costs to hand a row to the dispatcher and the answer back: two changes of threads
#: (`benchmarks/hand_off.py` measures some 15 to 20 microseconds of processor time).
HAND_OFF_S = 20e-6
#: A slower row would hold the loop up: this is a tenth of what one turn of it can spare.
IN_LOOP_S = 200e-6
#: A smaller share of a row's time is not worth the wait for the other rows of a batch, nor can it be told from noise.
LEAST_SHARE = 0.25
#: Of the processor, enough for hundreds of runs of a cheap model; a service of many models starts later by as much for
#: each. Others load meanwhile, so the least of several runs counts; a slow model is not run that often.
MEASURE_S, LEAST_RUNS, LONGEST_MEASURE_S = 0.003, 10, 0.1
#: As long as it is the waiting that decides, others may have held up each run so far.
LONGEST_WAITING_S = 0.25

#: In the folder of the entry: what the workers of a service have agreed on.
CHOICE_FILE = "choice.json"

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Choice:
    """How a model runs."""

    is_in_loop: bool
    is_joining: bool


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seconds that pass, and those that the processor spends on this thread."""

    wall: Clock = time.perf_counter
    processor: Clock = time.thread_time


class _Least:
    """The least that runs of the same rows computed, and waited."""

    def __init__(self) -> None:
        self.computed_s = self.waited_s = self.took_s = math.inf

    def note(self, computed_s: float, took_s: float) -> None:
        self.computed_s = min(self.computed_s, computed_s)
        self.waited_s = min(self.waited_s, max(0.0, took_s - computed_s))
        self.took_s = min(self.took_s, took_s)

    @property
    def total_s(self) -> float:
        # A clock that stood still in a run is too coarse to say what was computed.
        return min(self.took_s, self.computed_s + self.waited_s) if self.computed_s > 0 else self.took_s


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
        choice = Choice(**json.loads(agree(host.folder / CHOICE_FILE, json.dumps(asdict(choice)))))
    queued = QueuedBackend(backend, config, host, is_in_loop=choice.is_in_loop, is_joining=choice.is_joining)
    queued.open()
    return queued


def choose(
    backend: Backend, config: ModelConfig, examples: Sequence[Payload], *, clocks: Clocks | None = None
) -> Choice:
    """Return how a started backend should run: what its entry says, and for the rest what is measured."""
    is_told = config.execution is not ExecutionChoice.AUTO and config.batching is not Batching.AUTO
    if is_told or not examples:
        return _decide(config, math.inf, math.inf)
    clocks = clocks or Clocks()
    own = copy.deepcopy(list(examples))  # a model that changes them must not change the schema
    return _measure(backend, config, _find_slowest(backend, own, clocks), clocks)


def _decide(config: ModelConfig, one_s: float, two_s: float) -> Choice:
    """Return how a model runs one row of which takes so long, and two."""
    is_in_loop = config.execution is ExecutionChoice.IN_LOOP
    if config.execution is ExecutionChoice.AUTO:
        is_in_loop = one_s < IN_LOOP_S and not config.max_wait_s
    is_joining = config.batching is Batching.ON
    if config.batching is Batching.AUTO:
        hand_off_s = 0.0 if is_in_loop else HAND_OFF_S
        is_joining = 2 * one_s - two_s > max(hand_off_s, LEAST_SHARE * one_s)
    return Choice(is_in_loop, is_joining)


def _find_slowest(backend: Backend, examples: Sequence[Payload], clocks: Clocks) -> Payload:
    least = [_Least() for _ in examples]
    began = clocks.wall()
    for runs in range(LEAST_RUNS):
        if runs and clocks.wall() - began >= MEASURE_S:
            break
        for payload, noted in zip(examples, least, strict=True):
            _time_once(backend, [payload], clocks, noted)
    return examples[max(range(len(examples)), key=lambda place: least[place].total_s)]


def _time_once(backend: Backend, payloads: list[Payload], clocks: Clocks, noted: _Least) -> bool:
    """Note what one run took; tell whether it succeeded."""
    started, computed = clocks.wall(), clocks.processor()
    try:
        if backend.has_rules:
            backend.find_violations(payloads)
        backend.run(payloads)
    except ServiceError:
        return False
    computed_s = clocks.processor() - computed
    noted.note(computed_s, clocks.wall() - started)
    return True


def _measure(backend: Backend, config: ModelConfig, payload: Payload, clocks: Clocks) -> Choice:
    """Run one row and two in turn until the choice is clear."""
    one, two = _Least(), _Least()
    began, computing = clocks.wall(), clocks.processor()
    found = computed = _decide(config, math.inf, math.inf)
    runs, is_clear = 0, False
    while not is_clear:
        runs += 1
        for rows, noted in enumerate((one, two), 1):
            if not _time_once(backend, [payload] * rows, clocks, noted):
                # It failed for two rows what it did for one: leave them apart.
                return _decide(config, one.total_s, math.inf)
        took_s, computed_s = clocks.wall() - began, clocks.processor() - computing
        is_enough = computed_s >= MEASURE_S and (runs >= LEAST_RUNS or took_s >= LONGEST_MEASURE_S)
        found = _decide(config, one.total_s, two.total_s)
        computed = _decide(config, one.computed_s, two.computed_s)
        is_clear = (is_enough and found == computed) or took_s >= LONGEST_WAITING_S
    # In doubt rows are joined: apart, they may cost many times as much, and together little more.
    return Choice(found.is_in_loop, found.is_joining or computed.is_joining)
