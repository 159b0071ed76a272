"""Rows that succeed or fail alone, and files of rows, on the wire: a real server, a client that others wrote."""

import csv
import gzip
import io
import json
import zlib
from types import SimpleNamespace

import httpx
import pytest
from serving import MAX_BODY_BYTES, MAX_ROWS

from model_service.errors import MediaTypeUnsupported
from model_service.jobs.errors import JobInvalid
from model_service.transports.http.job_files import read_request

PREDICT = "/api/models/double_model/predict"
FUSSY = "/api/models/fussy_model/predict"
LENIENT = {"prefer": "handling=lenient", "content-type": "application/json"}
TABLE = b"id,x\n007,1\n008,2000\n009,\n010,4\n"


def send(client: httpx.Client, content: bytes, media_type: str = "text/csv", path: str = PREDICT, **headers: str):
    return client.post(path, content=content, headers={"content-type": media_type, **headers})


def read_table(response: httpx.Response) -> list[list[str]]:
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(response.text, newline="")))


def assert_refused(response: httpx.Response, status: int, code: str, words: str) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert words in response.json()["detail"]


# --- lenient ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prefer", ["handling=lenient", "respond-async, Handling = lenient; x=1", 'handling="lenient"', "a,handling=LENIENT"]
)
def test_a_lenient_array_is_answered_by_each_rows_output_or_error_in_order(client, prefer):
    rows = [{"x": 1}, {"x": 2000}, 5, {"x": 4}, {}]
    response = client.post(PREDICT, json=rows, headers={"prefer": prefer})
    assert response.status_code == 200
    assert response.headers["preference-applied"] == "handling=lenient"
    assert response.headers["x-failed-rows"] == "3"
    assert response.headers["x-model-version"] == "1.10.0"
    answers = response.json()
    assert [list(answer) for answer in answers] == [["output"], ["error"], ["error"], ["output"], ["error"]]
    assert answers[0]["output"] == {"y": 2.5}
    error = answers[1]["error"]
    assert list(error) == ["code", "title", "detail", "errors"]
    assert error["code"] == "payload_invalid"
    assert [(each["pointer"], each["rule"]) for each in error["errors"]] == [("/x", "maximum")]
    assert [each["pointer"] for each in answers[4]["error"]["errors"]] == ["/x"]


def test_the_models_own_rules_refuse_a_row_alone(client):
    answers = client.post(FUSSY, json=[{"x": 13}, {"x": 2}], headers=LENIENT).json()
    assert [list(answer) for answer in answers] == [["error"], ["output"]]
    assert answers[0]["error"]["errors"][0]["rule"] == "even"


def test_a_model_that_raises_fails_the_row_and_says_no_more(client):
    response = client.post("/api/models/raising_model/predict", json=[{"x": -77}, {}, {"x": 1}], headers=LENIENT)
    answers = [answer.get("error", {}).get("code") for answer in response.json()]
    assert answers == ["prediction_failed", "payload_invalid", None]
    assert "-77" not in response.text


@pytest.mark.parametrize("prefer", ["handling=strict", "lenient", "handling=lenient2", "xhandling=lenient", ""])
def test_without_the_preference_rows_are_all_or_nothing(client, prefer):
    response = client.post(PREDICT, json=[{"x": 1}, {"x": 2000}], headers={"prefer": prefer})
    assert response.status_code == 422
    assert "preference-applied" not in response.headers
    response = client.post(PREDICT, json=[{"x": 1}], headers={"prefer": prefer})
    assert response.json() == [{"y": 2.5}]


def test_one_payload_is_answered_as_ever(client):
    response = client.post(PREDICT, json={"x": 1}, headers=LENIENT)
    assert response.json() == {"y": 2.5}
    assert "preference-applied" not in response.headers
    assert client.post(PREDICT, json={}, headers=LENIENT).status_code == 422


def test_a_lenient_request_keeps_the_bounds(client):
    assert_refused(client.post(PREDICT, json=[], headers=LENIENT), 400, "payload_malformed", "the array is empty")
    rows = [{"x": 1}] * (MAX_ROWS + 1)
    assert_refused(client.post(PREDICT, json=rows, headers=LENIENT), 413, "payload_too_large", "at most")
    assert_refused(client.post(PREDICT, content=b"[", headers=LENIENT), 400, "payload_malformed", "not valid JSON")
    assert client.post(PREDICT, json=[{"x": 1}], headers={**LENIENT, "accept": "text/html"}).status_code == 406


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_table_is_answered_by_the_same_table_with_its_predictions_and_errors(client):
    response = send(client, TABLE)
    header, *rows = read_table(response)
    assert header == ["id", "x", "y", "error.code", "error.column", "error.message"]
    assert [row[:3] for row in rows] == [["007", "1", "2.5"], ["008", "2000", ""], ["009", "", ""], ["010", "4", "8.5"]]
    assert [row[3:5] for row in rows] == [["", ""], ["payload_invalid", "x"], ["payload_invalid", "x"], ["", ""]]
    assert response.headers["x-failed-rows"] == "2"
    assert response.headers["x-model-version"] == "1.10.0"


def test_a_named_version_answers_a_file(client):
    response = send(client, b"x\n1\n", path="/api/models/double_model/versions/1.0.0/predict")
    assert read_table(response)[1][:2] == ["1", "2"]


LINES = b'{"id": "007", "x": 1}\n{"id": "010", "x": 4}\n'
ARRAY = b'[{"id": "007", "x": 1}, {"id": "010", "x": 4}]'
GOOD = b"id,x\n007,1\n010,4\n"


@pytest.mark.parametrize(
    ("content", "media_type"),
    [(GOOD, "text/csv"), (LINES, "application/x-ndjson"), (ARRAY, "application/json")],
    ids=["csv", "ndjson", "json"],
)
@pytest.mark.parametrize("accept", ["text/csv", "application/x-ndjson", "application/json"])
def test_any_format_is_answered_in_any_format(client, content, media_type, accept):
    if (media_type, accept) == ("application/json",) * 2:
        content = b'[{"x": 1}, {"x": 4}]'  # the plain way, in which the model refuses what it does not know
    response = send(client, content, media_type, accept=accept)
    assert response.status_code == 200
    assert response.headers["content-type"].partition(";")[0] == accept
    if accept == "text/csv":
        columns = dict(zip(*[read_table(response)[0]], [*zip(*read_table(response)[1:], strict=True)], strict=True))
        assert (columns["id"], columns["y"]) == (("007", "010"), ("2.5", "8.5"))
    elif accept == "application/x-ndjson":
        lines = [json.loads(line) for line in response.text.splitlines()]
        assert lines == [{"id": "007", "x": 1, "y": 2.5}, {"id": "010", "x": 4, "y": 8.5}]
    else:
        outputs = [{"y": 2.5}, {"y": 8.5}]
        is_file = media_type != "application/json"
        assert response.json() == ([{"output": output} for output in outputs] if is_file else outputs)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "text/csv"),
        ("*/*", "text/csv"),
        ("text/*", "text/csv"),
        ("text/html, */*;q=0.1", "text/csv"),
        ("application/*", "application/x-ndjson"),
        ("text/csv;q=0.5, application/x-ndjson", "application/x-ndjson"),
    ],
)
def test_a_file_is_answered_in_its_own_format_unless_another_is_liked_better(client, accept, media_type):
    response = send(client, GOOD, accept=accept)
    assert response.headers["content-type"].partition(";")[0] == media_type


def test_json_is_answered_by_json_unless_a_file_is_named(client):
    for accept in ("*/*", "application/json, text/csv", "text/csv;q=0.5, application/json"):
        response = send(client, b'[{"x": 1}]', "application/json", accept=accept)
        assert response.json() == [{"y": 2.5}]
    response = send(client, b'{"x": 1}', "application/json", accept="text/csv")
    assert read_table(response)[1][:2] == ["1", "2.5"]


def test_what_cannot_be_answered_is_406(client):
    response = send(client, GOOD, accept="text/html")
    assert_refused(response, 406, "not_acceptable", "the answer is text/csv, application/x-ndjson")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_file_is_inflated(client, encoding):
    content = gzip.compress(GOOD) if encoding == "gzip" else zlib.compress(GOOD)
    assert len(read_table(send(client, content, **{"content-encoding": encoding}))) == 3


def test_a_bomb_is_stopped_while_it_inflates(client):
    content = gzip.compress(b"x\n" + b"1\n" * (50 * MAX_BODY_BYTES))
    assert len(content) < MAX_BODY_BYTES
    assert_refused(send(client, content, **{"content-encoding": "gzip"}), 413, "payload_too_large", "larger than")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"x\n", "a header and no rows"),
        (b"1\n2\n", "no column is a field of the model"),
        (b"x,x\n1,2\n", "names 'x' twice"),
        ("x,n\n1,é\n".encode("latin-1"), "not UTF-8"),
        (b"x,n\n1,\0\n", "NUL"),
        (b'x,n\n1,"a\n', "never closed"),
    ],
    ids=["empty", "header-only", "no-header", "duplicate", "latin-1", "nul", "quote"],
)
def test_a_file_that_cannot_be_read_is_400_and_says_why(client, content, words):
    assert_refused(send(client, content), 400, "file_unreadable", words)


def test_a_ragged_row_fails_alone(client):
    table = read_table(send(client, b"id,x\n1\n2,3\n4,5,6\n"))
    assert [row[3] for row in table[1:]] == ["payload_malformed", "", "payload_malformed"]


def test_a_file_keeps_the_bounds(client):
    rows = b"x\n" + b"1\n" * MAX_ROWS
    assert len(read_table(send(client, rows))) == MAX_ROWS + 1
    assert_refused(send(client, rows + b"1\n"), 413, "payload_too_large", "'model-service score'")
    assert_refused(send(client, b"x\n" + b"1" * MAX_BODY_BYTES), 413, "payload_too_large", "larger than")


def test_another_charset_is_415(client):
    response = send(client, GOOD, "text/csv; charset=latin-1")
    assert_refused(response, 415, "media_type_unsupported", "must be UTF-8")
    assert read_table(send(client, GOOD, "text/csv; charset=UTF-8; header=present"))


@pytest.mark.parametrize("path", [PREDICT, "/invocations"])
def test_formats_that_are_not_installed_are_415_with_the_extra_and_not_offered(make_client, monkeypatch, path):
    monkeypatch.setattr("model_service.files.formats.find_spec", lambda name: None)
    app = make_client("models.DoubleModel")
    refused = app.post(path, data=b"PAR1", content_type="application/vnd.apache.parquet")
    assert (refused.status_code, refused.json["code"]) == (415, "media_type_unsupported")
    assert "model-service[arrow]" in refused.json["detail"]
    for told in (refused.headers["accept"], app.post(path, data=b"x", content_type="image/png").json["detail"]):
        assert "text/csv" in told
        assert "parquet" not in told
        assert "arrow" not in told


def test_a_job_in_a_format_that_is_not_installed_is_refused_with_the_extra(monkeypatch):
    monkeypatch.setattr("model_service.files.formats.find_spec", lambda name: None)

    def ask(media_type: str, **options: str) -> None:
        incoming = SimpleNamespace(options=options, media_type=media_type)
        read_request(incoming, ("double_model", "1.0.0"), {}, chunk_rows=10)

    for media_type, options in (("application/vnd.apache.parquet", {}), ("text/csv", {"output": "arrow"})):
        with pytest.raises(MediaTypeUnsupported, match=r"model-service\[arrow\]"):
            ask(media_type, **options)
    with pytest.raises(JobInvalid, match="one of csv, ndjson$"):
        ask("text/csv", output="xlsx")
    with pytest.raises(MediaTypeUnsupported) as caught:
        ask("image/png")
    assert "parquet" not in caught.value.message


def test_fasta_is_for_models_of_one_sequence(client):
    assert_refused(send(client, b">a\nACGT\n", "text/x-fasta"), 400, "file_unreadable", "one sequence")
