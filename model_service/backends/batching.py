"""`MicroBatcher`: the line in front of a backend, itself a backend. It bounds, orders and joins what waits.

Batched, a dispatcher thread takes all that waits and runs it as one batch, then looks again: load makes
the batches, and a lone row waits for nobody. Direct, the calling threads take turns and no rows
are joined, which is cheaper for a model that gains less from a batch than a change of threads costs
(`model_service.backends.choice` measures it). The rules of the line are the same for both:

- First come, first served. A request of more rows than a batch runs in slices, as many rows as should take
  `SLICE_S` at the measured rate, or fewer where others wait; after each slice it goes to the back of the line.
- A batch that failed is run again request by request, so that a bad row fails its own request only.
- What is past its deadline is taken out of the line and never reaches the model. A caller leaves at its deadline,
  but for the one in whose own thread the model runs.

Locks are raw and nothing is polled: a call costs some 2 microseconds direct. Batched, the two changes of threads
cost some 15 to 20 of processor time, and up to 50 of waiting; docs/decisions/0012 says what they buy.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

from model_service.backends.base import Backend
from model_service.backends.service_rate import ServiceRate
from model_service.config import ModelConfig
from model_service.errors import CapacityError, ModelNotReady, PayloadTooLarge, PredictionTimeout, QueueFull
from model_service.records import ModelInfo, Output, Payload, Problem, Violation

#: How long a slice of a large request should take, and so how long it keeps a single row waiting.
SLICE_S = 0.05


class _Call:
    """One request in the line. Guarded by the batcher's lock, but for `turn`."""

    __slots__ = ("deadline", "error", "is_done", "is_leading", "outputs", "payloads", "taken", "turn")

    def __init__(self, payloads: list[Payload], deadline: float) -> None:
        self.payloads = payloads
        self.deadline = deadline
        self.taken = 0
        self.outputs: list[Output] = []
        self.error: BaseException | None = None
        self.is_done = False
        self.is_leading = False
        # A raw lock that its owner waits for: half the price of an event or a future.
        self.turn = threading.Lock()
        self.turn.acquire()

    @property
    def left(self) -> int:
        """The number of rows that have not been taken into a batch."""
        return len(self.payloads) - self.taken


#: The calls of a batch, each with those of its rows that are in it.
_Batch = list[tuple[_Call, list[Payload]]]


class MicroBatcher(Backend):
    """Gives one backend its rows in batches, one batch at a time.

    Args:
        backend: Runs the batches; started and stopped with this one.
        config: The bounds: ``max_batch_rows``, ``max_wait_s``, ``max_queue_rows``, ``timeout_s``.
        is_batching: Whether rows of different requests are joined, by a thread; else the callers take turns.
        clock: Seconds that only grow; a parameter so that tests need not sleep.
    """

    def __init__(
        self,
        backend: Backend,
        config: ModelConfig,
        *,
        is_batching: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend = backend
        self._config = config
        self._is_batching = is_batching
        self._clock = clock
        self._max_rows = config.max_batch_rows
        self._max_rows_at_once = min(config.max_batch_rows, config.max_queue_rows)
        self._timeout_s = config.timeout_s
        self._lock = threading.Lock()
        self._line: deque[_Call] = deque()
        self._waiting_rows = 0
        self._is_started = False
        self._rate = ServiceRate()
        self._is_led = False  # direct: whether a caller runs its rows
        self._dispatcher: threading.Thread | None = None  # batched: it sleeps until so many rows wait
        self._wanted_rows = 0
        self._wake = threading.Lock()
        self._wake.acquire()

    def describe(self) -> ModelInfo:
        return self._backend.describe()

    def describe_batching(self) -> str:
        return "batched" if self._is_batching else "direct"

    def start(self) -> None:
        self._backend.start()
        self.open()

    def open(self) -> None:
        """Let requests in, to a backend that has been started already."""
        self._is_started = True
        if self._is_batching:
            self._dispatcher = threading.Thread(target=self._dispatch, name="batches", daemon=True)
            self._dispatcher.start()

    def find_violations(self, payloads: list[Payload]) -> list[list[Violation]]:
        return self._backend.find_violations(payloads)

    def find_problem(self) -> Problem | None:
        return self._backend.find_problem()

    def run(self, payloads: list[Payload]) -> list[Output]:
        """Predict in turn; arguments and answer as `Backend.run`.

        Raises:
            PayloadTooLarge: There are more rows than may ever wait.
            QueueFull: As many rows wait as may; at once.
            PredictionTimeout: The deadline passed before all rows had run.
        """
        if self._lead_at_once(len(payloads)):
            return self._run_at_once(payloads)
        call = _Call(payloads, self._clock() + self._timeout_s)
        is_leading = self._enter(call)
        while not call.is_done:
            if is_leading:
                try:
                    self._run_batch(self._take_batch())
                finally:
                    is_leading = self._pass_on(call)
            else:
                is_leading = self._wait(call)
        if call.error is None:
            return call.outputs
        error, call.error = call.error, None
        try:
            raise error
        finally:
            del error  # its traceback holds this frame

    def stop(self) -> None:
        with self._lock:
            self._is_started = False
            for call in [call for call in self._line if not call.is_leading]:  # who leads finds out by itself
                self._line.remove(call)
                self._finish(call, ModelNotReady("the model was stopped"))
            self._wake_dispatcher()
        dispatcher, self._dispatcher = self._dispatcher, None
        try:
            self._backend.stop()
        finally:
            if dispatcher is not None:
                dispatcher.join()

    # Nobody waits: no line, for a line costs as much as a small model

    def _lead_at_once(self, rows: int) -> bool:
        """Whether the caller may run its rows now: direct, nobody runs, and they are one batch."""
        if self._is_batching or rows > self._max_rows_at_once:
            return False
        with self._lock:
            if self._is_led or not self._is_started:
                return False
            self._is_led = True
            return True

    def _run_at_once(self, payloads: list[Payload]) -> list[Output]:
        started = self._clock()
        try:
            outputs = self._backend.run(payloads)
            self._rate.learn(self._clock() - started, len(payloads))
            return outputs
        finally:
            self._pass_on()

    # The line

    def _enter(self, call: _Call) -> bool:
        """Put a call into the line; return whether its thread is to run it now."""
        rows, most = len(call.payloads), self._config.max_queue_rows
        with self._lock:
            if not self._is_started:
                raise ModelNotReady("the model is not running")
            if self._waiting_rows + rows > most:
                if rows > most:
                    raise PayloadTooLarge(f"{rows} rows in one request; this model accepts at most {most}")
                wait_s = self._rate.estimate_s(self._waiting_rows)
                raise QueueFull(f"{self._waiting_rows} rows wait for the model already", retry_after_s=wait_s)
            self._line.append(call)
            self._waiting_rows += rows
            if self._is_batching:
                if self._waiting_rows >= self._wanted_rows:
                    self._wake_dispatcher()
                return False
            is_leading, self._is_led = not self._is_led, True
            return is_leading

    def _wait(self, call: _Call) -> bool:
        """Wait until the call is done or its thread is to run it; return whether it is to run."""
        if not call.turn.acquire(timeout=max(0.0, call.deadline - self._clock())):
            with self._lock:
                if not call.is_done and not call.is_leading:
                    if call in self._line:  # else its rows are being run, and the answer will find nobody
                        self._line.remove(call)
                    self._finish(call, self._overdue())
            call.turn.acquire()
        is_leading, call.is_leading = call.is_leading, False
        return is_leading

    def _pass_on(self, call: _Call | None = None) -> bool:
        """Let the first in line run; return whether that is the call itself again."""
        with self._lock:
            if not self._line:
                self._is_led = False
                return False
            first = self._line[0]
            if first is call:
                return True
            first.is_leading = True
            first.turn.release()
            return False

    def _finish(self, call: _Call, error: BaseException | None = None) -> None:
        self._waiting_rows -= call.left
        call.taken = len(call.payloads)
        call.error = error
        call.is_done = True
        call.turn.release()

    def _take_batch(self) -> _Batch:
        """Take what is next: the calls that fit, in order, and a slice of a call that is larger than a batch."""
        batch: _Batch = []
        room = self._max_rows
        now = self._clock()
        with self._lock:
            line = self._line
            while line and room > 0:
                call = line[0]
                rows = call.left
                if call.deadline <= now:
                    line.popleft()
                    self._finish(call, self._overdue())
                    if self._is_batching:
                        continue
                    break  # the call is the one whose thread this is
                if rows > self._max_rows:
                    is_alone = len(line) == 1 and not batch
                    rows = min(rows, self._rate.count_rows(SLICE_S) or self._max_rows, rows if is_alone else room)
                elif rows > room:
                    break
                line.popleft()
                self._waiting_rows -= rows
                room -= rows
                first, call.taken = call.taken, call.taken + rows
                batch.append((call, call.payloads[first : call.taken]))
                if not self._is_batching:
                    break
        return batch

    def _overdue(self) -> PredictionTimeout:
        wait_s = self._rate.estimate_s(self._waiting_rows)
        return PredictionTimeout(f"no answer within {self._timeout_s} s", retry_after_s=wait_s)

    # Running

    def _dispatch(self) -> None:
        while self._is_started:
            self._sleep_until(1)
            if self._config.max_wait_s:
                self._sleep_until(self._max_rows, self._config.max_wait_s)
            self._run_batch(self._take_batch())

    def _sleep_until(self, rows: int, timeout_s: float = -1) -> None:
        """Sleep until so many rows wait, the time is over, or there will be no more."""
        with self._lock:
            if self._waiting_rows >= rows or not self._is_started:
                return
            self._wanted_rows = rows
        if not self._wake.acquire(timeout=timeout_s):
            with self._lock:
                if self._wanted_rows:
                    self._wanted_rows = 0
                    return
            self._wake.acquire()  # somebody has released it just now

    def _wake_dispatcher(self) -> None:
        if self._wanted_rows:
            self._wanted_rows = 0
            self._wake.release()

    def _run_batch(self, batch: _Batch) -> None:
        if not batch:
            return
        payloads = batch[0][1] if len(batch) == 1 else [payload for _, part in batch for payload in part]
        started = self._clock()
        try:
            outputs = self._backend.run(payloads)
        except BaseException as error:  # whatever it is, it belongs to those who wait, in whose thread it is raised
            self._fail(batch, error)
            return
        self._rate.learn(self._clock() - started, len(payloads))
        with self._lock:
            end = 0
            for call, part in batch:
                start, end = end, end + len(part)
                self._deliver(call, outputs if len(batch) == 1 else outputs[start:end])

    def _deliver(self, call: _Call, outputs: list[Output]) -> None:
        if call.is_done:  # its caller has left
            return
        if call.outputs:
            call.outputs += outputs
        else:
            call.outputs = list(outputs) if call.left else outputs  # a list that grows must not be the model's
        if not call.left:
            self._finish(call)
        elif self._is_started:
            self._line.append(call)
        else:
            self._finish(call, ModelNotReady("the model was stopped"))

    def _fail(self, batch: _Batch, error: BaseException) -> None:
        """Give the error to the only call; run each of several alone, unless there is no capacity for them."""
        for call, part in batch:
            if len(batch) == 1:
                own = error
            elif isinstance(error, CapacityError):
                own = type(error)(error.message, retry_after_s=error.retry_after_s)
            elif self._clock() < call.deadline and not call.is_done:
                self._run_batch([(call, part)])
                continue
            else:
                own = self._overdue()
            with self._lock:
                if not call.is_done:
                    self._finish(call, own)
