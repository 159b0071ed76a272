"""The documents about models: addresses, what they say, how they are asked for again, links behind a proxy."""

import json
from importlib.util import find_spec

import pytest
from fronts import FrontServer, read_answers, request_of
from serving import MAX_BODY_BYTES, MAX_ROWS

DOCUMENTS = (
    "/api/models",
    "/api/models/double_model/versions",
    "/api/models/double_model/metadata",
    "/openapi.json",
    "/openapi.yaml",
)

# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/models/double_model", "/api/models/double_model/versions/1.0.0"])
def test_the_address_of_a_model_is_answered_by_its_metadata(client, path):
    response = client.get(path)
    assert (response.status_code, response.json()) == (200, client.get(f"{path}/metadata").json())


def test_the_versions_of_a_model_are_listed(client):
    found = client.get("/api/models/double_model/versions").json()["models"]
    assert [(each["version"], each["is_default"]) for each in found] == [("1.0.0", False), ("1.10.0", True)]
    response = client.get("/api/models/nobody/versions")
    assert (response.status_code, response.json()["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    "path",
    [*DOCUMENTS, "/api/models/double_model", "/docs", "/health/live", "/health/ready", "/models/double_model"],
)
def test_a_slash_at_the_end_changes_nothing(client, path):
    without, with_slash = client.get(path), client.get(f"{path}/")
    assert (with_slash.status_code, with_slash.headers["content-type"]) == (200, without.headers["content-type"])


def test_a_slash_at_the_end_of_a_predict_address_changes_nothing(client):
    response = client.post("/api/models/double_model/predict/", json={"x": 21})
    assert (response.status_code, response.json()) == (200, {"y": 42.5})


# --- what they say ----------------------------------------------------------------------------------------------------


def test_metadata_says_what_a_request_may_ask_for_and_which_versions_there_are(client):
    metadata = client.get("/api/models/double_model/metadata").json()
    assert metadata["limits"] == {
        "rows": MAX_ROWS,
        "body_bytes": MAX_BODY_BYTES,
        "timeout_s": 60.0,
        "queue_rows": 20_000,
    }
    files = ["text/csv", "application/x-ndjson"]
    if find_spec("pyarrow") is not None:
        files += ["application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"]
    assert metadata["formats"] == {
        "request": ["application/json", *files],
        "request_encodings": ["gzip", "deflate"],
        "response": ["application/json", *files],
    }
    assert metadata["versions"] == [
        {"version": "1.0.0", "state": "ready", "is_default": False},
        {"version": "1.10.0", "state": "ready", "is_default": True},
    ]


# --- asked for again --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOCUMENTS)
@pytest.mark.parametrize("encoding", ["identity", "gzip", "br"])
def test_a_document_that_has_not_changed_is_not_sent_again(client, path, encoding):
    first = client.get(path, headers={"accept-encoding": encoding})
    assert first.status_code == 200
    assert first.headers["cache-control"] == "no-cache"
    again = client.get(path, headers={"accept-encoding": encoding, "if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert len(first.headers.get_list("date")) == len(again.headers.get_list("date")) == 1
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    other = client.get(path, headers={"accept-encoding": encoding, "if-none-match": '"something else"'})
    assert (other.status_code, other.content) == (200, first.content)


@pytest.mark.parametrize("path", ["/openapi.json", "/openapi.yaml"])
def test_a_compressed_document_has_a_tag_of_its_own(client, path):
    tags = {client.get(path, headers={"accept-encoding": each}).headers["etag"] for each in ("identity", "gzip", "br")}
    assert len(tags) == 3


@pytest.mark.parametrize("path", [*DOCUMENTS, "/nothing", "/api/models/nobody/metadata", "/"])
def test_an_answer_that_depends_on_accept_says_so(client, path):
    assert "accept" in [name.strip().lower() for name in client.get(path).headers["vary"].split(",")]


# --- behind a proxy ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prefixed():
    running = FrontServer("models.DoubleModel", root_path="/ml")
    yield running
    running.stop()


def test_links_begin_with_the_prefix_that_a_proxy_removes(prefixed):
    (model,) = json.loads(prefixed.ask("GET", "/api/models")[2])["models"]
    assert model["links"] == {
        "metadata": "/ml/api/models/double_model/metadata",
        "predict": "/ml/api/models/double_model/predict",
        "docs": "/ml/docs",
    }
    page = prefixed.ask("GET", "/models/double_model/predict")[2].decode()
    assert 'href="/ml/' in page
    assert "/ml/api/models/double_model/predict" in page
    assert 'href="/models' not in page
    assert 'src="/static' not in page
    assert json.loads(prefixed.ask("GET", "/openapi.json")[2])["servers"] == [{"url": "/ml"}]


def test_with_a_prefix_everything_is_answered_as_without(prefixed):
    for path in ("/health/live", "/health/ready"):
        assert prefixed.ask("GET", path)[0] == 200
    before = prefixed.flask_requests
    with prefixed.connect() as connection:
        connection.sendall(request_of(b'{"x": 1}') + request_of(b'{"x": "1"}'))
        assert [status for status, _, _ in read_answers(connection, 2)] == [200, 422]
    assert prefixed.flask_requests == before + 1
    assert prefixed.log.lines[-1][1] == "/api/models/double_model/predict"


def test_a_prefix_that_a_caller_claims_is_not_believed(client):
    for header in ("x-forwarded-prefix", "x-script-name", "x-forwarded-path"):
        (model, *_) = client.get("/api/models", headers={header: "/evil"}).json()["models"]
        assert model["links"]["docs"] == "/docs"
