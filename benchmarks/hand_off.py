"""What a queue costs and saves: predictions a second of processor time, in the loop and dispatched, by connections.

python benchmarks/hand_off.py

Each connection computes in the loop as long as a web request does and then asks for one row. `HAND_OFF_S` in
model_service/backends/choice.py comes from the first rows: what a row costs more when it is handed to the
dispatcher, for a model that costs next to nothing.
"""

import threading
import time

from model_service.backends.base import Backend, Host
from model_service.backends.loop import ServiceLoop
from model_service.backends.queued import QueuedBackend
from model_service.backends.ticket import Ticket
from model_service.config import ModelConfig
from model_service.records import ModelInfo, Output, Payload, RequestContext, Violation

SECONDS = 0.5
REPEATS = 3
#: Steps of a loop that take some 50 microseconds, as the decoding and encoding of a request do.
WEB_STEPS = 1_000
#: Microseconds of a run beside its rows, and of a row.
COSTS = ((1, 1), (15, 3), (50, 3), (120, 1), (1_500, 70), (70, 1_500))


class SpinningBackend(Backend):
    """Computes for as long as it is told, holding the interpreter, as Python code does."""

    def __init__(self, run_us: int, row_us: int) -> None:
        self._run_s, self._row_s = run_us / 1e6, row_us / 1e6

    def describe(self) -> ModelInfo:
        raise NotImplementedError

    def start(self) -> None:
        pass

    has_rules = False

    def find_violations(self, payloads: list[Payload]) -> list[list[Violation]]:
        return [[] for _ in payloads]

    def run(self, payloads: list[Payload], context: RequestContext | None = None) -> list[Output]:
        end = time.perf_counter() + self._run_s + self._row_s * len(payloads)
        while time.perf_counter() < end:
            pass
        return payloads

    def stop(self) -> None:
        pass


def main() -> None:
    """Print one row per model and number of connections."""
    print("| run us + row us | connections | in the loop /cpu s | apart /cpu s | joined /cpu s | hand-off us |")
    print("|--|--:|--:|--:|--:|--:|")
    for costs in COSTS:
        for connections in (1, 4, 16, 64):
            in_loop, apart, joined = (
                max(measure(SpinningBackend(*costs), connections, **kind) for _ in range(REPEATS))
                for kind in (
                    {"is_in_loop": True, "is_joining": True},
                    {"is_in_loop": False, "is_joining": False},
                    {"is_in_loop": False, "is_joining": True},
                )
            )
            hand_off_us = 1e6 / apart - 1e6 / in_loop
            print(
                f"| {costs[0]} + {costs[1]} | {connections} | {in_loop:.0f} | {apart:.0f} | {joined:.0f} "
                f"| {hand_off_us:.1f} |",
                flush=True,
            )


def measure(backend: Backend, connections: int, *, is_in_loop: bool, is_joining: bool) -> float:
    """Return answered rows per second of processor time."""
    loop = ServiceLoop()
    loop.start_thread()
    config = ModelConfig(class_path="m.M")
    queued = QueuedBackend(backend, config, Host(loop), is_in_loop=is_in_loop, is_joining=is_joining)
    queued.start()
    answered = ended = 0
    is_over, is_quiet = threading.Event(), threading.Event()

    def ask() -> None:
        for _ in range(WEB_STEPS):
            pass
        queued.submit(Ticket([{}], RequestContext("", 0.0, time.monotonic() + config.timeout_s), take_answer))

    def take_answer(ticket: Ticket) -> None:
        nonlocal answered, ended
        answered += 1
        if not is_over.is_set():
            loop.loop.call_soon(ask)  # in another turn, as what a socket brings
            return
        ended += 1
        if ended == connections:
            is_quiet.set()

    began = time.process_time()
    for _ in range(connections):
        loop.post(ask)
    time.sleep(SECONDS)
    is_over.set()
    is_quiet.wait()
    used_s = time.process_time() - began
    queued.stop()
    loop.close()
    return answered / used_s


if __name__ == "__main__":
    main()
