"""How the project's own server grows: models, rows of a request, connections; and what it costs at rest as shipped."""

import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.serving import places
from benchmarks.serving.answers import find_difference
from benchmarks.serving.figures import find_best_tenth
from benchmarks.serving.launching import Launch, Running, ServerFailed, ask, connect, encode, find_free_ports, launch
from benchmarks.serving.load import send_in_turn, send_with_wrk, time_slice
from benchmarks.serving.processes import SERVER_CORE
from benchmarks.serving.workloads import WORKLOADS, draw_reference

Point = dict[str, Any]
_SLICES = 3
_BODIES = 100
_LARGEST_BODY_BYTES = 2**30
_PAYLOAD = {"length": 1.0, "width": 2.0, "height": 3.0, "weight": 4.0}
#: What the server imports before it can answer for the shipped models; a library that is not installed is left out.
_LIBRARIES = ("apispec", "click", "flask", "flask_compress", "jsonschema", "jsonschema_rs", "markdown_it")
_MORE_LIBRARIES = ("marshmallow", "numpy", "onnxruntime", "orjson", "uvicorn", "uvloop", "yaml")
_TOY = """
from model_service import MLModel

class ToyModel(MLModel):
    qualified_name, display_name, version = "{name}", "Toy {name}", "1.0.0"
    description = "Adds four numbers."
    input_schema = {{
        "type": "object",
        "properties": {{name: {{"type": "number", "minimum": 0}} for name in {fields}}},
        "required": {fields},
        "additionalProperties": False,
        "examples": [{example}],
    }}
    output_schema = {{"type": "object", "properties": {{"sum": {{"type": "number"}}}}, "required": ["sum"]}}

    def predict(self, payload):
        return {{"sum": sum(payload.values())}}
"""


@dataclass(frozen=True, slots=True)
class Steps:
    """How far the growth goes."""

    models: tuple[int, ...] = (1, 10, 50, 200)
    rows: tuple[int, ...] = (1, 10, 100, 1_000, 10_000, 100_000)
    connections: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
    seconds: int = 2
    starts: int = 3


QUICK = Steps(models=(1, 10, 50), rows=(1, 100, 1_000, 10_000), connections=(1, 16, 64, 256), seconds=1, starts=1)


def measure_growth(steps: Steps, save: Callable[[str, Any], None]) -> None:
    """Measure every part; one that fails is recorded as its problem, and the others go on."""
    parts: dict[str, Callable[[], Any]] = {
        "shipped": lambda: measure_shipped(steps),
        "models": lambda: [measure_models(count, steps) for count in steps.models],
        "rows": lambda: measure_rows(steps),
        "connections": lambda: measure_connections(steps),
    }
    for name, measure in parts.items():
        try:
            found = measure()
        except ServerFailed as error:
            found = {"problem": str(error)}
        print(f"growth: {name}: {json.dumps(found)[:160]}", flush=True)
        save(name, found)


def measure_models(count: int, steps: Steps) -> Point:
    """Return start, memory and the time of one model when so many are served."""
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        for number in range(count):
            (folder / f"toy_{number}.py").write_text(
                _TOY.format(name=f"toy_{number}", fields=list(_PAYLOAD), example=_PAYLOAD)
            )
        classes = [f"toy_{number}.ToyModel" for number in range(count)]
        path = "/api/models/toy_0/predict"
        starts = [_start_ours(folder, classes, path, _PAYLOAD) for _ in range(steps.starts)]
        start_s, slices, memory_mb = [], [], []
        for number, start in enumerate(starts):
            with start as running:
                start_s.append(running.start_s)
                memory_mb.append(running.read_memory_mb())
                if number == 0:
                    bodies = _write_bodies(folder, [_PAYLOAD])
                    slices = _time_slices(running, path, bodies, connections=1, seconds=steps.seconds)
        return {
            "models": count,
            "start_s": statistics.median(start_s),
            "memory_mb": statistics.median(memory_mb),
            **_sum_up(slices),
        }


def measure_rows(steps: Steps) -> list[Point]:
    """Return time and rows per CPU second for requests of more and more rows of the iris model, answers checked."""
    workload = WORKLOADS["iris"]
    reference = draw_reference(workload, max(steps.rows))
    raised = {
        "SERVER__MAX_REQUEST_ROWS": str(max(steps.rows)),
        "SERVER__MAX_BODY_BYTES": str(_LARGEST_BODY_BYTES),
        "MODELS__0__MAX_QUEUE_ROWS": str(max(steps.rows)),
    }
    points: list[Point] = []
    path = workload.predict_path
    with (
        TemporaryDirectory(prefix="bench-") as name,
        _start_ours(Path(name), [workload.class_path], path, reference.payloads[0], raised=raised) as running,
    ):
        for rows in steps.rows:
            body = encode(reference.payloads[:rows])
            try:
                with connect(running.port) as connection:
                    fault = find_difference(reference.outputs[:rows], ask(connection, path, body))
            except (OSError, http.client.HTTPException, ServerFailed) as error:
                points.append({"rows": rows, "errors": 1, "problem": str(error)[:200]})
                break
            if fault:
                raise ServerFailed(f"wrong answer to {rows} rows: {fault}")
            timed = time_slice(running, partial(send_in_turn, running.port, path, [body], seconds=steps.seconds))
            points.append({"rows": rows, "body_bytes": len(body), "rows_per_cpu_s": rows * timed["per_cpu_s"], **timed})
    return points


def measure_connections(steps: Steps) -> list[Point]:
    """Return what single rows of the iris model take under more and more connections."""
    workload = WORKLOADS["iris"]
    payloads = draw_reference(workload, _BODIES).payloads
    points: list[Point] = []
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        bodies = _write_bodies(folder, payloads)
        with _start_ours(folder, [workload.class_path], workload.predict_path, payloads[0]) as running:
            for connections in steps.connections:
                slices = _time_slices(
                    running, workload.predict_path, bodies, connections=connections, seconds=steps.seconds
                )
                points.append({"connections": connections, **_sum_up(slices)})
    return points


def measure_shipped(steps: Steps) -> Point:
    """Return start and memory of ``config.yaml`` as it ships, and how long the same libraries take to import alone."""
    workload = WORKLOADS["iris"]
    payload = draw_reference(workload, 1).payloads[0]
    start_s, memory_mb, import_s = [], [], []
    for _ in range(steps.starts):
        import_s.append(_time_imports())
        with (
            TemporaryDirectory(prefix="bench-") as name,
            _start(Path(name), places.ROOT / "config.yaml", workload.predict_path, payload) as running,
        ):
            start_s.append(running.start_s)
            _wait_for_every_model(running)
            memory_mb.append(running.read_memory_mb())
    return {
        "start_s": statistics.median(start_s),
        "import_s": statistics.median(import_s),
        "memory_mb": statistics.median(memory_mb),
    }


@contextlib.contextmanager
def _start_ours(
    folder: Path,
    classes: list[str],
    path: str,
    payload: dict[str, Any],
    *,
    raised: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    configuration = {"models": [{"class": name} for name in classes], "logging": {"level": "warning"}}
    (folder / "config.yaml").write_text(json.dumps(configuration))
    variables = {f"MODEL_SERVICE__{key}": value for key, value in (raised or {}).items()}
    with _start(folder, folder / "config.yaml", path, payload, variables) as running:
        yield running


@contextlib.contextmanager
def _start(
    folder: Path, config: Path, path: str, payload: dict[str, Any], variables: Mapping[str, str] | None = None
) -> Iterator[Running]:
    (port,) = find_free_ports(1)
    command = (sys.executable, "-m", "model_service", "--config", str(config), "serve", "--port", str(port))
    what = Launch(
        command=command,
        folder=folder,
        log=places.LOGS / "growth.log",
        port=port,
        path=path,
        body=encode(payload),
        variables={"PYTHONPATH": os.pathsep.join([str(folder), str(places.PACKAGES)]), **(variables or {})},
    )
    with launch(what) as running:
        yield running


def _write_bodies(folder: Path, payloads: list[dict[str, Any]]) -> Path:
    path = folder / "bodies.txt"
    path.write_bytes(b"\n".join(map(encode, payloads)) + b"\n")
    return path


def _time_slices(running: Running, path: str, bodies: Path, *, connections: int, seconds: int) -> list[Point]:
    send_with_wrk(running.port, path, bodies, connections=connections, seconds=1)
    return [
        time_slice(
            running,
            lambda: send_with_wrk(running.port, path, bodies, connections=connections, seconds=seconds),
        )
        for _ in range(_SLICES)
    ]


def _sum_up(slices: list[Point]) -> Point:
    return {
        "p50_ms": find_best_tenth([each["p50_ms"] for each in slices], is_low_best=True),
        "p99_ms": statistics.median(each["p99_ms"] for each in slices),
        "per_cpu_s": find_best_tenth([each["per_cpu_s"] for each in slices]),
        "errors": sum(each["errors"] for each in slices),
        "requests": sum(each["requests"] for each in slices),
        "load_memory_mb": max(each["memory_mb"] for each in slices),
        "slices": slices,
    }


def _wait_for_every_model(running: Running) -> None:
    """Wait for the models in processes of their own too: their memory is part of the whole."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with connect(running.port) as connection:
            connection.request("GET", "/api/models")
            answer = connection.getresponse().read()
        if b'"loading"' not in answer:
            return
        time.sleep(0.1)
    raise ServerFailed("a shipped model is not ready after a minute")


def _time_imports() -> float:
    names = [name for name in (*_LIBRARIES, *_MORE_LIBRARIES) if find_spec(name)]
    command = ["taskset", "-c", str(SERVER_CORE), sys.executable, "-c", f"import {', '.join(names)}"]
    started = time.monotonic()
    subprocess.run(command, check=True)  # noqa: S603 - our own words
    return time.monotonic() - started
