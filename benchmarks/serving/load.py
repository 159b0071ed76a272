"""Time one slice of load: wrk for many small requests, one connection of this process for few large ones."""

import http.client
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.serving.figures import find_quantile
from benchmarks.serving.launching import Running, ServerFailed, ask, connect
from benchmarks.serving.processes import (
    LOAD_CORE,
    SERVER_CORE,
    count_cpu_seconds,
    find_descendants,
    measure_core_ms,
    read_busy_seconds,
)

Slice = dict[str, Any]
_SCRIPT = Path(__file__).parent / "post.lua"
_MARK = "RESULT "
_REQUEST_TIMEOUT_S = 30


def time_slice(running: Running, send: Callable[[], Slice]) -> Slice:
    """Return what a load saw, with the server's CPU seconds and memory and the state of its core beside it."""
    core_before_ms = measure_core_ms()
    usage, busy, started = find_descendants(os.getpid()), read_busy_seconds(SERVER_CORE), time.monotonic()
    seen = send()
    wall_s = time.monotonic() - started
    busy = read_busy_seconds(SERVER_CORE) - busy
    cpu_s = count_cpu_seconds(usage, find_descendants(os.getpid()))
    return seen | {
        "cpu_s": cpu_s,
        # A server that hardly ran in the slice cannot be measured by the kernel's ticks of 10 ms.
        "per_cpu_s": seen["good"] / cpu_s if cpu_s > 0 else 0.0,
        "per_s": seen["good"] / seen["seconds"],
        "memory_mb": running.read_memory_mb(),
        "core_ms": max(core_before_ms, measure_core_ms()),
        "others_share": max(0.0, busy - cpu_s) / wall_s,
    }


def send_with_wrk(port: int, path: str, bodies: Path, *, connections: int, seconds: int) -> Slice:
    """Send the bodies of a file in turn, each connection its next when the last is answered.

    Raises:
        ServerFailed: wrk gave no result.
    """
    command = ["taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s"]
    command += ["--timeout", f"{_REQUEST_TIMEOUT_S}s", "-s", str(_SCRIPT), f"http://127.0.0.1:{port}", "--"]
    command += [path, str(bodies)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    lines = [line.removeprefix(_MARK) for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if not lines:
        raise ServerFailed(f"wrk: {(done.stderr or done.stdout).strip()[-200:]}")
    seen: Slice = json.loads(lines[-1])
    good = seen["requests"] - seen["refused"]
    return seen | {"good": good, "errors": seen["refused"] + seen["broken"]}


def send_in_turn(port: int, path: str, bodies: list[bytes], *, seconds: float, least: int = 2) -> Slice:
    """Send whole requests over one connection until the time is over, and at least a few."""
    latencies_ms: list[float] = []
    errors = 0
    started = time.monotonic()
    with connect(port) as connection:
        while len(latencies_ms) + errors < least or time.monotonic() - started < seconds:
            sent = time.perf_counter()
            try:
                ask(connection, path, bodies[len(latencies_ms) % len(bodies)])
            except (OSError, http.client.HTTPException, ServerFailed):
                errors += 1
                connection.close()
                if errors >= least:
                    break
            else:
                latencies_ms.append((time.perf_counter() - sent) * 1000)
    return {
        "requests": len(latencies_ms) + errors,
        "good": len(latencies_ms),
        "errors": errors,
        "seconds": time.monotonic() - started,
        "p50_ms": statistics.median(latencies_ms) if latencies_ms else None,
        "p99_ms": find_quantile(latencies_ms, 0.99) if latencies_ms else None,
    }
