"""No payload is ever logged, whatever becomes of it; and a request's id finds its lines in every process."""

import json

import httpx
import pytest
from serving import Server, starting

#: It stands in every payload that is sent here.
MARK = "Xq7LeakedPayloadXq7"
CONFIG = """
server: {max_body_bytes: 4000, max_request_rows: 5}
logging: {level: debug}
models:
  - class: models.EchoModel
  - class: redaction_models.Noted
  - class: redaction_models.NotedFussy
  - class: redaction_models.NotedRaising
  - class: redaction_models.NotedWrongOutput
  - {class: redaction_models.NotedUnruly, backend: process, timeout_s: 5}
  - {class: redaction_models.NotedNotJson, backend: process}
  - {class: redaction_models.NotedThinking, backend: process}
"""
JSON = "application/json"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with starting(tmp_path_factory.mktemp("redaction")) as start_server:
        yield start_server(CONFIG)


def post(server: Server, model: str, content: str | bytes, kind: str = JSON, **headers: str) -> httpx.Response:
    raw = content.encode() if isinstance(content, str) else content
    return httpx.post(
        f"{server.url}/api/models/{model}/predict", content=raw, headers={"Content-Type": kind, **headers}, timeout=60
    )


def marked(x: object) -> str:
    return json.dumps({"x": x, "note": MARK})


@pytest.mark.parametrize(
    ("model", "content", "kind", "status"),
    [
        pytest.param("noted_model", marked(1), JSON, 200, id="answered"),
        pytest.param("echo_model", json.dumps({"text": MARK}), JSON, 200, id="answered with the payload"),
        pytest.param("noted_model", marked(MARK), JSON, 422, id="broken rule of the schema"),
        pytest.param("noted_model", f"[{marked(1)}, {marked(None)}]", JSON, 422, id="broken rule in a row"),
        pytest.param("fussy_model", marked(3), JSON, 422, id="broken rule of the model"),
        pytest.param("noted_model", marked(1)[:-1], JSON, 400, id="half a document"),
        pytest.param("noted_model", f'{{"x": 1, "x": "{MARK}"}}', JSON, 400, id="the same key twice"),
        pytest.param("noted_model", MARK.encode("utf-16"), JSON, 400, id="no text"),
        pytest.param("noted_model", json.dumps({"x": 1, "note": MARK * 400}), JSON, 413, id="too large"),
        pytest.param("noted_model", f"[{', '.join([marked(1)] * 6)}]", JSON, 413, id="too many rows"),
        pytest.param("noted_model", marked(1), "text/x-unknown", 415, id="unknown media type"),
        pytest.param("noted_model", f"x\n{MARK}\n", "text/csv", 200, id="a wrong cell of CSV"),
        pytest.param("noted_model", f"x,{MARK}\n1\n", "text/csv", 200, id="a wrong column of CSV"),
        pytest.param("no_such_model", marked(1), JSON, 404, id="no such model"),
        pytest.param("raising_model", marked(-1), JSON, 500, id="the model raises"),
        pytest.param("wrong_output_model", marked(-1), JSON, 500, id="a wrong output"),
        pytest.param("wrong_output_model", marked(101), JSON, 500, id="an output that is no JSON"),
        pytest.param("not_json_model", marked(1), JSON, 500, id="an output that no frame carries"),
        pytest.param("unruly_model", marked(-6), JSON, 500, id="the model raises in its process"),
        pytest.param("unruly_model", marked(-1), JSON, 500, id="the process ends"),
        pytest.param("unruly_model", marked(-1), JSON, 500, id="what ended a process comes again"),
        pytest.param("unruly_model", marked(-3), JSON, 504, id="the process hangs"),
    ],
)
def test_a_payload_is_in_no_log(server, model, content, kind, status):
    request_id = f"redaction-{model}-{abs(hash((content, kind)))}"
    answer = post(server, model, content, kind, **{"X-Request-ID": request_id})
    assert answer.status_code == status, answer.text
    log = server.wait_for_log(request_id)
    assert MARK not in log
    assert MARK.encode("utf-16-le").decode("latin-1") not in log


def test_what_a_model_logs_in_its_process_has_the_id_of_the_request(server):
    assert post(server, "thinking_model", marked(1), **{"X-Request-ID": "from-door-to-process"}).status_code == 200
    log = server.wait_for_log("a thought request_id=from-door-to-process")
    line = next(line for line in log.splitlines() if "a thought request_id=from-door" in line)
    assert json.loads(line)["model"] == "thinking_model"


def test_a_fault_in_a_process_is_logged_with_the_id_of_the_request(server):
    assert post(server, "not_json_model", marked(1), **{"X-Request-ID": "and-back"}).status_code == 500
    log = server.wait_for_log('"request_id": "and-back"')
    line = next(line for line in log.splitlines() if '"request_id": "and-back"' in line)
    assert json.loads(line)["message"].startswith("prediction failed")
