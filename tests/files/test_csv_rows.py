import csv
import gzip
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import FLOWER, read, read_documents

from model_service.errors import FileUnreadable, PayloadMalformed
from model_service.files.formats import FORMATS
from model_service.files.opening import open_rows
from model_service.files.rows import Bounds

NESTED = {
    "type": "object",
    "properties": {
        "size": {
            "type": "object",
            "properties": {"x": {"type": "number"}, "y": {"type": ["number", "null"]}},
            "required": ["x", "y"],
        },
        "maker": {"anyOf": [{"$ref": "#/$defs/maker"}, {"type": "null"}]},
        "more": {"type": "object", "properties": {"n": {"type": "integer"}}},
        "tags": {"type": "array"},
        "a.b": {"type": "integer"},
    },
    "required": ["size"],
    "$defs": {"maker": {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}},
}


@pytest.mark.parametrize(
    "raw",
    [
        b"length,width,kind\n1.5,2,a\n",
        b"\xef\xbb\xbflength,width,kind\n1.5,2,a\n",
        b"length,width,kind\r\n1.5,2,a\r\n",
        b"length,width,kind\r1.5,2,a\r",
        b"length,width,kind\n1.5,2,a",
        b"\n\nlength,width,kind\n\n1.5,2,a\n\n",
        b"length;width;kind\n1.5;2;a\n",
        b"length\twidth\tkind\n1.5\t2\ta\n",
        b"length|width|kind\n1.5|2|a\n",
        b'"length","width","kind"\n"1.5","2","a"\n',
        b" length , width ,kind\n1.5,2,a\n",
        b"kind,length,width\na,1.5,2\n",
    ],
    ids=[
        *("plain", "byte-order-mark", "crlf", "cr", "no-last-line-end", "blank-lines", "semicolons", "tabs", "bars"),
        *("quotes", "blanks-around-names", "another-order"),
    ],
)
def test_every_way_to_write_the_same_table_gives_the_same_row(raw):
    assert read_documents(raw) == [{"length": 1.5, "width": 2, "kind": "a"}]


def test_quoted_cells_hold_delimiters_quotes_and_line_ends():
    raw = b'length,kind\n1,"a,""b""\r\nc;d"\n'
    assert read_documents(raw) == [{"length": 1, "kind": 'a,"b"\r\nc;d'}]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        *[(word, True) for word in ("true", "TRUE", "True", "yes", "Yes", "YES", "1", "1.0", " true ")],
        *[(word, False) for word in ("false", "FALSE", "False", "no", "No", "0", "0.0")],
    ],
)
def test_booleans_are_read_as_spreadsheets_and_programs_write_them(cell, value):
    assert read_documents(f"length,is_wild\n1,{cell}\n".encode()) == [{"length": 1, "is_wild": value}]


def test_what_is_no_boolean_stays_a_text_for_validation_to_explain():
    assert read_documents(b"length,is_wild\n1,maybe\n2,2\n") == [
        {"length": 1, "is_wild": "maybe"},
        {"length": 2, "is_wild": 2},
    ]


@pytest.mark.parametrize("cell", ["", "NaN", "nan", "null", "NULL", "None", "N/A", " "])
def test_a_number_without_a_value_is_null_where_that_is_allowed_and_missing_elsewhere(cell):
    assert read_documents(f"length,width\n{cell},{cell}\n".encode()) == [{"width": None}]


def test_an_empty_text_is_missing_or_null_and_the_word_null_is_a_text():
    schema = {"properties": {"a": {"type": "string"}, "b": {"type": ["string", "null"]}, "c": {"type": "integer"}}}
    assert read_documents(b"a,b,c\n,,1\nnull,NaN,2\n", schema) == [
        {"b": None, "c": 1},
        {"a": "null", "b": "NaN", "c": 2},
    ]


@pytest.mark.parametrize(
    "cell", ["1_000", "0x10", "+5", "1,5", "five", "\uff15", "[1]", "1.5.2", "'5'"], ids=lambda cell: ascii(cell)
)
def test_what_python_might_take_for_a_number_is_none_unless_json_says_so(cell):
    [document] = read_documents(f'length\n"{cell}"\n'.encode())
    assert document == {"length": [1] if cell == "[1]" else cell}


def test_one_bad_cell_changes_no_other_cell_of_its_column():
    cells = ["1", "2.50", "x", "123456789012345678901", "1e3", "-0"]
    documents = read_documents(("length\n" + "\n".join(cells)).encode())
    assert [document["length"] for document in documents] == [1, 2.5, "x", 123456789012345678901, 1000.0, 0]


def test_cells_that_only_together_look_like_numbers_stay_apart():
    documents = read_documents(b'length,width\n"1,2",3\n"",4\n')
    assert documents == [{"length": "1,2", "width": 3}, {"width": 4}]


def test_columns_that_the_model_does_not_know_are_kept_beside_the_payload():
    [row] = read(b"id,length,note\n007,1,hello\n")
    assert row.document == {"length": 1}
    assert row.source == ["007", "1", "hello"]


def test_a_schema_that_is_open_to_other_fields_gets_them():
    schema = {"properties": {"a": {"type": "integer"}}, "additionalProperties": {"type": "number"}}
    assert read_documents(b"a,b\n1,2.5\n", schema) == [{"a": 1, "b": 2.5}]
    schema = {"properties": {"a": {"type": "integer"}}, "patternProperties": {"^b": {"type": "number"}}}
    assert read_documents(b"a,b1,c1\n1,2.5,3\n", schema) == [{"a": 1, "b1": 2.5}]
    assert read_documents(b"a,b\n1,2.5\n", {"type": "object"}) == [{"a": "1", "b": "2.5"}]


def test_dotted_columns_are_the_fields_of_nested_objects():
    raw = b'size.x,size.y,maker.name,maker.age,more.n,tags,a.b\n1,2,Ann,40,5,"[1, 2]",6\n1,,,,,,\n'
    assert read_documents(raw, NESTED) == [
        {
            "size": {"x": 1, "y": 2},
            "maker": {"name": "Ann", "age": 40},
            "more": {"n": 5},
            "tags": [1, 2],
            "a.b": 6,
        },
        {"size": {"x": 1, "y": None}, "maker": None},
    ]


def test_a_nested_object_without_any_value_is_there_only_if_it_must_be():
    assert read_documents(b"size.x,size.y,more.n\n,,\n", NESTED) == [{"size": {"y": None}}]


@pytest.mark.parametrize(
    ("text_format", "cell", "value"),
    [
        ("date", "2024-05-01", "2024-05-01"),
        ("date", "2024-05-01 00:00:00", "2024-05-01"),
        ("date", "2024-05-01T00:00:00.000000", "2024-05-01"),
        ("date", "2024-05-01 10:00:00", "2024-05-01 10:00:00"),
        ("date", "May", "May"),
        ("date-time", "2024-05-01 10:00:00", "2024-05-01T10:00:00Z"),
        ("date-time", "2024-05-01T10:00:00.250000", "2024-05-01T10:00:00.250000Z"),
        ("date-time", "2024-05-01 10:00:00+02:00", "2024-05-01T10:00:00+02:00"),
        ("date-time", "2024-05-01T10:00:00.000000+0000", "2024-05-01T10:00:00.000000+00:00"),
        ("date-time", "2024-05-01", "2024-05-01T00:00:00Z"),
        ("uri", "2024-05-01 00:00:00", "2024-05-01 00:00:00"),
    ],
)
def test_days_and_moments_are_read_as_programs_write_them(text_format, cell, value):
    schema = {"properties": {"at": {"type": "string", "format": text_format}, "n": {"type": "integer"}}}
    assert read_documents(f"at,n\n{cell},1\n".encode(), schema) == [{"at": value, "n": 1}]


@pytest.mark.parametrize("cells", [["1"], ["1", "2", "3", "4"]], ids=["too-few", "too-many"])
def test_a_ragged_row_is_a_fault_of_its_own(cells):
    rows = read(f"length,width,kind\n1,2,a\n{','.join(cells)}\n3,4,b\n".encode())
    assert [row.document and row.document["length"] for row in rows] == [1, None, 3]
    assert isinstance(rows[1].fault, PayloadMalformed)
    assert f"row 2 has {len(cells)} cell" in rows[1].fault.message
    assert "the header 3" in rows[1].fault.message
    assert rows[1].source == (cells + [""] * 3)[:3]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"length,width\n", "a header and no rows"),
        (b"length,width", "a header and no rows"),
        (b"5.1,3.5\n4.9,3.0\n", "no column is a field of the model; the file begins with a row of names"),
        (b"width,kind\n1,a\n", "the column 'length' is missing"),
        (b"length,width,length\n1,2,3\n", "the header names 'length' twice"),
        (b"length,id,id\n1,2,3\n", "the header names 'id' twice"),
        (b'length,kind\n1,"a\n2,b\n', "row 1 cannot be read as CSV: a double quote that opens a cell is never closed"),
        (b'length,kind\n1,"a"b\n', "row 1 cannot be read as CSV: text follows the double quote"),
        (b"length,kind\n1,a\n2,b\0c\n", "byte 20 is NUL"),
        ("length,kind\n1,é\n".encode("latin-1"), "the file is not UTF-8 text (byte 15)"),
        ("length,kind\n1,é\n".encode("utf-16"), "the file is UTF-16"),
        ("length,kind\n1,é\n".encode("utf-32"), "the file is UTF-32"),
        ("length,kind\n1,é\n".encode("utf-16-le"), "byte 2 is NUL"),
        (b"length,kind\n1,\xc3", "the file is not UTF-8 text (byte 15)"),
        (gzip.compress(b"length\n1\n", mtime=0), "the file is compressed with gzip"),
        (b"PK\x03\x04 and so on", "the file is a spreadsheet or a ZIP archive"),
        (b"PAR1 and so on", "the file is Parquet"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_place_and_the_way_out(raw, words):
    with pytest.raises(FileUnreadable) as caught:
        read(raw)
    assert words in caught.value.message


def test_the_byte_of_a_wrong_letter_is_counted_through_all_blocks():
    raw = b"length,kind\n" + "1,é\n".encode() * 200_000
    with pytest.raises(FileUnreadable, match=rf"byte {len(raw) + 1}\)"):
        read(raw + b"\xff\n")
    with pytest.raises(FileUnreadable, match=rf"byte {len(raw) + 3} is NUL"):
        read(raw + b"1,\0\n")


class Endless(io.RawIOBase):
    """One line of a gigabyte, made while it is read."""

    def __init__(self, start, size):
        self._start = start
        self.given = 0
        self._size = size

    def readable(self):
        return True

    def read(self, size=-1):
        if not self.given:
            self.given = len(self._start) or 1
            return self._start or b"1"
        size = min(size, self._size - self.given)
        self.given += size
        return b"1" * size


@pytest.mark.parametrize("start", [b"length,kind\n1,", b'length,kind\n1,"', b"length,", b""], ids=ascii)
@pytest.mark.parametrize("name", ["csv", "ndjson"])
def test_a_line_of_a_gigabyte_is_not_read_to_its_end(start, name):
    stream = Endless(start, 10**9)
    with pytest.raises(FileUnreadable, match="has more than 1000000 bytes"):
        list(open_rows(FORMATS[name], stream, FLOWER, bounds=Bounds(max_row_bytes=1_000_000)))
    assert stream.given < 2_000_000


def test_a_quote_that_is_never_closed_does_not_swallow_the_file():
    raw = b'length,kind\n1,"a\n' + b"2,b\n" * 500_000
    with pytest.raises(FileUnreadable, match="or a double quote never closed"):
        read(raw, max_row_bytes=200_000)


def test_ten_thousand_columns_are_read_and_more_are_refused():
    names = [f"c{i}" for i in range(9_999)]
    raw = ",".join(["length", *names]).encode() + b"\n" + b",".join([b"1"] * 10_000) + b"\n"
    [row] = read(raw)
    assert row.document == {"length": 1}
    assert len(row.source) == 10_000
    with pytest.raises(FileUnreadable, match="more than 9999 columns"):
        read(raw, max_columns=9_999)


def test_chunks_end_at_rows_or_at_bytes_and_number_the_rows():
    raw = b"length\n" + b"1\n" * 2500
    reader = open_rows(FORMATS["csv"], io.BytesIO(raw), FLOWER, bounds=Bounds(chunk_rows=1000))
    assert [(rows[0].number, rows[-1].number) for rows in reader] == [(1, 1000), (1001, 2000), (2001, 2500)]
    raw = b"length,kind\n" + b"1," + b"x" * 300_000 + b"\n" + b"2,y\n" + b"3," + b"z" * 300_000 + b"\n"
    reader = open_rows(FORMATS["csv"], io.BytesIO(raw), FLOWER, bounds=Bounds(chunk_bytes=1000))
    assert [row.document["length"] for rows in reader for row in rows] == [1, 2, 3]


class Dripping(io.RawIOBase):
    """Gives a file in pieces of any size, as a pipe does."""

    def __init__(self, raw, sizes):
        self._raw, self._sizes = io.BytesIO(raw), iter(sizes)

    def readable(self):
        return True

    def read(self, size=-1):
        return self._raw.read(min(size, next(self._sizes, size)))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 1000), max_size=200))
def test_chunks_are_the_same_however_the_bytes_arrive(sizes):
    raw = b"length,kind\n" + b"".join(b"%d,%s\n" % (i, b"\xc3\xa9" * (i % 700)) for i in range(800))
    bounds = Bounds(chunk_rows=100_000, chunk_bytes=200_000)
    whole = list(open_rows(FORMATS["csv"], io.BytesIO(raw), FLOWER, bounds=bounds))
    assert len(whole) > 1
    assert list(open_rows(FORMATS["csv"], Dripping(raw, sizes), FLOWER, bounds=bounds)) == whole


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(allow_nan=False, allow_infinity=False), TEXTS), min_size=1), st.sampled_from(",;\t|")
)
def test_what_the_csv_module_writes_is_read_again(pairs, delimiter):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows([("length", "kind"), *pairs])
    wanted = [{"length": number} | ({"kind": kind} if kind else {}) for number, kind in pairs]
    assert read_documents(text.getvalue().encode()) == wanted
