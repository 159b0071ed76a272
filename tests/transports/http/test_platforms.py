"""What hosting platforms and MLflow call, on the wire: `/ping`, `/invocations`, SageMaker's other routes."""

import gzip
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from flask.testing import FlaskClient
from serving import MAX_BODY_BYTES, MAX_ROWS, Server, starting

from model_service.config import InvocationsConfig, ModelConfig, ServerConfig, ServiceConfig
from model_service.service import Service
from model_service.transports.http.problems import MLFLOW_CODES, STATUS

TARGET = "x-amzn-sagemaker-target-model"
TABLE = "platform_models.TableModel"
ROW = {"a": 1, "b": 2.5, "note": "n"}
TOLD = {"total": 3.5, "told": "note=n", "is_large": False}


def invoke(client: httpx.Client, content: object, media_type: str = "application/json", **headers: str):
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    sent = {TARGET: "double_model", "content-type": media_type, **headers}
    return client.post("/invocations", content=raw, headers={name.replace("_", "-"): sent[name] for name in sent})


@pytest.fixture
def make_app(manager) -> Callable[..., FlaskClient]:
    """Return a function that serves models in this process, with settings of `/invocations`."""

    def make(*class_paths: str, server: dict | None = None, **invocations: object):
        models = tuple(ModelConfig(class_path=path) for path in class_paths)
        config = ServiceConfig(
            models=models, server=ServerConfig(**(server or {})), invocations=InvocationsConfig(**invocations)
        )
        return Service(config).start().app.test_client()

    return make


def post(app, content: object, media_type: str = "application/json", **headers: str):
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    sent = {"Content-Type": media_type, **headers} if media_type else headers
    return app.post("/invocations", data=raw, headers={name.replace("_", "-"): sent[name] for name in sent})


# --- JSON -------------------------------------------------------------------------------------------------------------


def test_an_object_is_answered_by_an_object_and_an_array_by_an_array(client):
    response = invoke(client, {"x": 1})
    assert (response.status_code, response.json()) == (200, {"y": 2.5})
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-model-version"] == "1.10.0"
    assert invoke(client, [{"x": 1}, {"x": 4}]).json() == [{"y": 2.5}, {"y": 8.5}]


@pytest.mark.parametrize(
    ("asked", "y"),
    [("double_model", 2.5), ("double_model.tar.gz", 2.5), ("double_model/1.0.0", 2), ("/double_model/1.0.0.tar.gz", 2)],
)
def test_the_header_names_the_model_and_its_version(client, asked, y):
    assert invoke(client, {"x": 1}, **{TARGET: asked}).json() == {"y": y}
    assert client.post("/models/double_model/invoke", json={"x": 1}).json() == {"y": 2.5}


def test_without_a_name_several_models_are_listed_and_the_header_is_named(client):
    response = client.post("/invocations", json={"x": 1})
    assert (response.status_code, response.json()["code"]) == (404, "model_not_found")
    assert "X-Amzn-SageMaker-Target-Model" in response.json()["detail"]
    assert "double_model, echo_model" in response.json()["detail"]


SAME_MISTAKES = [
    pytest.param(b"", id="empty"),
    pytest.param(b"{", id="half an object"),
    pytest.param(b"NaN", id="NaN"),
    pytest.param(b'{"x": NaN}', id="NaN in a payload"),
    pytest.param(b'{"x": 1, "x": 2}', id="a key twice"),
    pytest.param(b"[]", id="no rows"),
    pytest.param(b'"{\\"x\\": 1}"', id="encoded twice"),
    pytest.param(b"5", id="a number"),
    pytest.param(b'{"x": "1"}', id="a wrong type"),
    pytest.param(b'{"x": 1e999}', id="a number too large"),
    pytest.param(b'[{"x": 1}, {"z": 1}, 7]', id="bad rows"),
    pytest.param(b"[" * 100 + b"]" * 100, id="too deep"),
    pytest.param(b"\xff\xfe{}", id="no UTF-8"),
    pytest.param(b" " * (MAX_BODY_BYTES + 1), id="too many bytes"),
    pytest.param(json.dumps([{"x": 1}] * (MAX_ROWS + 1)).encode(), id="too many rows"),
    pytest.param(b'{"data": [{"x": 1}]}', id="an envelope that nobody takes"),
]


@pytest.mark.parametrize("content", SAME_MISTAKES)
def test_the_same_mistake_gets_the_same_answer_as_at_the_native_route(client, content):
    headers = {"content-type": "application/json", "x-request-id": "same"}
    native = client.post("/api/models/double_model/predict", content=content, headers=headers)
    response = invoke(client, content, **headers)
    assert response.status_code == native.status_code >= 400
    told = response.json()
    assert told.pop("error_code") == MLFLOW_CODES[native.status_code]
    assert told.pop("message") == native.json()["detail"]
    assert told == native.json()
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("model", "payload"),
    [("raising_model", {"x": -1}), ("wrong_output_model", {"x": -1}), ("unloadable_model", {"x": 1}), ("nope", {})],
)
def test_a_model_that_fails_or_is_not_there_is_told_as_at_the_native_route(client, model, payload):
    native = client.post(f"/api/models/{model}/predict", json=payload)
    response = invoke(client, payload, **{TARGET: model})
    assert (response.status_code, response.json()["code"]) == (native.status_code, native.json()["code"])
    assert response.headers.get("retry-after") == native.headers.get("retry-after")
    assert "secret" not in response.text


def test_every_status_of_an_error_has_a_name_for_mlflow():
    assert {*STATUS.values(), 406} - {*MLFLOW_CODES} == set()


def test_a_compressed_body_is_read_and_a_bomb_is_not(client):
    assert invoke(client, gzip.compress(b'{"x": 1}'), content_encoding="gzip").json() == {"y": 2.5}
    bomb = gzip.compress(b" " * 50_000_000)
    assert invoke(client, bomb, content_encoding="gzip").status_code == 413


# --- media types ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("media_type", ["", "application/json; charset=utf-8", "APPLICATION/JSON"])
def test_a_body_of_which_nothing_is_said_is_json(make_app, media_type):
    assert post(make_app("models.DoubleModel"), {"x": 1}, media_type).json == {"y": 2}


@pytest.mark.parametrize("media_type", ["image/png", "application/x-npy", "text/plain", "application/octet-stream"])
def test_another_type_is_415_and_says_what_is_read(client, media_type):
    response = invoke(client, b"x", media_type)
    assert response.status_code == 415
    assert "text/csv" in response.headers["accept"]


@pytest.mark.parametrize("accept", ["image/png", "application/x-npy", "application/json;q=0"])
def test_another_wish_is_406_but_what_is_wrong_with_the_payload_comes_first(client, accept):
    assert invoke(client, {"x": 1}, accept=accept).status_code == 406
    assert invoke(client, {"x": "1"}, accept=accept).status_code == 422


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html, */*; q=.2", "application/json"),
        ("application/json;odata=verbose", "application/json"),
        ("text/csv", "text/csv; charset=utf-8"),
        ("text/*", "text/csv; charset=utf-8"),
        ("application/jsonlines", "application/jsonlines"),
        ("application/x-ndjson, text/csv;q=0.5", "application/x-ndjson"),
        ("text/csv, application/json", "application/json"),
        ("text/csv, */*;q=0.1", "text/csv; charset=utf-8"),
    ],
)
def test_the_wish_decides_the_format_of_the_answer(client, accept, expected):
    response = invoke(client, [{"x": 1}, {"x": 4}], accept=accept)
    assert (response.status_code, response.headers["content-type"]) == (200, expected)


def test_the_configuration_decides_where_nothing_is_wished(make_app):
    app = make_app("models.DoubleModel", default_accept="text/csv")
    assert post(app, {"x": 1}).data == b"2\n"
    assert post(app, {"x": 1}, Accept="*/*").data == b"2\n"
    assert post(app, {"x": 1}, Accept="application/json").json == {"y": 2}


# --- CSV and JSON lines -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "media_type", "answer"),
    [
        (b"1\n4\n", "text/csv", b"2.5\n8.5\n"),
        (b"1\r\n4", "text/csv", b"2.5\n8.5\n"),
        (b"x\n1\n4\n", "text/csv", b"y\n2.5\n8.5\n"),
        (b"\xef\xbb\xbfid;x\n7;1\n8;4\n", "text/csv; charset=utf-8", b"y\n2.5\n8.5\n"),
        (b"x\n1\n4\n", "text/csv; header=present", b"y\n2.5\n8.5\n"),
        (b"1\n4\n", "text/csv; header=absent", b"2.5\n8.5\n"),
        (b'{"x": 1}\n{"x": 4}\n', "application/jsonlines", b"2.5\n8.5\n"),
        (b'[{"x": 1}, {"x": 4}]', "application/json", b"2.5\n8.5\n"),
    ],
)
def test_csv_has_one_line_per_row_and_names_only_for_who_sent_names(client, content, media_type, answer):
    response = invoke(client, content, media_type, accept="text/csv")
    assert (response.status_code, response.content) == (200, answer)


def test_rows_of_files_are_an_array_in_json_and_lines_in_json_lines(client):
    assert invoke(client, b"1\n4\n", "text/csv").json() == [{"y": 2.5}, {"y": 8.5}]
    lines = invoke(client, b'{"x": 1}\n{"x": 4}\n', "application/jsonlines", accept="application/jsonlines")
    assert lines.content == b'{"y":2.5}\n{"y":8.5}\n'


def test_cells_without_a_name_stand_in_the_schemas_order_and_are_typed_by_it(make_app):
    app = make_app(TABLE)
    answer = post(app, b'1,,"a, b",2026-01-31\n200,2,,2026-02-01 00:00:00\n', "text/csv", Accept="text/csv").data
    assert answer == b'1,"note=a, b,day=2026-01-31",false\n202,day=2026-02-01,true\n'
    tabs = post(app, b"1\t2\tn\t2026-01-31\n", "text/csv", Accept="text/csv").data
    assert tabs == b'3,"note=n,day=2026-01-31",false\n'


@pytest.mark.parametrize(
    ("content", "media_type", "status", "words"),
    [
        (b"", "text/csv", 400, "the file is empty"),
        (b"1,2\n", "text/csv", 400, "no header, and not as many cells"),
        (b"1\n4\n", "text/csv; header=present", 400, "no column is a field"),
        (b"x\n", "text/csv", 400, "no rows"),
        (b"x\n1\n2,3\n", "text/csv", 400, "row 2 has 2 cells"),
        (b"1\n5000\n", "text/csv", 422, "1 fault"),
        (b'1\n"2', "text/csv", 400, "never closed"),
        (b"1\n\0\n", "text/csv", 400, "NUL"),
        (b'{"x": 1}\n7\n', "application/jsonlines", 400, "row 2: expected a JSON object"),
        (b"1\n" * (MAX_ROWS + 1), "text/csv", 413, f"more than {MAX_ROWS} rows"),
        ((",".join(map(str, range(10_001))) + "\n").encode() * 2, "text/csv; header=present", 400, "10000 columns"),
        ((",".join(["x"] * 9_000) + "\n").encode() * 2, "text/csv", 400, "twice"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_and_nothing_is_predicted(client, content, media_type, status, words):
    response = invoke(client, content, media_type, accept="text/csv")
    assert (response.status_code, response.headers["content-type"]) == (status, "application/json")
    assert words in response.json()["message"]


def test_rows_fail_alone_where_that_is_configured_or_preferred(client, make_app):
    rows = b"1\n5000\n4\n"
    response = invoke(client, rows, "text/csv", accept="text/csv", prefer="handling=lenient")
    lines = response.text.splitlines()
    assert (lines[0], lines[2]) == ("2.5,,,", "8.5,,,")
    assert lines[1].startswith(",payload_invalid,x,expected a number of at most 1000")
    assert response.headers["x-failed-rows"] == "1"
    app = make_app("models.DoubleModel", lenient=True)
    told = post(app, b'{"x": 1}\n7\n{"x": "2"}\n', "application/jsonlines", Accept="application/jsonlines").text
    documents = [json.loads(line) for line in told.splitlines()]
    assert documents[0] == {"output": {"y": 2}}
    assert [each["error"]["code"] for each in documents[1:]] == ["payload_malformed", "payload_invalid"]
    assert post(app, {"x": "2"}).status_code == 422  # one payload is answered as ever
    head = post(app, b"x\n1\n", "text/csv", Accept="text/csv").text.splitlines()[0]
    assert head == "y,error.code,error.column,error.message"


# --- envelopes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        {"dataframe_split": {"index": [5, 6], "columns": ["a", "b", "note"], "data": [[1, 2.5, "n"], [1, 2.5, "n"]]}},
        {"dataframe_split": {"columns": ["a", "b", "note", "more"], "data": [[1, 2.5, "n", 0], [1, 2.5, "n", 0]]}},
        {"dataframe_records": [ROW, ROW]},
        {"instances": [ROW, ROW]},
        {"instances": [ROW, ROW], "parameters": None},
        {"inputs": [ROW, ROW], "params": {}},
        {"inputs": {"a": [1, 1], "b": [2.5, 2.5], "note": ["n", "n"]}},
    ],
)
def test_envelopes_are_answered_by_predictions(make_app, document):
    response = post(make_app(TABLE), document)
    assert (response.status_code, response.json) == (200, {"predictions": [TOLD, TOLD]})
    assert post(make_app(TABLE), document, Accept="text/csv").data == b"3.5,note=n,false\n" * 2


@pytest.mark.parametrize("name", ["dataframe_records", "instances", "inputs"])
def test_a_wrong_field_in_an_envelope_is_told_with_its_row_and_not_as_a_wrong_form(make_app, name):
    response = post(make_app(TABLE), {name: [ROW, {**ROW, "a": "long"}]})
    assert (response.status_code, response.json["errors"][0]["pointer"]) == (422, "/1/a"), response.json
    assert "other servers" not in response.json["detail"]


def test_one_row_of_an_envelope_is_still_a_list(make_app):
    app = make_app(TABLE)
    assert post(app, {"instances": [ROW]}).json == {"predictions": [TOLD]}
    assert post(app, {"inputs": ROW}).json == {"predictions": [TOLD]}


def test_rows_without_names_stand_in_the_schemas_order(make_app):
    rows = [[1, 2.5, "n", "2026-01-31"]]
    for name in ("instances", "inputs"):
        (told,) = post(make_app(TABLE), {name: rows}).json["predictions"]
        assert told["told"] == "note=n,day=2026-01-31"
    assert post(make_app("models.DoubleModel"), {"instances": [1, 4]}).json == {"predictions": [{"y": 2}, {"y": 8}]}


def test_what_is_missing_in_a_frame_is_null_or_left_out_as_the_schema_allows(make_app):
    raw = b'{"dataframe_split": {"columns": ["a", "b", "note", "day"], "data": [[1, NaN, NaN, null]]}}'
    assert post(make_app(TABLE), raw).json == {"predictions": [{"total": 1, "told": "", "is_large": False}]}
    infinite = raw.replace(b"[1, NaN", b"[1, Infinity")
    assert post(make_app(TABLE), infinite).status_code == 400
    missing = raw.replace(b"[1,", b"[NaN,")
    refused = post(make_app(TABLE), missing)
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/0/a")
    assert post(make_app(TABLE), b'{"a": NaN}').status_code == 400  # no envelope


@pytest.mark.parametrize(
    ("document", "status", "words"),
    [
        ({"instances": []}, 400, "no rows"),
        ({"instances": {}}, 400, "must be an array of rows"),
        ({"instances": 5}, 400, "must be an array of rows"),
        ({"instances": [[1, 2]]}, 400, "row 1 of 'instances' (pointer /instances/0) has 2 values, not 4"),
        ({"instances": [[1, 2, "n", "d"], 5]}, 400, "row 2 of 'instances' (pointer /instances/1) has no array"),
        ({"instances": [5]}, 400, "a, b, note, day"),
        ({"instances": [{"a": 1}, 5]}, 422, "1 fault"),
        ({"instances": [{"a": 1, "z": 1}]}, 422, "1 fault"),
        ({"instances": [{"a": 1}], "inputs": []}, 400, "'inputs' stands beside 'instances'"),
        ({"instances": [{"a": 1}], "signature_name": "x"}, 400, "'signature_name' stands beside"),
        ({"instances": [{"a": 1}], "parameters": {"top": 1}}, 400, "take no parameters"),
        ({"inputs": "a"}, 400, "an array of rows, or an object of columns"),
        ({"inputs": {"a": [1], "b": [1, 2]}}, 400, "the same length"),
        ({"inputs": {"a": [1], "b": 2}}, 400, "the column 'b'"),
        ({"inputs": {}}, 422, "fault"),
        ({"inputs": {"a": []}}, 400, "no rows"),
        ({"dataframe_split": []}, 400, "an object with 'columns' and 'data'"),
        ({"dataframe_split": {"columns": ["a"]}}, 400, "an object with 'columns' and 'data'"),
        ({"dataframe_split": {"columns": [1], "data": [[1]]}}, 400, "must have names"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}, 400, "the column 'a' twice"),
        (
            {"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}},
            400,
            "(pointer /dataframe_split/data/0) has 2 values",
        ),
        ({"dataframe_split": {"columns": ["b"], "data": [[1]]}}, 422, "fault"),
        ({"dataframe_records": {"a": 1}}, 400, "must be an array of rows"),
        ({"dataframe_records": [5]}, 400, "row 1 (pointer /dataframe_records/0): expected a JSON object"),
        ({"instances": [{"a": 1}] * 51}, 413, "51 rows"),
        ({"dataframe_split": {"columns": [str(i) for i in range(10_001)], "data": [[0] * 10_001]}}, 400, "columns"),
    ],
)
def test_an_envelope_that_is_not_as_its_name_says_is_explained(make_app, document, status, words):
    response = post(make_app(TABLE, server={"max_request_rows": 50}), document)
    assert (response.status_code, words in response.json["message"]) == (status, True), response.json


@pytest.mark.timeout(60)
def test_names_with_any_number_of_dots_are_looked_up_in_no_time(make_app):
    """Each part of a dotted name may be a field: only as many are tried as names of fields have."""
    names = {"a." * 30_000 + str(i): [1] for i in range(20)}
    assert post(make_app(TABLE), {"inputs": names}).status_code == 422


def test_a_field_that_is_called_as_an_envelope_is_a_field(make_app):
    assert post(make_app("platform_models.InstancesModel"), {"instances": [1, 2]}).json == {"count": 2}


# --- ping -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("models", "settings", "status"),
    [
        (["models.DoubleModel"], {}, 200),
        (["models.DoubleModel", "models.UnloadableModel"], {}, 200),
        (["models.DoubleModel", "models.UnloadableModel"], {"default_model": "unloadable_model"}, 503),
        (["models.DoubleModel", "models.UnloadableModel"], {"default_model": "double_model"}, 200),
        (["models.UnloadableModel"], {}, 503),
        (["missing_package.Model"], {}, 503),
        (["models.DoubleModel"], {"default_model": "nope"}, 503),
        ([], {}, 503),
        ([], {"multi_model": True}, 200),
        (["models.UnloadableModel"], {"multi_model": True}, 200),
    ],
)
def test_ping_is_200_only_where_a_request_would_be_answered(make_app, models, settings, status):
    app = make_app(*models, **settings)
    response = app.get("/ping")
    assert response.status_code == status
    assert bool(response.data) == (status != 200)
    if len(models) == 1 and not settings.get("multi_model"):
        assert (post(app, {"x": 1}).status_code == 200) == (status == 200)


def test_ping_tells_of_a_model_that_loads_and_of_a_process_that_is_lost(temporary):
    config = "models: [{class: unruly_models.UnrulyModel, backend: process}]\n"
    server = Server(config, temporary)
    try:
        statuses = set()
        while 200 not in statuses:
            try:
                statuses.add(httpx.get(f"{server.url}/ping").status_code)
            except httpx.TransportError:
                assert server.process.poll() is None
        assert statuses <= {200, 503}
        assert httpx.post(f"{server.url}/invocations", json={"x": 1}).status_code == 200
    finally:
        server.stop()


# --- SageMaker and Vertex AI ------------------------------------------------------------------------------------------


def test_the_other_routes_of_a_container(client):
    parameters = client.get("/execution-parameters").json()
    assert parameters["BatchStrategy"] == "MULTI_RECORD"
    assert parameters["MaxConcurrentTransforms"] >= 1
    assert parameters["MaxPayloadInMB"] == 1
    assert client.get("/version").text.count(".") >= 1
    for response in (
        client.post("/models", json={"model_name": "m", "url": "/opt/ml/models/m/model"}),
        client.delete("/models/double_model"),
    ):
        assert (response.status_code, response.json()["error_code"]) == (501, "NOT_IMPLEMENTED")
        assert "loaded at the start" in response.json()["message"]
    assert client.get("/invocations").status_code == 405


@pytest.fixture
def start(temporary: Path) -> Iterator[Callable[..., Server]]:
    with starting(temporary) as start_server:
        yield start_server


def test_vertex_ai_says_where_it_calls(start):
    health, predict = "/v1/endpoints/1/deployedModels/2", "/v1/endpoints/1/deployedModels/2:predict"
    server = start("models: [{class: models.DoubleModel}]", AIP_HEALTH_ROUTE=health, AIP_PREDICT_ROUTE=predict)
    assert httpx.get(server.url + health, headers={"host": "10.0.0.1"}).status_code == 200
    response = httpx.post(server.url + predict, json={"instances": [{"x": 1}, {"x": 4}], "parameters": None})
    assert response.json() == {"predictions": [{"y": 2}, {"y": 8}]}
    assert httpx.post(server.url + predict, json={"instances": [{"x": "1"}]}).status_code == 422


@pytest.mark.parametrize(
    "path", ["/invocations", "/endpoints/sleeping-model/invocations", "/models/sleeping_model.tar.gz/invoke"]
)
def test_one_model_that_is_slow_leaves_threads_for_others(start, path):
    """The threads of `/invocations` and its kin are shared out by model, as those of the native route are."""
    server = start(
        "server: {threads: 4}\ninvocations: {default_model: sleeping_model}\n"
        "models: [{class: models.SleepingModel, timeout_s: 5}, {class: models.DoubleModel}]"
    )
    with httpx.Client(base_url=server.url, timeout=30) as client, ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(client.post, path, json={"x": 3}) for _ in range(4)]
        server.wait_for_log("fell asleep")
        assert client.post("/invocations", json={"x": 1}, headers={TARGET: "double_model"}).json() == {"y": 2}
        assert not all(each.done() for each in slow)
        assert {each.result().status_code for each in slow} <= {200, 424, 429, 504}
