"""A collector of OpenTelemetry's on loopback: an HTTP server that takes OTLP, for tests of traces."""

import gzip
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_PATIENCE_S = 30


@dataclass(frozen=True)
class Found:
    """A span as it was received; ids in hexadecimal."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    state: str
    is_server: bool
    has_failed: bool
    attributes: dict[str, Any]
    resource: dict[str, Any]
    began: int
    ended: int


class Collector:
    """Listens, and parses what is posted to ``/v1/traces``.

    Attributes:
        url: Its address, without a path.
        bodies: What was posted, uncompressed.
        spans: What was in there.
        status: What it answers.
        may_answer: It answers nobody while this is not set.
    """

    def __init__(self, port: int = 0) -> None:
        self.bodies: list[bytes] = []
        self.spans: list[Found] = []
        self.status = 200
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.has_come = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._make_handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def find(self, trace_id: str, count: int) -> dict[str, Found]:
        """Return the spans of a trace by name, once there are so many."""
        return {span.name: span for span in self.list(trace_id, count)}

    def list(self, trace_id: str, count: int) -> list[Found]:
        """Return the spans of a trace, once there are so many."""
        deadline = time.monotonic() + _PATIENCE_S
        while len(found := [span for span in self.spans if span.trace_id == trace_id]) < count:
            assert time.monotonic() < deadline, f"{count} spans are expected of {trace_id}; there are {found}"
            time.sleep(0.02)
        assert len(found) == count, [span.name for span in found]
        return found

    def close(self) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()

    def _take(self, raw: bytes) -> None:
        self.bodies.append(raw)
        for group in ExportTraceServiceRequest.FromString(raw).resource_spans:
            resource = _read(group.resource.attributes)
            self.spans += [_find(span, resource) for scope in group.scope_spans for span in scope.spans]

    def _make_handler(collector) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                collector.has_come.set()
                collector.may_answer.wait(_PATIENCE_S)
                if self.headers.get("Content-Encoding") == "gzip":
                    raw = gzip.decompress(raw)
                is_known = self.path == "/v1/traces" and self.headers["Content-Type"] == "application/x-protobuf"
                status = collector.status if is_known else 404
                if status == 200:
                    collector._take(raw)
                answer = ExportTraceServiceResponse().SerializeToString()
                with suppress(OSError):  # who has waited for too long has left
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _find(span: Any, resource: dict[str, Any]) -> Found:
    return Found(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.trace_state,
        span.kind == Span.SPAN_KIND_SERVER,
        span.status.code == 2,
        _read(span.attributes),
        resource,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
    )


def _read(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
