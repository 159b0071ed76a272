"""`ServiceLoop`: one event loop, its turns for models that take no time, its slow ticks, and its lag.

A worker of `serve` has one, on which everything waits: connections, model processes, tickets.
Under another server, and on the command line, it runs in a thread of its own.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

logger = logging.getLogger(__name__)

#: How long models may run in one turn of the loop before it looks at its connections again: where one model is asked,
#: and where several are. It is how long a fast model waits for a slower one; a shorter batch costs more per row.
TURN_S, SHARED_TURN_S = 0.002, 0.0005
#: How often deadlines, slow callers and model processes are looked at. Nothing here has a timer of its own.
TICK_S = 0.05
#: Threads for what would hold the loop up: large bodies decoded, checked and encoded. They share the interpreter,
#: so more of them would only take more turns.
_POOL_THREADS = 2


class Runner(Protocol):
    """Runs batches in the loop.

    Attributes:
        is_roused: Whether it waits for its turn; the loop keeps it.
        expected_s: Seconds that what waits should take.
    """

    is_roused: bool

    @property
    def expected_s(self) -> float: ...

    def run_next(self) -> bool:
        """Run one batch; return whether more waits."""


class ServiceLoop:
    """What the rest of the service knows of an event loop. `post` and `rouse` may be called by any thread.

    Attributes:
        now: `time.monotonic` of the latest tick: precise enough for what is measured in seconds.
        lag_s: By how much the latest tick came late.
        longest_lag_s: The longest of all lags so far.
        turn_s: How long models may run in a turn, and so in a batch: `SHARED_TURN_S` once several were ready at once,
            and until a tick goes by without.
    """

    def __init__(self) -> None:
        self.now = time.monotonic()
        self.lag_s = 0.0
        self.longest_lag_s = 0.0
        self.turn_s = TURN_S
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread_id = 0
        self._thread: threading.Thread | None = None
        self._ready: list[Runner] = []
        self._round: deque[Runner] = deque()
        self._is_turning = self._is_shared = False
        self._ticks: list[Callable[[], object]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._pool = ThreadPoolExecutor(_POOL_THREADS, "large-bodies")

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop itself."""
        assert self._loop is not None, "the loop has not been started"
        return self._loop

    def adopt(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use a loop that the calling thread runs."""
        self._loop = loop
        self._thread_id = threading.get_ident()
        self._tick(time.monotonic())

    def start_thread(self) -> None:
        """Run a loop in a thread of its own; returns when it runs."""
        is_running = threading.Event()

        def run() -> None:
            with asyncio.Runner() as runner:
                loop = runner.get_loop()
                self.adopt(loop)
                loop.call_soon(is_running.set)
                loop.run_forever()

        self._thread = threading.Thread(target=run, name="service-loop", daemon=True)
        self._thread.start()
        is_running.wait()

    def close(self) -> None:
        """Stop ticking, and end the thread if there is one of its own."""
        if self._loop is not None:
            thread, self._thread = self._thread, None
            if thread is not None:
                self.loop.call_soon_threadsafe(self.loop.stop)
                thread.join()
            elif self._timer is not None:
                self._timer.cancel()
            self._loop, self._thread_id = None, 0  # another thread may get the number
        self._pool.shutdown(wait=False, cancel_futures=True)

    def is_here(self) -> bool:
        """Whether the calling thread is the one that runs the loop."""
        return threading.get_ident() == self._thread_id

    def post(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Call something in the loop: now where this is the loop, else soon."""
        if self.is_here():
            callback(*arguments)
            return
        loop = self._loop
        try:
            if loop is not None:
                loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:  # it has been closed: nobody is left to be told
            logger.debug("the loop has ended", exc_info=True)

    def compute(self, call: Callable[[], object]) -> None:
        """Have something that takes long run in the pool. It reports back by `post`."""
        self._pool.submit(call)

    def rouse(self, runner: Runner) -> None:
        """Have a runner run its batches in the coming turns of the loop."""
        if not self.is_here():
            self.post(self.rouse, runner)
        elif not runner.is_roused:
            runner.is_roused = True
            self._ready.append(runner)
            if not self._is_turning:
                self._is_turning = True
                self.loop.call_soon(self._turn)

    def every_tick(self, call: Callable[[], object]) -> None:
        """Call something about every `TICK_S`, in the loop."""
        self._ticks.append(call)

    def no_tick(self, call: Callable[[], object]) -> None:
        """Undo `every_tick`; asking twice is fine."""
        if call in self._ticks:
            self._ticks.remove(call)

    def _turn(self) -> None:
        ends_at = time.monotonic() + self.turn_s
        ready, order = self._ready, self._round
        while order or ready:
            if not order and len(ready) > 1:
                self._begin_round()
            runner = order.popleft() if order else ready.pop()
            if runner.run_next():
                ready.append(runner)
            else:
                runner.is_roused = False
            if (order or ready) and time.monotonic() >= ends_at:
                self.loop.call_soon(self._turn)
                return
        self._is_turning = False

    def _begin_round(self) -> None:
        """Give everyone who is ready one batch, the shortest first: who needs little does not wait for who needs much.

        Nobody starves: who comes now, or has more, is in the next round.
        """
        self._is_shared, self.turn_s = True, SHARED_TURN_S
        self._ready.sort(key=lambda runner: runner.expected_s)
        self._round.extend(self._ready)
        self._ready.clear()

    def _tick(self, due: float) -> None:
        self.now = time.monotonic()
        self.lag_s = self.now - due
        self.longest_lag_s = max(self.longest_lag_s, self.lag_s)
        if not self._is_shared:
            self.turn_s = TURN_S
        self._is_shared = False
        for call in list(self._ticks):
            try:
                call()
            except Exception:  # the others must go on
                logger.exception("a tick of the loop failed")
        self._timer = self.loop.call_later(TICK_S, self._tick, time.monotonic() + TICK_S)
