"""The Open Inference Protocol on the wire: addresses, errors, binary tensors, and what attackers send."""

import gzip
import json
import struct

import httpx
import pytest
from serving import MAX_BODY_BYTES, MAX_ROWS

INFER = "/v2/models/double_model/infer"
HEADER = "inference-header-content-length"
X = {"name": "x", "datatype": "FP64", "shape": [1], "data": [21]}


def infer(client: httpx.Client, *inputs: object, path: str = INFER, **more: object) -> httpx.Response:
    return client.post(path, json={"inputs": list(inputs), **more})


def infer_bytes(client: httpx.Client, document: object, raw: bytes, length: object = None) -> httpx.Response:
    head = json.dumps(document).encode()
    told = str(len(head) if length is None else length)
    return client.post(INFER, content=head + raw, headers={HEADER: told})


def assert_error(response: httpx.Response, status: int, code: str, said: str = "") -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    document = response.json()
    assert next(iter(document)) == "error"
    assert document["code"] == code
    assert document["request_id"] == response.headers["x-request-id"]
    assert said in document["error"]


# --- what is there ----------------------------------------------------------------------------------------------------


def test_the_server_says_what_it_is_and_how_it_is(client):
    described = client.get("/v2").json()
    assert described["name"] == "model_service"
    assert described["version"]
    assert "binary_tensor_data" in described["extensions"]
    assert client.get("/v2/health/live").json() == {"live": True}
    ready = client.get("/v2/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"ready": True})


@pytest.mark.parametrize("path", ["/v2/models/double_model", "/v2/models/double_model/versions/1.10.0"])
def test_a_model_says_its_tensors(client, path):
    assert client.get(path).json() == {
        "name": "double_model",
        "versions": ["1.0.0", "1.10.0"],
        "platform": "model_service_mlmodel",
        "inputs": [{"name": "x", "datatype": "FP64", "shape": [-1]}],
        "outputs": [{"name": "y", "datatype": "FP64", "shape": [-1]}],
    }


@pytest.mark.parametrize("path", ["/v2/models/double_model/ready", "/v2/models/double_model/versions/1.0.0/ready"])
def test_a_model_that_is_ready_is(client, path):
    response = client.get(path)
    assert (response.status_code, response.json()) == (200, {"name": "double_model", "ready": True})


@pytest.mark.parametrize("path", ["/v2/models/unloadable_model/ready", "/v1/models/unloadable_model"])
def test_a_model_that_failed_is_not_ready(client, path):
    response = client.get(path)
    assert (response.status_code, response.json()) == (503, {"name": "unloadable_model", "ready": False})


def test_a_model_that_failed_still_describes_its_tensors_and_one_that_cannot_be_read_does_not(client):
    assert client.get("/v2/models/unloadable_model").json()["inputs"]
    response = client.get("/v2/models/missing_package")
    assert_error(response, 503, "model_not_ready")
    assert "retry-after" not in response.headers  # nobody knows when its package will be mended


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/models/nobody"),
        ("GET", "/v2/models/nobody/ready"),
        ("GET", "/v2/models/double_model/versions/7/ready"),
        ("POST", "/v2/models/nobody/infer"),
        ("GET", "/v1/models/nobody"),
        ("POST", "/v1/models/nobody:predict"),
    ],
)
def test_what_is_not_there_is_not_found(client, method, path):
    assert_error(client.request(method, path, json={} if method == "POST" else None), 404, "model_not_found")


@pytest.mark.parametrize("path", ["/v2/models/double_model/config", "/v2/models/double_model/stats", "/v2/nothing"])
def test_extensions_that_are_not_offered_are_no_address(client, path):
    assert_error(client.get(path), 404, "route_not_found")


def test_the_repository_lists_models_with_their_state(client):
    listed = client.post("/v2/repository/index").json()
    states = {(model["name"], model["version"]): model["state"] for model in listed}
    assert states["double_model", "1.0.0"] == states["double_model", "1.10.0"] == "READY"
    assert states["unloadable_model", "1.0.0"] == "UNAVAILABLE"
    assert next(model["reason"] for model in listed if model["name"] == "unloadable_model")
    only_ready = client.post("/v2/repository/index", json={"ready": True}).json()
    assert {model["state"] for model in only_ready} == {"READY"}
    assert_error(client.post("/v2/repository/index", content=b"["), 400, "payload_malformed")


@pytest.mark.parametrize("verb", ["load", "unload"])
def test_models_are_not_loaded_or_unloaded_by_anyone(client, verb):
    body = {"parameters": {"config": "{}", "file:1/model.py": "aW1wb3J0IG9z"}}
    response = client.post(f"/v2/repository/models/double_model/{verb}", json=body)
    assert_error(response, 501, "not_offered", "whoever runs the service")
    assert client.get("/v2/models/double_model/ready").status_code == 200


def test_version_one_lists_models_and_predicts(client):
    assert "double_model" in client.get("/v1/models").json()["models"]
    assert client.get("/v1/models/double_model").json() == {"name": "double_model", "ready": True}
    answer = client.post("/v1/models/double_model:predict", json={"instances": [{"x": 1}, {"x": 2}]})
    assert answer.json() == {"predictions": [{"y": 2.5}, {"y": 4.5}]}
    table = client.post("/v1/models/double_model:predict", json={"instances": [[1], [2]]})
    assert table.json() == answer.json()


def test_the_first_page_is_alive_for_who_wants_json(client):
    assert client.get("/", headers={"accept": "application/json"}).json() == {"status": "alive"}
    assert "<html" in client.get("/", headers={"accept": "text/html"}).text


# --- infer ------------------------------------------------------------------------------------------------------------


def test_an_answer_names_the_model_its_version_and_the_id(client):
    answer = infer(client, X, id="42")
    assert answer.json() == {
        "model_name": "double_model",
        "model_version": "1.10.0",
        "id": "42",
        "outputs": [{"name": "y", "datatype": "FP64", "shape": [1], "data": [42.5]}],
    }
    assert answer.headers["x-model-version"] == "1.10.0"
    assert "id" not in infer(client, X).json()


def test_a_version_in_the_path_answers(client):
    answer = infer(client, X, path="/v2/models/double_model/versions/1.0.0/infer").json()
    assert (answer["model_version"], answer["outputs"][0]["data"]) == ("1.0.0", [42])


@pytest.mark.parametrize("media_type", [None, "application/octet-stream", "application/json", "text/plain"])
def test_no_media_type_is_asked_for(client, media_type):
    headers = {"content-type": media_type} if media_type else {}
    assert client.post(INFER, content=json.dumps({"inputs": [X]}), headers=headers).status_code == 200


def test_a_compressed_body_is_read(client):
    body = gzip.compress(json.dumps({"inputs": [X]}).encode())
    assert client.post(INFER, content=body, headers={"content-encoding": "gzip"}).status_code == 200


def test_a_matrix_of_numbers_is_all_fields(client):
    rows = {"name": "input-0", "datatype": "FP32", "shape": [2, 1], "data": [[1], [2]]}
    assert infer(client, rows).json()["outputs"][0]["data"] == [2.5, 4.5]


def test_only_the_outputs_that_are_wanted_are_given(client):
    assert len(infer(client, X, outputs=[{"name": "y"}]).json()["outputs"]) == 1
    assert_error(infer(client, X, outputs=[{"name": "z"}]), 422, "payload_invalid", "the outputs are y")
    assert_error(infer(client, X, outputs=[{"name": "y"}] * 2), 400, "payload_malformed", "wanted twice")


def test_bytes_go_in_and_come_out(client):
    told = {"name": "x", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}}
    document = {"inputs": [told], "outputs": [{"name": "y", "parameters": {"binary_data": True}}], "id": "b"}
    answer = infer_bytes(client, document, struct.pack("<2f", 1, 2))
    end = int(answer.headers[HEADER])
    assert answer.headers["content-type"] == "application/octet-stream"
    head = json.loads(answer.content[:end])
    assert head["id"] == "b"
    assert head["outputs"] == [{"name": "y", "datatype": "FP64", "shape": [2], "parameters": {"binary_data_size": 16}}]
    assert struct.unpack("<2d", answer.content[end:]) == (2.5, 4.5)


def test_what_one_output_says_of_bytes_beats_what_the_request_says(client):
    document = {"inputs": [X], "parameters": {"binary_data_output": True}}
    assert HEADER in infer_bytes(client, document, b"").headers
    document["outputs"] = [{"name": "y", "parameters": {"binary_data": False}}]
    assert infer_bytes(client, document, b"").json()["outputs"][0]["data"] == [42.5]


# --- what is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b"[]", "expected a JSON object"),
        (b"{", "not valid JSON"),
        (b"{}", "'inputs' must be an array"),
        (b'{"inputs": []}', "at least one tensor"),
        (b'{"inputs": [5]}', "an input must be an object"),
        (b'{"inputs": [{"name": 5}]}', "an input must be an object"),
        (b'{"inputs": [{"name": "x"}]}', "tensor 'x': expected one of the datatypes"),
        (b'{"inputs": [{"name": "x", "datatype": ["FP64"]}]}', "expected one of the datatypes"),
        (b'{"inputs": [{"name": "x", "datatype": "FP64"}]}', "tensor 'x': expected a shape"),
        (b'{"inputs": [{"name": "x", "datatype": "FP64", "shape": [1]}]}', "neither 'data'"),
        (b'{"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": 5}]}', "data that is a list"),
        (b'{"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [NaN]}]}', "NaN is not a JSON number"),
        (
            b'{"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [1], "parameters": 5}]}',
            "'parameters'",
        ),
        (b'{"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [1]}], "outputs": 5}', "'outputs'"),
        (b'{"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [1]}], "outputs": [{}]}', "an output"),
        (b'{"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [1]}], "id": 5}', "'id' must be"),
        (b'{"inputs": [{"name": "x", "datatype": "FP64", "shape": [0], "data": []}]}', "at least one payload"),
        (
            b'{"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": ' + b"[" * 60 + b"]" * 60 + b"}]}",
            "'x'",
        ),
        (b'{"inputs": ' + b"[" * 5000 + b"]" * 5000 + b"}", "nested"),
    ],
    ids=lambda value: value[:60] if isinstance(value, bytes) else None,
)
def test_what_is_no_request_of_the_protocol_is_malformed(client, body, said):
    assert_error(client.post(INFER, content=body), 400, "payload_malformed", said)


def test_infinite_numbers_are_refused_with_their_place(client):
    body = b'{"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [1e400]}]}'
    assert_error(client.post(INFER, content=body), 422, "payload_invalid", "'/0/x' expected a finite number")
    told = {"name": "x", "datatype": "FP64", "shape": [1], "parameters": {"binary_data_size": 8}}
    for number in ("nan", "inf"):
        answer = infer_bytes(client, {"inputs": [told]}, struct.pack("<d", float(number)))
        assert_error(answer, 422, "payload_invalid", "'/0/x' expected a finite number")


def test_missing_and_unknown_tensors_are_told(client):
    more = {**X, "name": "z"}
    assert_error(infer(client, X, more), 422, "payload_invalid", "tensor 'z': there is no such input; the inputs are x")
    assert_error(infer(client, X, X), 400, "payload_malformed", "tensor 'x': it is given twice")


@pytest.mark.parametrize("shape", [[10**9, 4], [10**30], [0, 10**9], [10**9, 0]])
def test_a_huge_shape_without_data_is_refused(client, shape):
    assert_error(infer(client, {**X, "shape": shape, "data": []}), 413, "payload_too_large", "its shape says more than")


def test_too_many_rows_and_bytes_are_too_large(client):
    rows = {**X, "shape": [MAX_ROWS + 1], "data": [1] * (MAX_ROWS + 1)}
    assert_error(infer(client, rows), 413, "payload_too_large", f"at most {MAX_ROWS}")
    body = json.dumps({"inputs": [X], "id": "x" * MAX_BODY_BYTES})
    assert_error(client.post(INFER, content=body), 413, "payload_too_large", "bytes")


@pytest.mark.parametrize(
    ("sizes", "raw", "said"),
    [
        ([8], b"\0" * 7, "more bytes than the 7 that are left"),
        ([7], b"\0" * 7, "its shape says 8 bytes of FP64, and 7 were sent"),
        ([8], b"\0" * 9, "1 bytes follow the last tensor"),
        ([-8], b"\0" * 8, "number of bytes"),
        ([8.0], b"\0" * 8, "number of bytes"),
        ([True], b"\0", "number of bytes"),
        ([10**30], b"\0" * 8, "more bytes than"),
        ([8, 8], b"\0" * 8, "more bytes than the 0 that are left"),
    ],
)
def test_bytes_that_do_not_add_up_are_told(client, sizes, raw, said):
    inputs = [{**X, "name": f"x{i or ''}", "parameters": {"binary_data_size": size}} for i, size in enumerate(sizes)]
    for each in inputs:
        del each["data"]
    assert_error(infer_bytes(client, {"inputs": inputs}, raw), 400, "payload_malformed", said)


def test_data_beside_bytes_is_told(client):
    told = {**X, "parameters": {"binary_data_size": 8}}
    assert_error(infer_bytes(client, {"inputs": [told]}, b"\0" * 8), 400, "payload_malformed", "keep one")


@pytest.mark.parametrize("length", ["-1", "1e3", "", "9" * 5000, "1000000", "0", "\u0663".encode()])
def test_a_header_that_does_not_say_where_the_json_ends_is_told(client, length):
    answer = client.post(INFER, content=json.dumps({"inputs": [X]}), headers={HEADER: length})
    assert answer.status_code == 400
    assert isinstance(answer.json()["error"], str)
