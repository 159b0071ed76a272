import io

import pytest
from samples import FLOWER, read, read_documents

from model_service.errors import FileUnreadable, PayloadMalformed, PayloadTooLarge
from model_service.files.formats import FORMATS
from model_service.files.opening import open_rows
from model_service.files.rows import Bounds

DATED = {"properties": {"day": {"type": "string", "format": "date"}, "at": {"type": "string", "format": "date-time"}}}


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b'{"length": 1}\n{"length": 2}\n', "ndjson"),
        (b'\xef\xbb\xbf{"length": 1}\r\n\r\n{"length": 2}', "ndjson"),
        (b'[{"length": 1}, {"length": 2}]', "json"),
    ],
    ids=["lines", "windows", "array"],
)
def test_objects_are_rows(raw, name):
    assert read_documents(raw, name=name) == [{"length": 1}, {"length": 2}]


def test_null_is_a_missing_value_where_it_is_not_allowed():
    [row] = read(b'{"length": 1, "width": null, "kind": null}', name="ndjson")
    assert row.document == {"length": 1, "width": None}
    assert row.source == {"length": 1, "width": None, "kind": None}


def test_members_that_the_model_does_not_know_are_kept_beside_the_payload():
    [row] = read(b'{"id": 7, "length": 1}', name="ndjson")
    assert row.document == {"length": 1}
    assert row.source == {"id": 7, "length": 1}


def test_dotted_members_are_fields_of_nested_objects():
    schema = {"properties": {"size": {"type": "object", "properties": {"x": {"type": "number"}}}}}
    assert read_documents(b'{"size.x": 1}\n{"size": {"x": 2}}', schema, "ndjson") == [
        {"size": {"x": 1}},
        {"size": {"x": 2}},
    ]


def test_days_are_read_as_pandas_writes_them():
    raw = b'{"day": 1714521600000, "at": 1714557600250}\n{"day": "2024-05-01T00:00:00.000", "at": "2024-05-01"}'
    assert read_documents(raw, DATED, "ndjson") == [
        {"day": "2024-05-01", "at": "2024-05-01T10:00:00.250000+00:00"},
        {"day": "2024-05-01", "at": "2024-05-01T00:00:00Z"},
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"length": 1', "row 2: the document is not valid JSON"),
        (b'{"length": NaN}', "row 2: the document is not valid JSON: NaN is not a JSON number"),
        (b"[1]", "row 2: expected a JSON object"),
        (b"5", "row 2: expected a JSON object"),
        (b'{"length": 1, "length": 2}', "row 2: the document gives 'length' twice"),
        (b'{"length": 1},{"length": 2}', "row 2: the document is not valid JSON"),
        (b'{"a": ' * 5000, "row 2"),
    ],
)
def test_a_line_that_is_no_object_is_a_fault_of_its_own(line, words):
    rows = read(b'{"length": 1}\n' + line + b'\n{"length": 3}\n', name="ndjson")
    assert [row.document for row in rows] == [{"length": 1}, None, {"length": 3}]
    assert isinstance(rows[1].fault, PayloadMalformed)
    assert words in rows[1].fault.message


def test_a_row_of_an_array_is_named_by_its_number_and_its_pointer():
    rows = read(b'[{"length": 1}, 5, {"length": 2}, "x"]', name="json", chunk_rows=2)
    faults = [row.fault and row.fault.message for row in rows]
    told = "expected a JSON object"
    assert faults == [None, f"row 2 (pointer /1): {told}", None, f"row 4 (pointer /3): {told}"]


@pytest.mark.parametrize(("raw", "name"), [(b"", "ndjson"), (b"\n\n", "ndjson"), (b"[]", "json")])
def test_a_file_without_rows_is_refused(raw, name):
    with pytest.raises(FileUnreadable, match="the file is empty"):
        read(raw, name=name)


@pytest.mark.parametrize("raw", [b'""', b"5", b"null", b"true"])
def test_a_file_of_one_value_is_refused(raw):
    with pytest.raises(FileUnreadable, match="neither an array of JSON objects nor one object"):
        read(raw, name="json")


def test_an_array_is_bounded_because_it_is_held_as_a_whole():
    with pytest.raises(PayloadTooLarge, match="one object per line"):
        read(b'[{"length": 1}]', name="json", max_row_bytes=10)
    with pytest.raises(PayloadMalformed):
        read(b"[", name="json")


def test_the_columns_are_those_of_the_model_that_are_used_then_others_as_they_come():
    raw = b'{"id": 1, "kind": "a", "length": 1}\n{"length": 2, "note": "x"}\n'
    reader = open_rows(FORMATS["ndjson"], io.BytesIO(raw), FLOWER, bounds=Bounds())
    assert reader.head.names == ("length", "kind", "id", "note")
    assert [place is not None for place in reader.head.places] == [True, True, False, False]


def test_names_without_end_are_bounded():
    raw = b"\n".join(b'{"length": 1, "x%d": 1}' % i for i in range(300))
    with pytest.raises(FileUnreadable, match="more than 100 columns"):
        read(raw, name="ndjson", max_columns=100)
    assert len(read(raw, name="ndjson", max_columns=100, chunk_rows=50)) == 300


@pytest.mark.parametrize("name", ["csv", "ndjson"])
def test_more_rows_than_may_be_are_refused(name):
    raw = b"length\n1\n2\n3\n" if name == "csv" else b'{"length": 1}\n' * 3
    assert len(read(raw, name=name, max_rows=3)) == 3
    with pytest.raises(PayloadTooLarge, match="more than 2 rows"):
        read(raw, name=name, max_rows=2)
