"""Columns of a sample become drafts of fields."""

import pytest

from model_service.errors import FileUnreadable, ServiceError
from model_service.scaffold.drafting import draft_field, draft_fields, draft_target, find_examples, round_outwards
from model_service.scaffold.sample import MAX_COLUMNS, read_sample


@pytest.fixture
def sample(tmp_path):
    def write(text: str | bytes):
        path = tmp_path / "rows.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_sample(path)

    return write


@pytest.mark.parametrize(
    ("cells", "kind", "least", "most", "values", "is_optional"),
    [
        (["18", "92", "40"], "integer", 15, 95, (), False),
        (["18.0", "", "92.0"], "integer", 15, 95, (), True),
        (["0.06", "0.86"], "number", 0.05, 0.9, (), False),
        (["-3.2", "4"], "number", -3.5, 4, (), False),
        (["1e3", "2.5"], "number", 0, 1000, (), False),
        (["0", "1", "NA"], "choice", None, None, (0, 1), True),
        (["True", "FALSE", "true"], "flag", None, None, (), False),
        (["yes", "no", "yes", "no"], "choice", None, None, ("no", "yes"), False),
        (["007", "012", "007", "012"], "choice", None, None, ("007", "012"), False),
        (["inf", "1", "inf", "1"], "choice", None, None, ("1", "inf"), False),
        (["2020-01-31", "2021-12-01"], "date", None, None, (), False),
        (["2020-13-31"] * 4, "choice", None, None, ("2020-13-31",), False),
        (["7", "7"], "integer", None, None, (), False),
        ([f"text {number}" for number in range(99)], "text", None, 15, (), False),
    ],
)
def test_a_column_is_drafted_by_its_cells(cells, kind, least, most, values, is_optional):
    draft = draft_field("column", cells)
    found = (draft.kind, draft.least, draft.most, draft.values, draft.is_optional)
    assert found == (kind, least, most, values, is_optional)
    assert all(note.isprintable() for note in draft.notes)


def test_a_column_without_a_value_has_no_draft():
    assert draft_field("column", ["", "NA", "null"]) is None


def test_a_decimal_comma_is_read_where_cells_end_with_semicolons():
    assert draft_field("fee", ["1,5", "2,5"]).kind == "choice"
    draft = draft_field("fee", ["1,5", "2,5"], has_comma=True)
    assert (draft.kind, draft.least, draft.most) == ("number", 1.5, 2.5)
    assert "A decimal comma was read as a point." in draft.notes


@pytest.mark.parametrize("ends", [(0.1, 0.3), (1e-9, 1e9), (-5.5, -5.5), (0, 0), (1e15, 3e18), (123456, 123457)])
def test_a_range_is_rounded_outwards(ends):
    least, most = round_outwards(*ends)
    assert least <= ends[0] <= ends[1] <= most


def test_identifiers_days_free_texts_and_empty_columns_are_left_out(sample):
    rows = "\n".join(f"{number},{number % 2},id-{number},2020-01-01,,text {number % 60}" for number in range(120))
    drafts, left_out = draft_fields(sample(f"y,x,id,day,empty,words\n{rows}\n"), "y")
    assert [draft.name for draft in drafts] == ["x"]
    assert [name for name, _ in left_out] == ["id", "day", "empty", "words"]
    assert "identifier" in dict(left_out)["id"]


@pytest.mark.parametrize(
    ("cells", "task", "kind", "values"),
    [
        (["yes", "no"] * 5, "", "choice", ("no", "yes")),
        (["1", "0"] * 5, "", "choice", (0, 1)),
        (["1", "0"] * 5, "regression", "number", ()),
        (["3", "1", "2"] * 5, "", "choice", (1, 2, 3)),
        ([str(number) for number in range(20)], "", "number", ()),
        (["1.5", "2.5"] * 9, "", "number", ()),
        (["true", "false", ""] * 5, "", "choice", (False, True)),
    ],
)
def test_the_target_tells_the_task(sample, cells, task, kind, values):
    draft = draft_target(sample("x,y\n" + "".join(f"1,{cell}\n" for cell in cells)), "y", task)
    assert (draft.kind, draft.values) == (kind, values)


@pytest.mark.parametrize(
    ("cells", "task", "told"),
    [
        (["yes"] * 9, "", "1 different values"),
        ([f"text {number}" for number in range(200)], "", "200 different values"),
        (["", "NA"], "", "every cell of the target is empty"),
        (["yes", "no"], "regression", "give --task classification"),
    ],
)
def test_a_target_that_teaches_nothing_is_refused(sample, cells, task, told):
    with pytest.raises(FileUnreadable, match=told):
        draft_target(sample("x,y\n" + "".join(f"1,{cell}\n" for cell in cells)), "y", task)
    with pytest.raises(FileUnreadable, match="its columns are x, y"):
        draft_target(sample("x,y\n1,2\n"), "z")


def test_examples_are_real_rows_whole_ones_first(sample):
    read = sample("a,b,y\n1,,0\n2,x,1\n3,x,0\n4,x,1\n,,0\n")
    drafts, _ = draft_fields(read, "y")
    assert find_examples(read, drafts) == [{"a": 2, "b": "x"}, {"a": 3, "b": "x"}, {"a": None, "b": None}]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"a,b\n", "a header and no rows"),
        (b"a,a\n1,2\n", "'a' twice"),
        (b"a,b\n1\n", "has 1 cell"),
        (b'a,b\n"1,2\n', "never closed"),
        ("a,b\n1,é\n".encode("latin-1"), "not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (b"a,b\n1,\0\n", "NUL"),
        (b"PK\x03\x04abc", "spreadsheet"),
        (",".join(f"c{number}" for number in range(10_000)).encode() + b"\n", f"more than {MAX_COLUMNS} columns"),
        (b"a\n" + b"x" * 3_000_000, "more than 1048576 bytes"),
    ],
)
def test_a_hostile_file_is_one_sentence(sample, raw, told):
    with pytest.raises(ServiceError) as caught:
        sample(raw)
    assert told in caught.value.message


def test_a_mark_semicolons_and_a_column_without_a_name_are_no_obstacle(sample):
    read = sample("\ufeff;a;b\r\n0;1,5;x\r\n1;2;y\r\n")
    assert (list(read.columns), read.delimiter, read.rows) == (["a", "b"], ";", 2)


@pytest.mark.parametrize("name", ["rows.parquet", "rows", "missing.csv"])
def test_another_format_and_a_file_that_is_not_there_are_refused(tmp_path, name):
    if "missing" not in name:
        (tmp_path / name).write_text("a\n1\n")
    with pytest.raises(ServiceError, match="takes CSV|cannot be read"):
        read_sample(tmp_path / name)
