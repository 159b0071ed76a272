import csv
import io
import json

import pytest
from samples import FLOWER, OUTPUT, read, write

from model_service.errors import MediaTypeUnsupported, PayloadInvalid, PredictionFailed
from model_service.files.formats import FORMATS, find_format
from model_service.records import Violation

ROSE = {"species": "rose, red", "shares": {"a": 0.25, "b": 1e-9}, "is_sure": True}
BARE = {"species": "tulip"}
INVALID = PayloadInvalid(
    "2 faults", [Violation("/length", "maximum", "too long"), Violation("/a~1b/0", "type", "expected a text")]
)
TABLE = b"id,length,kind\n007,1.50,a\n008,200,\n009,3,b\n"
NAMES = ["species", "shares.a", "shares.b", "is_sure", "error.code", "error.column", "error.message"]


def read_table(raw):
    return list(csv.reader(io.StringIO(raw.decode(), newline="")))


def test_a_table_is_written_with_its_own_cells_then_the_prediction_then_the_error():
    assert read_table(write(TABLE, [ROSE, INVALID, BARE])) == [
        ["id", "length", "kind", *NAMES],
        ["007", "1.50", "a", "rose, red", "0.25", "1e-9", "true", "", "", ""],
        *[["008", "200", "", "", "", "", "", "payload_invalid", "length", "too long; a/b.0: expected a text"]],
        ["009", "3", "b", "tulip", "", "", "", "", "", ""],
    ]


@pytest.mark.parametrize("target", ["csv", "ndjson"])
@pytest.mark.parametrize("chunk_rows", [1, 2, 1000])
def test_parts_by_different_writers_make_the_same_file(chunk_rows, target):
    outcomes = [ROSE, INVALID, BARE]
    assert write(TABLE, outcomes, target=target, chunk_rows=chunk_rows) == write(TABLE, outcomes, target=target)


def test_a_table_keeps_the_delimiter_that_it_had():
    raw = write(b"length;kind\n1;a\n", [BARE])
    assert raw.splitlines() == [";".join(["length", "kind", *NAMES]).encode(), b"1;a;tulip;;;;;;"]


def test_a_carriage_return_in_a_cell_stays_in_its_cell():
    raw = write(b'length,kind\n1,"a\rb"\n', [BARE])
    assert read_table(raw)[1] == ["1", "a\rb", "tulip", "", "", "", "", "", ""]
    assert [row.document for row in read(raw)] == [{"length": 1, "kind": "a\rb"}]


@pytest.mark.parametrize(
    "cell", ["a", "", " a ", "a,b", 'a"b', "a\nb", "a\r\nb", '"', ",", "é\u2028", "1;2"], ids=ascii
)
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_cells_have_quotes_where_they_need_them_and_only_there(cell, delimiter):
    outcomes = [BARE, {"species": cell}, ROSE]
    raw = write(f"length{delimiter}kind\n1{delimiter}a\n2{delimiter}b\n3{delimiter}c\n".encode(), outcomes)
    table = list(csv.reader(io.StringIO(raw.decode(), newline=""), delimiter=delimiter))
    assert table[2][2] == cell
    expected = io.StringIO()
    quoting = csv.QUOTE_ALL if "\r" in cell else csv.QUOTE_MINIMAL
    csv.writer(expected, delimiter=delimiter, lineterminator="\n", quoting=quoting).writerows(table[1:])
    assert raw.decode().partition("\n")[2] == expected.getvalue()


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1.5, 2, 1e22, -0.0], ["1.5", "2", "1e+22", "-0.0"]),
        ([1, None, 3, 4], ["1", "", "3", "4"]),
        ([2**70, 1, 2, 3], [str(2**70), "1", "2", "3"]),
        (["1", [2, 3], True, {}], ["1", "[2,3]", "true", "{}"]),
    ],
    ids=["numbers", "nulls", "beyond-64-bits", "what-the-schema-does-not-say"],
)
def test_numbers_are_written_as_json_has_them_whatever_stands_beside_them(values, texts):
    output = {"type": "object", "properties": {"x": {"type": ["number", "null"]}}}
    table = read_table(write(b"length\n" + b"1\n" * len(values), [{"x": value} for value in values], output=output))
    assert [row[1] for row in table[1:]] == texts


def test_a_ragged_row_stays_in_its_place_with_its_error():
    table = read_table(write(b"length,kind\n1\n2,b\n", [BARE]))
    assert table[1][:2] == ["1", ""]
    assert table[1][6:8] == ["payload_malformed", ""]
    assert table[1][8].startswith("row 1 has 1 cell")
    assert table[2][:3] == ["2", "b", "tulip"]


def test_columns_whose_names_are_taken_are_prefixed():
    raw = b"length,species,error.code\n1,mine,kept\n"
    header, row = read_table(write(raw, [BARE]))
    assert header[:4] == ["length", "species", "error.code", "prediction.species"]
    assert header[-3:] == ["prediction.error.code", "error.column", "error.message"]
    assert row[:4] == ["1", "mine", "kept", "tulip"]
    [line] = write(
        b'{"length": 1, "species": "mine", "error": 5}\n', [BARE], source="ndjson", target="ndjson"
    ).splitlines()
    assert json.loads(line) == {"length": 1, "species": "mine", "error": 5, "prediction.species": "tulip"}


def test_lines_hold_the_row_and_its_output_or_its_error():
    raw = b'{"id": 7, "length": 1, "kind": null}\n{"length": 200}\nbroken\n'
    lines = write(raw, [ROSE, INVALID], source="ndjson", target="ndjson").splitlines()
    first, second, third = map(json.loads, lines)
    assert first == {"id": 7, "length": 1, "kind": None, **ROSE}
    error = {"code": "payload_invalid", "column": "length", "message": "too long; a/b.0: expected a text"}
    assert second == {"length": 200, "error": error}
    assert third["error"]["code"] == "payload_malformed"
    assert third["error"]["message"].startswith("row 3: the document is not valid JSON")


def test_a_table_becomes_lines_of_typed_values():
    lines = write(TABLE, [ROSE, PredictionFailed("the model failed"), BARE], target="ndjson").splitlines()
    first, second, third = map(json.loads, lines)
    assert first == {"id": "007", "length": 1.5, "kind": "a", **ROSE}
    assert second["error"] == {"code": "prediction_failed", "column": "", "message": "the model failed"}
    assert third == {"id": "009", "length": 3, "kind": "b", **BARE}


def test_lines_become_a_table_of_dotted_columns():
    schema = {
        "properties": {
            "size": {"type": "object", "properties": {"x": {"type": "number"}, "y": {"type": "number"}}},
            "tags": {"type": "array"},
            "is_new": {"type": "boolean"},
        }
    }
    raw = b'{"size": {"x": 1}, "tags": ["a", null], "is_new": false, "id": 1}\n{"size.y": 2, "id": null}\n'
    table = read_table(write(raw, [BARE, BARE], source="ndjson", schema=schema))
    assert table[0][:5] == ["size.x", "size.y", "tags", "is_new", "id"]
    assert table[1][:6] == ["1", "", '["a",null]', "false", "1", "tulip"]
    assert table[2][:6] == ["", "2", "", "", "", "tulip"]


LATE = [{"length": 1, "id": 7}, {"length": 2}, {"length": 3, "note": "x", "width": 5.5, "deep": {"a": [1]}}, {"id": 8}]


def test_members_that_come_later_than_the_columns_are_kept_in_one_more():
    raw = b"".join(json.dumps(row).encode() + b"\n" for row in LATE)
    table = read_table(write(raw, [BARE] * 4, source="ndjson", chunk_rows=2))
    assert table[0][:6] == ["length", "width", "kind", "is_wild", "id", "other"]
    assert [row[5] for row in table[1:]] == ["", "", '{"note":"x","deep":{"a":[1]}}', ""]
    assert table[3][1] == "5.5"  # a column of the model, which no row has used before
    taken = read_table(write(b'{"length": 1, "other": "mine"}\n' + raw, [BARE] * 5, source="ndjson", chunk_rows=1))
    assert taken[0][4:6] == ["other", "prediction.other"]
    assert [row[4:6] for row in taken[1:3]] == [["mine", ""], ["", '{"id":7}']]


def test_fields_of_a_nested_object_that_are_no_column_are_kept():
    schema = {"properties": {"size": {"type": "object", "properties": {"x": {"type": "number"}}}}}
    rows = [{"size": {"x": 1, "colour": "red"}}, {"size": {"x": 2}}, {"size": None}, {"size": "large"}, {"size.x": 3}]
    raw = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    table = read_table(write(raw, [BARE] * 5, source="ndjson", schema=schema))
    assert table[0][:3] == ["size.x", "other", "species"]
    told = [["1", '{"size":{"colour":"red"}}'], ["2", ""], ["", ""], ["", '{"size":"large"}'], ["3", ""]]
    assert [row[:2] for row in table[1:]] == told
    plain = read_table(write(b'{"size": {"x": 1}}\n', [BARE], source="ndjson", schema=schema))
    assert plain[0][:2] == ["size.x", "species"]


def test_a_file_of_one_chunk_and_an_array_have_a_column_for_each_member():
    raw = b"".join(json.dumps(row).encode() + b"\n" for row in LATE)
    for content, source, chunk_rows in ((raw, "ndjson", 4), (json.dumps(LATE).encode(), "json", 1)):
        header = read_table(write(content, [BARE] * 4, source=source, chunk_rows=chunk_rows))[0]
        assert header[:5] == ["length", "width", "id", "note", "deep"]


def test_an_output_without_named_fields_is_one_column_of_json():
    [header, row] = read_table(write(b"length\n1\n", [{"x": [1]}], output={"type": "object"}))
    assert header == ["length", "prediction", "error.code", "error.column", "error.message"]
    assert row == ["1", '{"x":[1]}', "", "", ""]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ({"media_type": "text/csv"}, "csv"),
        ({"media_type": "Application/X-NDJSON"}, "ndjson"),
        ({"file_name": "a/b.CSV"}, "csv"),
        ({"file_name": "rows.csv.gz"}, "csv"),
        ({"file_name": "rows.jsonl"}, "ndjson"),
        ({"file_name": "genome.fa"}, "fasta"),
        ({"file_name": "rows.parquet"}, "parquet"),
    ],
)
def test_media_types_and_names_tell_the_format(words, name):
    assert find_format(**words) is FORMATS[name]


def test_what_no_format_has_is_told():
    assert find_format(media_type="text/html") is None
    assert find_format(file_name="rows.xlsx") is None
    with pytest.raises(MediaTypeUnsupported, match="fasta is read, not written; choose csv, ndjson"):
        FORMATS["fasta"].find_writer()


def test_every_format_but_those_that_are_read_only_has_a_writer():
    assert [name for name, each in FORMATS.items() if not each.writer] == ["json", "fasta"]
    assert OUTPUT["properties"].keys() >= set(BARE)
    assert FLOWER["required"] == ["length"]
