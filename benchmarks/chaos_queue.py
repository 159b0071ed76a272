"""Threads, sizes, bad rows, deadlines and stops at random, at the queue in front of a model; each answer is checked.

python benchmarks/chaos_queue.py [seconds, 60 unless told]

Ends with 1 and the first wrong answers when a caller got anything but the outputs of its own rows, in
order, or an error that it may get.
"""

import logging
import random
import sys
import threading
import time
from collections import Counter

from model_service.backends.base import Backend, Host
from model_service.backends.loop import ServiceLoop
from model_service.backends.queued import QueuedBackend
from model_service.config import ModelConfig
from model_service.errors import ModelNotReady, PayloadTooLarge, PredictionFailed, PredictionTimeout, QueueFull
from model_service.records import ModelInfo, Output, Payload, RequestContext, Violation

THREADS = 24
ROUND_S = 2.0
MAX_QUEUE_ROWS = 1_500
BAD = -1


class MoodyBackend(Backend):
    """Doubles a number, one run at a time; takes its time now and then, and raises on `BAD`."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._is_busy = threading.Lock()
        self._is_started = False

    def describe(self) -> ModelInfo:
        raise NotImplementedError

    def start(self) -> None:
        self._is_started = True

    def find_violations(self, payloads: list[Payload]) -> list[list[Violation]]:
        return [[] for _ in payloads]

    def run(self, payloads: list[Payload], context: RequestContext | None = None) -> list[Output]:
        if not self._is_busy.acquire(blocking=False):
            raise RuntimeError("two runs at once")
        try:
            if not self._is_started:
                raise ModelNotReady("stopped")
            if self._random.random() < 0.3:
                time.sleep(self._random.random() * 0.004)
            if any(payload["x"] == BAD for payload in payloads):
                raise PredictionFailed("a bad row")
            return [{"y": 2 * payload["x"]} for payload in payloads]
        finally:
            self._is_busy.release()

    def stop(self) -> None:
        self._is_started = False


def main() -> int:
    """Run rounds, each with another queue, until the time is over; print what the callers got."""
    logging.getLogger("model_service").setLevel(logging.ERROR)  # a model may leave the loop
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    seen: Counter[str] = Counter()
    wrong: list[str] = []
    deadline = time.monotonic() + seconds
    seed = 0
    while time.monotonic() < deadline and not wrong:
        run_round(seed, min(ROUND_S, seconds / 3), seen, wrong)
        seed += 1
    print(f"{seed} rounds of {THREADS} threads:", ", ".join(f"{count} {name}" for name, count in sorted(seen.items())))
    for line in wrong[:10]:
        print("WRONG", line)
    return 1 if wrong or not seen["answered"] else 0


def run_round(seed: int, seconds: float, seen: "Counter[str]", wrong: list[str]) -> None:
    """Let every thread call one queue until the time is over; stop it while they still do."""
    dice = random.Random(seed)
    config = ModelConfig(
        class_path="m.M",
        max_batch_rows=dice.choice((1, 3, 16, 64)),
        max_wait_s=dice.choice((0.0, 0.0, 0.001)),
        max_queue_rows=MAX_QUEUE_ROWS,
        timeout_s=dice.choice((0.02, 0.2, 30.0)),
    )
    loop = ServiceLoop()
    loop.start_thread()
    kind = seed % 3
    queued = QueuedBackend(MoodyBackend(seed), config, Host(loop), is_in_loop=kind == 2, is_joining=kind != 1)
    queued.start()
    lock = threading.Lock()
    end = time.monotonic() + seconds

    def call(number: int) -> None:
        own = random.Random(seed * 1000 + number)
        while time.monotonic() < end + 0.1:
            payloads = make_payloads(own, number)
            outcome, fault = ask(queued, payloads)
            with lock:
                seen[outcome] += 1
                if fault or (outcome == "ModelNotReady" and time.monotonic() < end):
                    wrong.append(f"seed {seed}: {outcome} {fault} for {len(payloads)} rows")
            if outcome == "ModelNotReady":
                return
            if outcome == "QueueFull":  # at once again, they would take the interpreter from the model
                time.sleep(own.random() * 0.01)

    threads = [threading.Thread(target=call, args=(number,), daemon=True) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    time.sleep(max(0.0, end - time.monotonic()))
    queued.stop()
    for thread in threads:
        thread.join(timeout=30)
        if thread.is_alive():
            wrong.append(f"seed {seed}: a caller waits for ever")
    loop.close()
    if queued.queue.rows:
        wrong.append(f"seed {seed}: {queued.queue.rows} rows are left in the queue")


def make_payloads(dice: random.Random, number: int) -> list[Payload]:
    """Return one row mostly, now and then many or too many, and rarely a bad one among them."""
    size = dice.choices((1, dice.randint(2, 20), dice.randint(50, 600), MAX_QUEUE_ROWS + 1), (70, 20, 9, 1))[0]
    payloads: list[Payload] = [{"x": number * 1_000_000 + dice.randrange(1_000_000)} for _ in range(size)]
    if dice.random() < 0.05:
        payloads[dice.randrange(size)] = {"x": BAD}
    return payloads


def ask(queued: QueuedBackend, payloads: list[Payload]) -> tuple[str, str]:
    """Return what became of a call, and what is wrong with it or nothing."""
    is_bad = any(payload["x"] == BAD for payload in payloads)
    try:
        outputs = queued.run(payloads)
    except (PredictionTimeout, QueueFull, ModelNotReady) as error:
        return type(error).__name__, ""
    except PredictionFailed as error:
        return type(error).__name__, "" if is_bad else "a sound request failed"
    except PayloadTooLarge as error:
        return type(error).__name__, "" if len(payloads) > MAX_QUEUE_ROWS else "it is not too large"
    except BaseException as error:
        return "surprise", repr(error)
    if is_bad or outputs != [{"y": 2 * payload["x"]} for payload in payloads]:
        return "answered", "these are not its answers"
    return "answered", ""


if __name__ == "__main__":
    sys.exit(main())
