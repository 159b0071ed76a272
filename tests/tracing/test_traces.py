"""Traces of a real service, as a collector on loopback receives them: relations, attributes, what they never cost."""

import json
import os
import subprocess
import sys
import uuid

import httpx
import pytest
from collecting import Collector, Found
from grpc_client import GrpcClient, make_infer
from serving import TESTS, GunicornServer, Server, find_free_port, starting

from model_service.config_file import load_config
from model_service.errors import ConfigInvalid

PARENT_ID = "00f067aa0ba902b7"
#: A fiftieth of the default: tests wait for spans.
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "100"}
PREDICT = "/api/models/{qualified_name}/predict"
SECRET = "do-not-tell"
MODELS = (
    "models: [{class: models.DoubleModel}, {class: models.EchoModel, backend: process}, "
    "{class: models.RaisingModel}, {class: models.FussyModel, backend: process}]"
)
AWAY = "traces are dropped while their collector does not take them"
STAGES = {"validate", "queue", "predict"}


class Traced:
    """A service with a collector."""

    def __init__(self, server: Server, collector: Collector, grpc_port: int | None = None) -> None:
        self.server = server
        self.collector = collector
        self.grpc_port = grpc_port

    def post(self, path: str, trace_id: str, *, flags: str = "01", **named) -> httpx.Response:
        """Post as a child of a span."""
        headers = {"traceparent": f"00-{trace_id}-{PARENT_ID}-{flags}", **named.pop("headers", {})}
        return httpx.post(self.server.url + path, headers=headers, timeout=30, **named)


def configure(collector: Collector, models: str, *, server: str = "", tracing: str = "") -> str:
    return f"server: {{{server}}}\ntracing: {{enabled: true, endpoint: '{collector.url}', {tracing}}}\n{models}"


@pytest.fixture(scope="module")
def collector():
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture(scope="module")
def traced(tmp_path_factory, collector):
    port = find_free_port()
    config = configure(collector, MODELS, server=f"grpc_port: {port}", tracing="service_name: toys")
    server = Server(config, tmp_path_factory.mktemp("traced"), environment=QUICK).wait_until_ready()
    yield Traced(server, collector, port)
    assert server.stop() == 0


@pytest.fixture
def trace_id():
    return uuid.uuid4().hex


def check_tree(spans: dict[str, Found], root: Found, *, parent_id: str = PARENT_ID) -> None:
    """Make sure that the stages are children of the root, in order and within its time."""
    assert root.parent_id == parent_id
    assert {spans[name].parent_id for name in STAGES & set(spans)} == {root.span_id}
    times = [time for name in ("validate", "queue", "predict") for time in (spans[name].began, spans[name].ended)]
    assert [root.began, *times, root.ended] == sorted([root.began, *times, root.ended])
    assert len({span.span_id for span in spans.values()}) == len(spans)


DOORS = [
    (PREDICT, "/api/models/double_model/predict", {"json": {"x": 2}}),
    (PREDICT, "/api/models/double_model/predict", {"json": {"x": 2}, "headers": {"Prefer": "wait=5"}}),
    (PREDICT, "/api/models/double_model/predict", {"content": "x\n2\n", "headers": {"Content-Type": "text/csv"}}),
    ("/v1/models/{qualified_name}:predict", "/v1/models/double_model:predict", {"json": {"instances": [{"x": 2}]}}),
    (
        "/v2/models/{qualified_name}/infer",
        "/v2/models/double_model/infer",
        {"json": {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [2.0]}]}},
    ),
    ("/invocations", "/invocations", {"json": {"x": 2}, "headers": {"X-Amzn-SageMaker-Target-Model": "double_model"}}),
]


@pytest.mark.parametrize(("route", "path", "request_of"), DOORS, ids=["hot", "flask", "csv", "v1", "v2", "invocations"])
def test_a_trace_goes_on_over_http(traced, trace_id, route, path, request_of):
    headers = {"tracestate": "vendor=1", "X-Request-ID": f"r-{trace_id}", **request_of.get("headers", {})}
    answer = traced.post(path, trace_id, **{**request_of, "headers": headers})
    assert answer.status_code == 200, answer.text
    spans = traced.collector.find(trace_id, 4)
    root = spans[f"POST {route}"]
    check_tree(spans, root)
    assert root.is_server
    assert not root.has_failed
    assert root.attributes == {
        "http.request.method": "POST",
        "http.route": route,
        "http.response.status_code": 200,
        "model_service.model.name": "double_model",
        "model_service.model.version": "1.0.0",
        "model_service.rows": 1,
        "model_service.request_id": f"r-{trace_id}",
    }
    assert {span.state for span in spans.values()} == {"vendor=1"}
    assert {span.resource["service.name"] for span in spans.values()} == {"toys"}
    assert spans["predict"].attributes == {
        "model_service.model.name": "double_model",
        "model_service.model.version": "1.0.0",
    }
    traced.server.wait_for_log(f'"request_id":"r-{trace_id}","trace_id":"{trace_id}"')


def test_a_trace_goes_on_over_grpc(traced, trace_id):
    client = GrpcClient(traced.grpc_port)
    tensor = {"name": "x", "datatype": "FP64", "shape": [3], "data": [1.0, 2.0, 3.0]}
    metadata = (("traceparent", f"00-{trace_id}-{PARENT_ID}-01"),)
    client.call("ModelInfer", make_infer("double_model", [tensor], is_raw=False), metadata=metadata)
    client.close()
    spans = traced.collector.find(trace_id, 4)
    root = spans["inference.GRPCInferenceService/ModelInfer"]
    check_tree(spans, root)
    assert root.is_server
    assert root.attributes.pop("model_service.request_id")
    assert root.attributes == {
        "rpc.system": "grpc",
        "rpc.service": "inference.GRPCInferenceService",
        "rpc.method": "ModelInfer",
        "rpc.grpc.status_code": 0,
        "model_service.model.name": "double_model",
        "model_service.model.version": "1.0.0",
        "model_service.rows": 3,
    }


def test_a_model_process_makes_a_span_of_its_own(traced, trace_id):
    rows = [{"text": SECRET}, {"text": "b"}]
    assert traced.post("/api/models/echo_model/predict", trace_id, json=rows).status_code == 200
    spans = traced.collector.find(trace_id, 5)
    check_tree(spans, spans[f"POST {PREDICT}"])
    run = spans["run"]
    assert run.parent_id == spans["predict"].span_id
    assert run.attributes == {
        "model_service.model.name": "echo_model",
        "model_service.model.version": "1.0.0",
        "model_service.rows": 2,
    }
    assert run.resource["process.pid"] != spans["predict"].resource["process.pid"]
    assert run.resource["service.name"] == "toys"


def test_a_request_without_a_trace_begins_one(traced):
    request_id = uuid.uuid4().hex
    url = f"{traced.server.url}/api/models/double_model/predict"
    assert httpx.post(url, json={"x": 1}, headers={"X-Request-ID": request_id}).status_code == 200
    log = traced.server.wait_for_log(f'"request_id":"{request_id}"')
    (line,) = [json.loads(line) for line in log.splitlines() if request_id in line]
    spans = traced.collector.find(line["trace_id"], 4)
    check_tree(spans, spans[f"POST {PREDICT}"], parent_id="")


def test_what_a_caller_does_not_sample_is_not_sent_but_can_be_found_in_the_log(traced, trace_id):
    paths = ("/api/models/double_model/predict", "/api/models/echo_model/predict", "/v1/models/double_model:predict")
    unsampled = [uuid.uuid4().hex for _ in paths]
    for path, each in zip(paths, unsampled, strict=True):
        traced.post(path, each, flags="00", json={"x": 1})
    traced.post(paths[1], trace_id, json={})
    traced.collector.list(trace_id, 5)  # which came after them, by the same ways
    assert not {span.trace_id for span in traced.collector.spans} & set(unsampled)
    for each in unsampled:
        traced.server.wait_for_log(f'"trace_id":"{each}"')


@pytest.mark.parametrize(
    ("path", "document", "status", "code", "has_failed", "count"),
    [
        ("/api/models/double_model/predict", {"x": SECRET}, 422, "payload_invalid", False, 2),
        ("/api/models/fussy_model/predict", {"x": 1}, 422, "payload_invalid", False, 5),
        ("/api/models/raising_model/predict", {"x": -1}, 500, "prediction_failed", True, 4),
        ("/api/models/no_model/predict", {}, 404, "model_not_found", False, 1),
    ],
)
def test_what_goes_wrong_is_said_by_its_code(traced, trace_id, path, document, status, code, has_failed, count):
    assert traced.post(path, trace_id, json=document).status_code == status
    spans = traced.collector.list(trace_id, count)
    (root,) = [span for span in spans if span.is_server]
    assert root.attributes["http.response.status_code"] == status
    assert root.attributes["error.type"] == code
    assert root.has_failed == has_failed
    assert {span.parent_id for span in spans if span.name in STAGES} <= {root.span_id}


def test_no_payload_is_sent(traced, trace_id):
    word = f"secret-{uuid.uuid4().hex}"
    traced.post("/api/models/echo_model/predict?" + word, trace_id, json={"text": word})
    traced.post("/api/models/echo_model/predict", trace_id, json={"text": word})
    traced.post("/api/models/double_model/predict", trace_id, json={"x": word, word: 1})
    traced.post(
        "/api/models/double_model/predict", trace_id, content=f"x\n{word}\n", headers={"Content-Type": "text/csv"}
    )
    traced.post("/api/models/raising_model/predict", trace_id, json={"x": -1}, headers={"X-Odd": word})
    last = uuid.uuid4().hex
    traced.post("/api/models/echo_model/predict", last, json={})
    traced.collector.list(last, 5)
    assert len({span.span_id for span in traced.collector.spans if span.trace_id == trace_id}) > 15
    assert not any(word.encode() in body for body in traced.collector.bodies)


def test_health_and_files_of_pages_are_not_traced(traced, trace_id):
    headers = {"traceparent": f"00-{trace_id}-{PARENT_ID}-01"}
    page = httpx.get(traced.server.url + "/", headers=headers).text
    static = next(part for part in page.split('"') if part.startswith("/static/"))
    for path in ("/health/live", "/health/ready", "/ping", "/metrics", static):
        assert httpx.get(traced.server.url + path, headers=headers).status_code in (200, 404)
    traced.post("/api/models/double_model/predict", trace_id, json={"x": 1})
    assert {span.name for span in traced.collector.list(trace_id, 5)} == {"GET /", f"POST {PREDICT}", *STAGES}


def test_jobs_are_traced_to_where_they_are_taken(traced, trace_id):
    traced.post("/api/models/double_model/jobs", trace_id, json=[{"x": 1}])
    (span,) = traced.collector.list(trace_id, 1)
    assert span.name == "POST /api/models/{qualified_name}/jobs"


def test_a_shadow_makes_a_span_below_the_request_that_it_copies(tmp_path, collector, trace_id):
    models = (
        "models: [{class: models.DoubleModel, default: true}, "
        "{class: models.DoubleModelTwo, backend: process, traffic: {shadow: 1.0}}]"
    )
    with starting(tmp_path) as start:
        traced = Traced(start(configure(collector, models), **QUICK), collector)
        traced.post("/api/models/double_model/predict", trace_id, json={"x": 1})
        spans = collector.list(trace_id, 9)
    by_id = {span.span_id: span for span in spans}
    (shadow,) = [span for span in spans if span.name == "shadow"]
    (run,) = [span for span in spans if span.name == "run"]
    assert by_id[shadow.parent_id].name == f"POST {PREDICT}"
    assert shadow.attributes["model_service.model.version"] == "1.10.0"
    assert {span.name for span in spans if span.parent_id == shadow.span_id} == STAGES
    assert by_id[run.parent_id].parent_id == shadow.span_id


def test_another_server_of_the_application_traces_as_well(tmp_path, collector, trace_id):
    server = GunicornServer(configure(collector, MODELS), tmp_path, environment=QUICK).wait_until_ready()
    try:
        assert Traced(server, collector).post("/api/models/echo_model/predict", trace_id, json={}).status_code == 200
        spans = collector.find(trace_id, 5)
        check_tree(spans, spans[f"POST {PREDICT}"])
        assert spans["run"].parent_id == spans["predict"].span_id
    finally:
        server.stop()


# --- what it costs when something is away -----------------------------------------------------------------------------


def ask_often(server: Server, path: str = "/api/models/double_model/predict") -> None:
    with httpx.Client() as client:
        for _ in range(200):
            assert client.post(server.url + path, json={"x": 1}).status_code == 200


def find_warnings(server: Server) -> list[dict]:
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    return [line for line in lines if line["level"] in ("warning", "error")]


def test_a_collector_that_hangs_holds_up_neither_requests_nor_the_end(tmp_path):
    collector = Collector()
    collector.may_answer.clear()
    models = "models: [{class: models.DoubleModel}, {class: models.FussyModel, backend: process}]"
    small = {"OTEL_BSP_MAX_QUEUE_SIZE": "50", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10"}
    server = Server(configure(collector, models), tmp_path, environment={**QUICK, **small}).wait_until_ready()
    try:
        ask_often(server)
        assert httpx.post(server.url + "/api/models/fussy_model/predict", json={"x": 2}).status_code == 200
        assert collector.has_come.wait(30)
        ask_often(server)
        assert server.stop() == 0
        # Nobody had to be killed.
        assert {line["message"].partition(":")[0] for line in find_warnings(server)} <= {AWAY}
    finally:
        server.kill()
        collector.close()


@pytest.mark.parametrize("status", [None, 403])
def test_a_collector_that_takes_nothing_is_told_once_and_so_is_its_return(tmp_path, status, trace_id):
    port = find_free_port()
    collector = Collector(port) if status is not None else None
    if collector is not None:
        collector.status = status
    config = f"tracing: {{enabled: true, endpoint: 'http://127.0.0.1:{port}'}}\nmodels: [{{class: models.DoubleModel}}]"
    server = Server(config, tmp_path, environment={**QUICK, "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}).wait_until_ready()
    try:
        ask_often(server)
        server.wait_for_log(AWAY)
        ask_often(server)
        collector = collector or Collector(port)
        collector.status = 200
        traced = Traced(server, collector)
        traced.post("/api/models/double_model/predict", trace_id, json={"x": 1})
        collector.list(trace_id, 4)
        server.wait_for_log("the collector takes traces again")
        assert len(find_warnings(server)) == 1
        assert server.stop() == 0
    finally:
        server.kill()
        if collector is not None:
            collector.close()


def test_the_last_traces_are_sent_when_the_service_ends(tmp_path, collector, trace_id):
    slow = {"OTEL_BSP_SCHEDULE_DELAY": "3600000"}
    server = Server(configure(collector, MODELS), tmp_path, environment=slow).wait_until_ready()
    Traced(server, collector).post("/api/models/echo_model/predict", trace_id, json={})
    assert server.stop() == 0
    assert {span.name for span in collector.list(trace_id, 5)} == {f"POST {PREDICT}", *STAGES, "run"}


def test_variables_of_opentelemetry_say_what_the_configuration_leaves_open(tmp_path, collector, trace_id):
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_SERVICE_NAME": "from-outside",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test",
    }
    models = "models: [{class: models.EchoModel, backend: process}]"
    with starting(tmp_path) as start:
        server = start(f"tracing: {{enabled: true}}\n{models}", **QUICK, **variables)
        Traced(server, collector).post("/api/models/echo_model/predict", trace_id, json={})
        spans = collector.find(trace_id, 5)
    assert {span.resource["service.name"] for span in spans.values()} == {"from-outside"}
    assert {span.resource["deployment.environment"] for span in spans.values()} == {"test"}


# --- when it is off, or cannot be on ----------------------------------------------------------------------------------

SERVE_ONCE = """
import sys
from model_service.wiring import create_app
client = create_app(sys.argv[1]).test_client()
headers = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
assert client.post("/api/models/double_model/predict", json={"x": 1}, headers=headers).status_code == 200
print(sorted(name for name in sys.modules if name.startswith("opentelemetry")))
"""


def run_python(*arguments: str, path: str = "") -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [path, str(TESTS), os.environ.get("PYTHONPATH")])),
    }
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=60)


def test_nothing_is_imported_when_it_is_off(tmp_path):
    (tmp_path / "config.yaml").write_text("models: [{class: models.DoubleModel}]")
    done = run_python("-c", SERVE_ONCE, str(tmp_path / "config.yaml"))
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr


@pytest.mark.parametrize("command", ["check-config", "serve"])
def test_a_library_that_is_missing_is_told_in_one_sentence(tmp_path, command):
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").touch()  # hides the real one, and has nothing
    config = tmp_path / "config.yaml"
    config.write_text("tracing: {enabled: true}\nmodels: [{class: models.DoubleModel}]")
    done = run_python("-m", "model_service", "--config", str(config), command, path=str(tmp_path))
    assert done.returncode == 3
    assert done.stderr == "Error: 'tracing.enabled' needs more libraries: pip install 'model-service[otel]'\n"


@pytest.mark.parametrize(
    "endpoint", ["collector:4318", "http://", "ftp://collector", "http://me:word@collector", "http://c?a=1"]
)
def test_an_endpoint_that_is_none_is_refused(tmp_path, endpoint):
    path = tmp_path / "config.yaml"
    path.write_text(f"tracing: {{endpoint: '{endpoint}'}}")
    with pytest.raises(ConfigInvalid, match="'tracing.endpoint' must be an address of http or https"):
        load_config(path)
