"""What tracing costs one plain request: microseconds of the processor, in the loop and in the exporter's thread.

python -m benchmarks.tracing [slices]

64 connections of the real protocol ask the iris model, over a transport that goes nowhere, in this process. Tracing is
off; on, with a request that is not sampled, by the share or by its caller; on and sampled. The ways take turns, slice
by slice, and of each the best slice counts. What the exporter's thread does with a sampled request is measured alone.
"""

import argparse
import asyncio
import os
import time
from typing import Any

import uvicorn
import uvloop
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind
from uvicorn.server import ServerState

from model_service.backends.loop import ServiceLoop
from model_service.config import ModelConfig, ServiceConfig
from model_service.config_tracing import TracingConfig
from model_service.metrics.meters import Meters
from model_service.request_log import RequestLog
from model_service.service import Service
from model_service.tracing.context import Trace
from model_service.tracing.export import make_spans
from model_service.tracing.requests import MODEL, VERSION
from model_service.tracing.tracer import Tracer
from model_service.transports.http.front import Front
from model_service.transports.http.protocol import bind_front
from model_service.worker import tune_interpreter

_CONNECTIONS, _TURNS = 64, 20
_BODY = b'{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}'
_HEAD = (
    "POST /api/models/iris_model/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(_BODY)}\r\n"
)
_PARENT = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-"
_MOST_KEPT = 500


class _Keeper(Tracer):
    """Keeps some of what ends, as the exporter's queue would, and sends nothing."""

    def __init__(self, ratio: float) -> None:
        super().__init__(TracingConfig(enabled=True, sample_ratio=ratio))
        self.kept: list[Trace] = []

    def take(self, trace: Trace) -> None:
        if len(self.kept) < _MOST_KEPT:
            self.kept.append(trace)


class _Nowhere(asyncio.Transport):
    """Counts the answers of all connections."""

    answers = 0

    def write(self, data: Any) -> None:
        _Nowhere.answers += 1

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass


def connect(front: Front) -> list[Any]:
    """Return protocols of connections."""
    bound: Any = bind_front(front)
    named: dict[str, Any] = {"interface": "asgi3", "lifespan": "off", "log_config": None, "access_log": False}
    config = uvicorn.Config(_answer_nothing, http=bound, **named)
    config.load()
    state = ServerState()
    made = [bound(config=config, server_state=state, app_state={}) for _ in range(_CONNECTIONS)]
    for protocol in made:
        protocol.connection_made(_Nowhere())
    return made


async def _answer_nothing(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("every request is plain")


async def run_slice(protocols: list[Any], raw: bytes) -> float:
    """Return the microseconds that one request took of the loop's thread."""
    began, expected = time.thread_time(), _Nowhere.answers
    for _ in range(_TURNS):
        expected += len(protocols)
        for protocol in protocols:
            protocol.data_received(raw)
        while _Nowhere.answers < expected:
            await asyncio.sleep(0)
    return (time.thread_time() - began) * 1e6 / _TURNS / len(protocols)


async def measure(service: Service, loop: ServiceLoop, log: RequestLog, slices: int) -> None:
    """Print what each way costs."""
    loop.adopt(asyncio.get_running_loop())
    await asyncio.to_thread(service.start)
    tune_interpreter()
    sampled = _Keeper(1.0)
    ways = {
        "off": (None, ""),
        "on, not sampled by the share": (_Keeper(0.0), ""),
        "on, sampled by the share": (sampled, ""),
        "off, the caller sends a traceparent": (None, f"{_PARENT}00\r\n"),
        "on, not sampled by the caller": (_Keeper(0.0), f"{_PARENT}00\r\n"),
        "on, sampled by the caller": (_Keeper(0.0), f"{_PARENT}01\r\n"),
    }
    made = {}
    for name, (tracer, header) in ways.items():
        front = Front(
            loop, service.manager, service.predictions, log, service.config, meters=service.meters, tracer=tracer
        )
        made[name] = connect(front), f"{_HEAD}{header}\r\n".encode() + _BODY
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(slices):
        for name, (protocols, raw) in made.items():
            best[name] = min(best[name], await run_slice(protocols, raw))
    for name, took in best.items():
        print(f"{took:6.2f} us  {name}")
    print(f"{measure_export(sampled.kept):6.2f} us  a sampled request, in the exporter's thread")
    print(f"{measure_sdk():6.2f} us  its four spans alone, where the tracer of the SDK makes them in the loop")


def measure_export(traces: list[Trace]) -> float:
    """Return the microseconds that spans and bytes of one trace take."""
    resource, best = Resource.create({}), float("inf")
    for _ in range(20):
        began = time.thread_time()
        spans = [span for trace in traces for span in make_spans(trace, resource, 0.0)]
        encode_spans(spans).SerializePartialToString()
        best = min(best, (time.thread_time() - began) * 1e6 / len(traces))
    return best


def measure_sdk() -> float:
    """Return the microseconds that four spans with the same attributes take, without what exports them."""
    tracer, best = TracerProvider(sampler=ALWAYS_ON, resource=Resource.create({})).get_tracer("benchmark"), float("inf")
    names = {MODEL: "iris_model", VERSION: "1.0.0"}
    known = {**names, "http.request.method": "POST", "http.route": "/api", "http.response.status_code": 200}
    for _ in range(20):
        began = time.thread_time()
        for _ in range(_MOST_KEPT):
            with tracer.start_as_current_span("request", kind=SpanKind.SERVER, attributes=known):
                for stage in ("validate", "queue", "predict"):
                    tracer.start_span(stage, attributes=names).end()
        best = min(best, (time.thread_time() - began) * 1e6 / _MOST_KEPT)
    return best


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slices", type=int, nargs="?", default=100)
    slices = parser.parse_args().slices
    loop = ServiceLoop()
    service = Service(ServiceConfig(models=(ModelConfig(class_path="iris_model.IrisModel"),)), loop=loop)
    assert isinstance(service.meters, Meters)
    with open(os.devnull, "w") as output, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(service, loop, RequestLog(service.config.logging, output, meters=service.meters), slices))
    os._exit(0)


if __name__ == "__main__":
    main()
