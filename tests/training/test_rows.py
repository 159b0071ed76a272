"""`read_rows`: a table as payloads and labels, typed by the schema."""

import pytest

from model_service.fields import choice, flag, integer, number, optional, record
from model_service.training.rows import read_number, read_rows

SCHEMA = record(
    "Row",
    {
        "age": optional(integer("Age")),
        "fee": optional(number("Fee")),
        "plan": optional(choice("Plan", ("a", "007"))),
        "paperless": flag("Paperless"),
    },
)
TARGET = {"left": choice("Left", (0, 1))}


def read(tmp_path, text, target=None):
    path = tmp_path / "rows.csv"
    path.write_bytes(text.encode())
    return read_rows(path, SCHEMA, target or TARGET)


def test_cells_are_typed_by_the_schema_and_rows_without_a_label_are_left_out(tmp_path):
    text = "id,age,fee,plan,paperless,left\n1,40.0,1.5,007,True,1\n2,NA,,,false,0\n3,1,2,a,true,\n"
    payloads, labels = read(tmp_path, text)
    assert payloads == [
        {"age": 40, "fee": 1.5, "plan": "007", "paperless": True},
        {"age": None, "fee": None, "plan": None, "paperless": False},
    ]
    assert isinstance(payloads[0]["age"], int)
    assert labels == [1, 0]


def test_a_file_of_a_spreadsheet_may_have_a_mark_semicolons_and_decimal_commas(tmp_path):
    payloads, labels = read(tmp_path, '\ufeff"left";fee;age;plan;paperless\r\n1;1,25;40;"a";TRUE\r\n')
    assert payloads == [{"fee": 1.25, "age": 40, "plan": "a", "paperless": True}]
    assert labels == [1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "rows.csv has no column 'left'"),
        ("left,age\n1,2\n", "rows.csv has no column 'paperless'"),
        ("left,paperless\n", "rows.csv has no row with a value of 'left'"),
        ("left,paperless\n1,true\n1\n", "row 2 of rows.csv has 1 cells, and the header 2"),
        ("left,paperless,age\n1,true,old\n", "row 1 of rows.csv: a cell is not of the type integer or null"),
        ("left,paperless\nyes,true\n", "row 1 of rows.csv: a cell is not of the type integer"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_by_row_and_column(tmp_path, text, told):
    with pytest.raises(ValueError, match=f"^{told}"):
        read(tmp_path, text)


@pytest.mark.parametrize("text", ["1_000", "inf", "nan", "1e999", "0x10", "", " 1", "\uff11"])
def test_what_only_python_calls_a_number_is_none(text):
    assert read_number(text) is None
