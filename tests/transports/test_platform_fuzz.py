"""Whatever is sent to `/invocations` and its kin, in any format, is predicted or is a mistake of the caller."""

import csv
import io
import json
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from fuzzing import FUZZ
from hypothesis import given
from hypothesis import strategies as st

from model_service.config import ModelConfig, ServiceConfig
from model_service.service import Service
from model_service.transports.http.envelopes import ENVELOPES

#: What its caller got wrong.
MISTAKES = (400, 406, 413, 415, 422)
FORMATS = ["application/json", "text/csv", "application/jsonlines"]
NAMES = ["a", "b", "note", "day", "columns", "data", "index", "instances", "params", "a.b", "error.code", ""]
#: Cells and values that some reader takes for something else.
ODD = ["", "1", "-0", "1e999", "NaN", "null", "true", "2026-02-30", "2024-02-29", "{}", '"', "'", "\x00", "\ufeff", "é"]
values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9) | st.sampled_from(ODD),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
cells = st.sampled_from(ODD) | st.text(max_size=9) | st.floats().map(str)
rows = st.lists(st.lists(cells, max_size=6), max_size=4)
headers = st.lists(st.sampled_from(NAMES) | st.text(max_size=3), max_size=6)


@pytest.fixture(scope="module")
def app() -> Iterator[FlaskClient]:
    """A client of one model, which answers where none is named."""
    with Service(ServiceConfig(models=(ModelConfig(class_path="platform_models.TableModel"),))) as service:
        yield service.start().app.test_client()


def assert_answered(app: FlaskClient, body: bytes, media_type: str, accept: str, **more: str) -> None:
    sent = {"Content-Type": media_type, "Accept": accept, **more}
    answer = app.post("/invocations", data=body, headers=sent)
    assert answer.status_code in (200, *MISTAKES), answer.text
    if answer.status_code != 200:
        assert answer.json["error_code"]
        assert len(answer.json["message"]) < 2000
    answer = app.post("/endpoints/table-model/invocations", data=body, headers=sent)
    assert answer.status_code in (200, 424), answer.text
    assert answer.status_code == 200 or answer.json["OriginalStatusCode"] in MISTAKES


@FUZZ
@given(document=values, accept=st.sampled_from(FORMATS))
def test_any_document_is_answered_alone_and_in_an_envelope(app, document, accept):
    for body in (document, *({name: document} for name in ENVELOPES)):
        assert_answered(app, json.dumps(body).encode("utf-8", "surrogatepass"), "application/json", accept)


@FUZZ
@given(columns=headers, table=rows, name=st.sampled_from(["dataframe_split", "inputs"]))
def test_any_table_in_an_envelope_is_answered(app, columns, table, name):
    split = {"columns": columns, "data": table}
    by_column = {column: [row[i] for row in table if i < len(row)] for i, column in enumerate(columns)}
    document = {name: split if name == "dataframe_split" else by_column}
    assert_answered(app, json.dumps(document).encode(), "application/json", "application/json")


@FUZZ
@given(columns=headers, table=rows, delimiter=st.sampled_from(",;\t|"), accept=st.sampled_from(FORMATS))
def test_any_csv_is_answered_with_and_without_a_line_of_names(app, columns, table, delimiter, accept):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([columns, *table])
    for said in ("", "; header=present", "; header=absent"):
        assert_answered(app, text.getvalue().encode("utf-8", "surrogatepass"), f"text/csv{said}", accept)


@FUZZ
@given(lines=st.lists(values.map(json.dumps) | st.text(max_size=20), max_size=4), accept=st.sampled_from(FORMATS))
def test_any_lines_are_answered_also_where_rows_fail_alone(app, lines, accept):
    body = "\n".join(lines).encode("utf-8", "surrogatepass")
    assert_answered(app, body, "application/jsonlines", accept)
    assert_answered(app, body, "application/jsonlines", accept, Prefer="handling=lenient")


@FUZZ
@given(body=st.binary(max_size=60), media_type=st.sampled_from([*FORMATS, "", "text/x-fasta", "a/b"]), accept=st.text())
def test_any_bytes_of_any_type_are_answered(app, body, media_type, accept):
    assert_answered(app, body, media_type, accept.encode("latin-1", "ignore").decode("latin-1").translate(_NO_CONTROLS))


#: What no client can put into a header.
_NO_CONTROLS = dict.fromkeys(range(32))
