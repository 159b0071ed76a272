"""What an attack does to a server in a process of its own, and the table of it at the end of a test run."""

import http.client
import json
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from serving import Server, list_children

#: Under this name the report of a test carries its row of the table.
ROW = "attack"
#: So much more memory may be in use after an attack: less than what any of them would leave if nothing were given back.
MAX_GROWTH_MB = 50
_SAMPLE_S = 0.05
_SETTLE_S = 15.0
_HEADINGS = ("attack", "answers", "s", "before", "peak", "after MB", "health max s")


@dataclass
class Attack:
    """What one attack did, from the beginning of a block to its end.

    Attributes:
        name: What was sent.
        answers: How often there was which status, or which end without one.
    """

    name: str
    answers: Counter = field(default_factory=Counter)
    seconds: float = 0.0
    before_mb: int = 0
    peak_mb: int = 0
    after_mb: int = 0
    health_max_s: float = 0.0


class Watch:
    """Looks at a worker's memory, and asks for its health, while an attack goes on.

    Args:
        server: It has one worker.
        name: What is sent.
        request: Of the test, whose report carries the row.
    """

    def __init__(self, server: Server, name: str, request: pytest.FixtureRequest) -> None:
        self.attack = Attack(name)
        self._properties = request.node.user_properties
        self._port = server.port
        (self._worker,) = list_children(server.process.pid)
        self._ended = threading.Event()
        self._faults: list[str] = []
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Attack:
        self.attack.before_mb = self.attack.peak_mb = self._measure_mb()
        self._started = time.monotonic()
        self._thread.start()
        return self.attack

    def __exit__(self, kind: object, *_: object) -> None:
        self.attack.seconds = time.monotonic() - self._started
        self._ended.set()
        self._thread.join()
        deadline = time.monotonic() + _SETTLE_S
        while self._measure_mb() > self.attack.before_mb + MAX_GROWTH_MB and time.monotonic() < deadline:
            time.sleep(_SAMPLE_S)
        self.attack.after_mb = self._measure_mb()
        self._properties.append((ROW, _describe(self.attack)))
        if kind is None:
            assert self._faults == []
            assert self.attack.after_mb - self.attack.before_mb <= MAX_GROWTH_MB

    def _measure_mb(self) -> int:
        pages = int(Path(f"/proc/{self._worker}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000

    def _look(self) -> None:
        while not self._ended.wait(_SAMPLE_S):
            self.attack.peak_mb = max(self.attack.peak_mb, self._measure_mb())
            asked = time.monotonic()
            try:
                status, _ = ask(self._port, "GET", "/health/live")
            except OSError as error:
                status = type(error).__name__
            if status != 200:
                self._faults.append(f"health was answered with {status}")
            self.attack.health_max_s = max(self.attack.health_max_s, time.monotonic() - asked)


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict]:
    """Return the status and the document of an answer on a new connection."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        fields = {"content-type": "application/json"} if body is not None else {}
        client.request(method, path, body, {**fields, **{k.replace("_", "-"): v for k, v in headers.items()}})
        answer = client.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        client.close()


def write_table(reporter: pytest.TerminalReporter) -> None:
    """Write a row per attack of this run, if there were any."""
    reports = [report for kind in ("passed", "failed") for report in reporter.stats.get(kind, [])]
    found = [value for report in reports for name, value in report.user_properties if name == ROW]
    if not found:
        return
    rows = [_HEADINGS, *found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    reporter.write_sep("=", "attacks, and what they did to a worker")
    for row in rows:
        reporter.write_line("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _describe(attack: Attack) -> list[str]:
    """Return the row of an attack: texts only, for it may have to go from one process of the tests to another."""
    answers = ", ".join(f"{count} x {answer}" for answer, count in sorted(attack.answers.items(), key=str))
    sizes = (attack.before_mb, attack.peak_mb, attack.after_mb)
    return [attack.name, answers, f"{attack.seconds:.1f}", *map(str, sizes), f"{attack.health_max_s:.2f}"]
