"""The REST contract on the wire: a real server, a client that others wrote."""

import gzip
import json
import socket
import zlib

import httpx
import pytest
from serving import MAX_BODY_BYTES, MAX_ROWS, GunicornServer

PREDICT = "/api/models/double_model/predict"
JSON = {"content-type": "application/json"}


def post(client: httpx.Client, content: bytes, path: str = PREDICT, **headers: str) -> httpx.Response:
    return client.post(path, content=content, headers={**JSON, **headers})


def assert_problem(response: httpx.Response, status: int, code: str) -> dict:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert list(problem) == ["type", "title", "status", "detail", "code", "request_id", "errors"]
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["type"] == f"urn:model-service:error:{code}"
    assert problem["request_id"] == response.headers["x-request-id"]
    assert "Traceback" not in response.text
    assert "<html" not in response.text.lower()
    return problem


# --- predict ----------------------------------------------------------------------------------------------------------


def test_an_object_is_answered_by_the_output_itself(client):
    response = post(client, b'{"x": 21}')
    assert response.status_code == 200
    assert response.json() == {"y": 42.5}  # version 1.10.0 is higher than 1.0.0
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-model-version"] == "1.10.0"


def test_an_array_is_answered_by_its_outputs_in_order(client):
    rows = [{"x": number} for number in range(MAX_ROWS)]
    response = client.post(PREDICT, json=rows)
    assert response.json() == [{"y": 2 * number + 0.5} for number in range(MAX_ROWS)]


def test_a_version_in_the_path_is_answered_by_that_version(client):
    response = post(client, b'{"x": 21}', "/api/models/double_model/versions/1.0.0/predict")
    assert response.json() == {"y": 42}
    assert response.headers["x-model-version"] == "1.0.0"


def test_integers_stay_exact_and_text_stays_text(client):
    payload = {"text": 'é "\\ \u2028 \U0001f600', "n": 12345678901234567890123, "f": 0.1, "e": [], "z": None, "t": True}
    response = client.post("/api/models/echo_model/predict", json=payload)
    assert json.loads(response.text) == payload
    assert "12345678901234567890123" in response.text


def test_a_body_with_a_charset_parameter_is_read(client):
    response = post(client, b'{"x": 1}', **{"content-type": "application/json; charset=UTF-8"})
    assert response.status_code == 200


# --- bad bodies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b" \n", "empty", id="blank"),
        pytest.param(b"x=1", "not valid JSON", id="not JSON"),
        pytest.param(b'{"x": 1} true', "not valid JSON", id="trailing garbage"),
        pytest.param(b'{"x": 1, "x": 2}', "'x' twice", id="duplicate keys"),
        pytest.param(b'{"x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "nested", id="nested 10,000 deep"),
        pytest.param(
            b'{"x": NaN}',
            "NaN is not a JSON number; send another number, or null (line 1, column 7)",
            id="NaN",
        ),
        pytest.param(
            b'{"x":\n -Infinity}',
            "-Infinity is not a JSON number; send another number, or null (line 2, column 2)",
            id="Infinity",
        ),
        pytest.param('{"text": "é"}'.encode("latin-1"), "UTF-8", id="not UTF-8"),
        pytest.param(b'{"x": ' + b"1" * 5000 + b"}", "digits", id="an integer of 5,000 digits"),
        pytest.param(b'{"x": "\\ud800"}', "surrogate", id="half a surrogate pair"),
        pytest.param(b"[]", "array is empty", id="an empty array"),
    ],
)
def test_a_malformed_body_is_400_and_says_what_is_wrong(client, body, detail):
    assert detail in assert_problem(post(client, body), 400, "payload_malformed")["detail"]


@pytest.mark.parametrize(
    ("body", "pointer", "rule"),
    [
        pytest.param(b"5", "", "type", id="a scalar body"),
        pytest.param(b"null", "", "type", id="a null body"),
        pytest.param(b'{"x": null}', "/x", "type", id="null where not allowed"),
        pytest.param(b'{"x": "1"}', "/x", "type", id="a number as string"),
        pytest.param(b'{"x": true}', "/x", "type", id="a boolean is no number"),
        pytest.param(b"{}", "/x", "required", id="a missing field"),
        pytest.param(b'{"x": 1, "xx": 1}', "/xx", "additionalProperties", id="an unknown field"),
        pytest.param(b'{"x": 1000.5}', "/x", "maximum", id="out of range"),
        pytest.param(b'{"x": 1e400}', "/x", "finite", id="1e400"),
        pytest.param(b'[{"x": 1}, {"x": 1}, {"x": 1}, {"x": "y"}]', "/3/x", "type", id="the row is named"),
        pytest.param(b"[[]]", "/0", "type", id="an array of arrays"),
    ],
)
def test_a_payload_that_breaks_the_schema_is_422_and_names_the_field(client, body, pointer, rule):
    problem = assert_problem(post(client, body), 422, "payload_invalid")
    assert [(error["pointer"], error["rule"]) for error in problem["errors"]] == [(pointer, rule)]
    assert problem["errors"][0]["message"]


def test_a_number_too_large_hides_no_other_fault_of_the_body(client):
    problem = assert_problem(post(client, b'[{"x": 1e999, "y": 2}, {"x": "1"}]'), 422, "payload_invalid")
    assert [(error["pointer"], error["rule"]) for error in problem["errors"]] == [
        *(("/0/x", "finite"), ("/0/y", "additionalProperties"), ("/1/x", "type")),
    ]


def test_a_rule_of_the_model_itself_is_422_like_one_of_the_schema(client):
    response = post(client, b'[{"x": 2}, {"x": 3}]', "/api/models/fussy_model/predict")
    problem = assert_problem(response, 422, "payload_invalid")
    assert problem["errors"] == [{"pointer": "/1/x", "rule": "even", "message": "expected an even number"}]


def test_values_of_the_payload_are_never_repeated(client, server):
    marker = "a-secret-value-of-the-caller"
    body = json.dumps({"x": marker, "z" * 100: marker, "y": [marker]}).encode()
    response = post(client, body)
    assert_problem(response, 422, "payload_invalid")
    assert marker not in response.text
    assert marker not in server.wait_for_log(response.headers["x-request-id"])


def test_more_rows_than_allowed_are_413(client):
    problem = assert_problem(post(client, b"[" + b'{"x":1},' * MAX_ROWS + b'{"x":1}]'), 413, "payload_too_large")
    assert str(MAX_ROWS) in problem["detail"]


def test_a_body_of_exactly_the_bound_is_read(client):
    body = b'{"x": 1}'
    assert post(client, body + b" " * (MAX_BODY_BYTES - len(body))).status_code == 200


def test_a_body_over_the_bound_is_413_before_it_is_sent(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(
            f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode()
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_of_unstated_length_is_413_while_it_is_read(server):
    """The server answers while the client is still sending, and takes no more than the bound and its buffers."""
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(
            f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        for _ in range(2 + MAX_BODY_BYTES // 0x10000):
            connection.sendall(chunk)
        # The body is not ended: the answer must not wait for its end.
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_truncated_body_is_no_prediction_even_where_the_rest_would_be_blank(client, server):
    """What fits the bound is valid JSON here; the request is refused all the same."""

    def chunks():
        yield b'{"x": 1}'
        for _ in range(3):
            yield b" " * MAX_BODY_BYTES

    with httpx.Client(base_url=server.url, timeout=30) as alone:
        response = alone.post(PREDICT, content=chunks(), headers=JSON)
        assert_problem(response, 413, "payload_too_large")
        # gunicorn says that it keeps the connection, and closes it when more than 64 KB of the body are left.
        again = client if isinstance(server, GunicornServer) else alone
        assert post(again, b'{"x": 1}').status_code == 200


def test_a_streamed_body_within_the_bound_is_read(client):
    response = client.post(PREDICT, content=iter([b'{"x"', b": 21}"]), headers=JSON)
    assert response.json() == {"y": 42.5}


# --- media types, addresses, methods ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"content-type": "text/plain"}, id="text"),
        pytest.param({"content-type": "application/x-www-form-urlencoded"}, id="a form"),
        pytest.param({"content-type": ""}, id="none"),
        pytest.param({"content-type": "application/json; charset=latin-1"}, id="another charset"),
        pytest.param({"content-encoding": "br"}, id="compressed in another way"),
        pytest.param({"content-encoding": "gzip, gzip"}, id="compressed twice"),
    ],
)
def test_another_media_type_is_415_and_names_the_right_one(client, headers):
    response = post(client, b'{"x": 1}', **headers)
    assert_problem(response, 415, "media_type_unsupported")
    assert response.headers["accept"].startswith("application/json, text/csv, application/x-ndjson, ")
    assert response.headers["accept-encoding"] == "gzip, deflate"


def test_what_curl_sends_without_a_type_is_named_with_the_header_to_send(client):
    response = post(client, b'{"x": 1}', **{"content-type": "application/x-www-form-urlencoded"})
    detail = assert_problem(response, 415, "media_type_unsupported")["detail"]
    assert "'application/x-www-form-urlencoded' was sent" in detail
    assert "curl -d" in detail
    assert "'content-type: application/json'" in detail


@pytest.mark.parametrize(
    "accept",
    [
        *("text/html", "application/xml;q=0.9, text/*", "application/json;q=0", "application/json;q=0, */*"),
        "application/json; charset=utf-8; q=0.0",
    ],
)
def test_an_accept_that_cannot_be_met_is_406(client, accept):
    assert_problem(post(client, b'{"x": 1}', accept=accept), 406, "not_acceptable")
    for path in ("", "/double_model/metadata"):
        assert_problem(client.get(f"/api/models{path}", headers={"accept": accept}), 406, "not_acceptable")


@pytest.mark.parametrize(
    "accept",
    [
        *(
            "",
            "application/json",
            "*/*",
            "text/html, application/*;q=0.1",
            "application/json;q=0.5",
            "APPLICATION/JSON",
        ),
        *("application/json; charset=utf-8", "application/json;odata=verbose", "application/problem+json"),
        *("*/*; q=.2", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "application/json;q=high"),
    ],
)
def test_an_accept_that_can_be_met_is_met(client, accept):
    response = post(client, b'{"x": 1}', accept=accept)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert client.get("/api/models", headers={"accept": accept}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("nobody", b'{"x": 1}', 404, "model_not_found"),
        ("double_model", b'{"x": "1"}', 422, "payload_invalid"),
        ("fussy_model", b'[{"x": 2}, {"x": 3}]', 422, "payload_invalid"),
        ("double_model", b"[]", 400, "payload_malformed"),
        ("double_model", b'[{"x": 1}' + b', {"x": 1}' * MAX_ROWS + b"]", 413, "payload_too_large"),
    ],
)
def test_what_is_wrong_with_a_request_comes_before_its_accept(client, path, body, status, code):
    assert_problem(post(client, body, f"/api/models/{path}/predict", accept="image/png"), status, code)


def test_an_unknown_model_is_404_whatever_is_accepted(client):
    response = client.get("/api/models/nobody/metadata", headers={"accept": "image/png"})
    assert_problem(response, 404, "model_not_found")


def test_options_are_answered_to_a_browser_too(client):
    response = client.options(PREDICT, headers={"accept": "text/html"})
    assert response.status_code == 200
    assert "POST" in response.headers["allow"]


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("text/html, */*", True),
        ("*/*", False),
        ("application/json, text/html;q=0.9", False),
        ("application/json; charset=utf-8, */*", False),
    ],
)
def test_an_error_is_a_page_for_who_asks_for_pages_above_all(client, accept, is_page):
    response = client.get("/nothing", headers={"accept": accept})
    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html" if is_page else "application/problem+json")


# --- forms of other servers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({"instances": [{"x": 1}]}, "'instances'"),
        ({"inputs": [[1]]}, "'inputs'"),
        ({"dataframe_split": {"columns": ["x"], "data": [[1]]}}, "'dataframe_split'"),
        ({"dataframe_records": [{"x": 1}]}, "'dataframe_records'"),
        ({"data": {"x": 1}}, "'data'"),
        ({"payload": {"x": 1}}, "'payload'"),
        ('{"x": 1}', "encoded twice"),
        ('[{"x": 1}]', "encoded twice"),
        (['{"x": 1}'], "encoded twice"),
    ],
)
def test_the_form_of_another_server_is_told_the_form_of_this_one(client, document, named):
    detail = assert_problem(client.post(PREDICT, json=document), 422, "payload_invalid")["detail"]
    assert named in detail
    assert "one payload is sent as its own object" in detail


@pytest.mark.parametrize("document", [{"y": 1}, "words", "7", [1], [[]], ["words", '{"x": 1}']])
def test_other_faults_are_not_taken_for_such_a_form(client, document):
    detail = assert_problem(client.post(PREDICT, json=document), 422, "payload_invalid")["detail"]
    assert detail.endswith((" fault", " faults"))


# --- compressed bodies ------------------------------------------------------------------------------------------------


def deflate_raw(body: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(body) + stream.flush()


COMPRESSED = {"gzip": gzip.compress, "x-gzip": gzip.compress, "GZIP": gzip.compress, "deflate": zlib.compress}


@pytest.mark.parametrize("encoding", COMPRESSED)
def test_a_compressed_body_is_read(client, encoding):
    response = post(client, COMPRESSED[encoding](b'{"x": 21}'), **{"content-encoding": encoding})
    assert (response.status_code, response.json()) == (200, {"y": 42.5})


def test_a_deflated_body_without_the_head_of_zlib_is_read(client):
    assert post(client, deflate_raw(b'{"x": 21}'), **{"content-encoding": "deflate"}).json() == {"y": 42.5}


@pytest.mark.parametrize("encoding", ["", "identity"])
def test_an_encoding_that_is_none_is_none(client, encoding):
    assert post(client, b'{"x": 21}', **{"content-encoding": encoding}).json() == {"y": 42.5}


@pytest.mark.parametrize(
    ("body", "encoding", "detail"),
    [
        (b'{"x": 21}', "gzip", "not gzip"),
        (b"\xff" * 9, "deflate", "not deflate"),
        (gzip.compress(b'{"x": 21}')[:-9], "gzip", "cut off"),
        (b"", "gzip", "cut off"),
        (gzip.compress(b'{"x": 21}') + b"more", "gzip", "something follows"),
        (gzip.compress(b'{"x": 21'), "gzip", "not valid JSON"),
    ],
    ids=["plain", "noise", "cut off", "nothing", "more", "half a document"],
)
def test_a_compressed_body_that_cannot_be_read_is_400(client, body, encoding, detail):
    response = post(client, body, **{"content-encoding": encoding})
    assert detail in assert_problem(response, 400, "payload_malformed")["detail"]


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 413)])
def test_the_bound_of_a_body_is_on_what_it_inflates_to(client, size, status):
    body = b'{"x": 21}'
    response = post(client, gzip.compress(body + b" " * (size - len(body))), **{"content-encoding": "gzip"})
    assert response.status_code == status


def test_an_unknown_model_is_404_and_lists_what_is_loaded(client):
    problem = assert_problem(post(client, b"{}", "/api/models/doubel_model/predict"), 404, "model_not_found")
    assert "'doubel_model'" in problem["detail"]
    assert "double_model" in problem["detail"]
    assert "echo_model" in problem["detail"]


@pytest.mark.parametrize("version", ["9.9.9", "latest", "1.0.0%0d%0aX-Injected:%20yes"])
def test_an_unknown_version_is_404_and_lists_the_versions(client, version):
    response = post(client, b"{}", f"/api/models/double_model/versions/{version}/predict")
    problem = assert_problem(response, 404, "model_not_found")
    assert "1.0.0, 1.10.0" in problem["detail"]
    assert "x-injected" not in response.headers


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_a_wrong_method_is_405_and_names_the_right_one(client, method):
    response = client.request(method, PREDICT)
    assert "POST" in assert_problem(response, 405, "method_not_allowed")["detail"]
    assert "POST" in response.headers["allow"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/models/double%2Fmodel/predict",
        "/api/models/a%0d%0ab%00/predict",
        "/api/models/%ff%fe/predict",
        "/api/models/../../etc/passwd",
        "/api/models//predict",
        "/api/models/double_model/nothing",
        "/api/models/" + "a" * 5000 + "/predict",
        "/nothing",
    ],
)
def test_a_strange_address_is_a_404_problem_that_does_not_repeat_it(client, path):
    response = client.post(path, content=b"{}", headers=JSON)
    assert response.status_code == 404
    problem = assert_problem(response, 404, response.json()["code"])
    assert problem["code"] in ("route_not_found", "model_not_found")
    assert len(response.content) < 1000
    assert "\\r" not in response.text


# --- faults of models -------------------------------------------------------------------------------------------------


def test_what_a_model_raises_stays_in_the_log(client, server):
    response = post(client, b'{"x": -7}', "/api/models/raising_model/predict", **{"x-request-id": "raising-7"})
    assert_problem(response, 500, "prediction_failed")
    assert "secret payload" not in response.text
    line = next(
        line for line in server.log.read_text().splitlines() if '"raising-7"' in line and "RuntimeError" in line
    )
    assert json.loads(line)["model"] == "raising_model"


@pytest.mark.parametrize("x", [-1, 101], ids=["a missing field", "NaN"])
def test_an_output_that_breaks_its_schema_is_500(client, x):
    assert_problem(client.post("/api/models/wrong_output_model/predict", json={"x": x}), 500, "output_invalid")


def test_a_wrong_number_of_outputs_is_500(client):
    response = client.post("/api/models/miscounting_model/predict", json=[{"x": 1}, {"x": 2}])
    assert_problem(response, 500, "prediction_failed")


def test_a_quarantined_model_is_503_and_says_where_the_reason_is(client):
    response = post(client, b'{"x": 1}', "/api/models/unloadable_model/predict")
    assert "/api/models" in assert_problem(response, 503, "model_not_ready")["detail"]
    assert "retry-after" not in response.headers  # nobody knows when its package will be mended


# --- list and metadata ------------------------------------------------------------------------------------------------


def test_the_list_shows_every_configured_model_with_links_that_work(client):
    models = client.get("/api/models").json()["models"]
    assert [model["qualified_name"] for model in models][:3] == ["double_model", "double_model", "echo_model"]
    assert [model["is_default"] for model in models][:2] == [False, True]
    for model in models:
        assert client.get(model["links"]["metadata"]).json()["version"] == model["version"]
        assert "problem" in model if model["state"] == "failed" else "problem" not in model


def test_a_failed_model_is_explained_in_the_list(client):
    models = {model["qualified_name"]: model for model in client.get("/api/models").json()["models"]}
    assert models["unloadable_model"]["state"] == "failed"
    assert models["unloadable_model"]["problem"]["code"] == "model_load_failed"
    assert "the weights are gone" in models["unloadable_model"]["problem"]["cause"]
    assert models["missing_package"]["version"] is None
    assert "install" in models["missing_package"]["problem"]["remedy"]


def test_metadata_describes_the_model(client):
    metadata = client.get("/api/models/double_model/versions/1.0.0/metadata").json()
    assert metadata["display_name"] == "Double"
    assert metadata["input_schema"]["properties"]["x"]["maximum"] == 1000
    assert metadata["output_schema"]["required"] == ["y"]
    assert metadata["examples"] == [{"x": 1}]
    assert metadata["artifacts"] == []
    assert metadata["metrics"] == {}


def test_metadata_of_a_class_that_cannot_be_imported_tells_the_problem(client):
    metadata = client.get("/api/models/missing_package/metadata").json()
    assert metadata["input_schema"] is None
    assert metadata["problem"]["code"] == "model_import_failed"


def test_metadata_of_an_unknown_model_is_404(client):
    assert_problem(client.get("/api/models/nobody/metadata"), 404, "model_not_found")


# --- request ids and logs ---------------------------------------------------------------------------------------------


def test_a_callers_request_id_comes_back_and_finds_the_log_line(client, server):
    response = post(client, b'{"x": 1}', **{"x-request-id": "order 66/a~"})
    assert response.headers["x-request-id"] == "order 66/a~"
    log = server.wait_for_log("order 66/a~")
    lines = [json.loads(line) for line in log.splitlines() if "order 66/a~" in line]
    assert len(lines) == 1
    assert lines[0] | {"time": "", "duration_ms": 0.0} == {
        "time": "",
        "level": "info",
        "logger": "model_service.requests",
        "message": "request",
        "request_id": "order 66/a~",
        "method": "POST",
        "path": PREDICT,
        "status": 200,
        "model": "double_model",
        "version": "1.10.0",
        "duration_ms": 0.0,
    }


@pytest.mark.parametrize("offered", ["", "x" * 129, "tab\tinside", "é".encode().decode("latin-1")])
def test_an_unfit_request_id_is_replaced(client, offered):
    response = client.get("/api/models", headers={"x-request-id": offered.encode("latin-1")})
    assert response.headers["x-request-id"] not in ("", offered)


def test_every_request_gets_its_own_id(client):
    ids = {client.get("/health/live").headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5
