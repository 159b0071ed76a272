"""The modules of the page of files by themselves, run in the browser against the rules that they mirror."""

import csv
import io
import json
import math

import pytest

from model_service.schema.columns import describe_columns, parse_columns
from model_service.schema.validation import SchemaValidator


@pytest.fixture(scope="module")
def page_of_files(browser, toys):
    """A page whose modules are called; what they are asked leaves nothing behind, so all tests share it."""
    page = browser.new_page()
    page.goto(f"{toys}/models/double_model/batch")
    yield page
    page.close()


@pytest.fixture
def run(page_of_files):
    """Return a function that runs the body of a function of JavaScript; ``load(name)`` imports a module there."""

    def run(body, argument=None):
        script = """async (argument) => {
          const base = document.querySelector('script[src$="js/batch.js"]').src.replace(/batch\\.js$/, "batch/");
          const load = (name) => import(`${base}${name}.js`);
        """
        return page_of_files.evaluate(f"{script}{body}}}", argument)

    return run


READ_CSV = """
  const { parseCsv } = await load("csv");
  try {
    const table = await parseCsv(argument.text, { known: argument.known ?? [] });
    const rows = Array.from({ length: table.length }, (_, i) => table.cellsOf(i));
    return { columns: table.columns, rows, faults: rows.map((_, i) => table.faultOf(i)), format: table.format };
  } catch (error) {
    return error.message;
  }
"""


def read_csv(run, text, **more):
    return run(READ_CSV, {"text": text, **more})


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        pytest.param("a,b\n1,2\n", [["1", "2"]], id="plain"),
        pytest.param("a,b\r\n1,2\r\n3,4", [["1", "2"], ["3", "4"]], id="crlf-and-no-last-line-end"),
        pytest.param("a,b\r1,2\r3,4\r", [["1", "2"], ["3", "4"]], id="cr-alone"),
        pytest.param('a,b\n"1,5","2"\n', [["1,5", "2"]], id="quotes"),
        pytest.param('a,b\n"say ""hi""",""\n', [['say "hi"', ""]], id="doubled-quotes"),
        pytest.param('a,b\n"one\r\ntwo",2\n', [["one\r\ntwo", "2"]], id="line-end-inside-quotes"),
        pytest.param('a,b\nx"y,2\n', [['x"y', "2"]], id="quote-inside-a-cell"),
        pytest.param("a,b\n1,\n,2\n", [["1", ""], ["", "2"]], id="empty-cells"),
        pytest.param("a,b\n1,2\n\n\n  \n,\n", [["1", "2"]], id="blank-lines-at-the-end"),
        pytest.param("a;b\n1,5;2\n", [["1,5", "2"]], id="semicolons"),
        pytest.param("a\tb\n1\t2;3,4\n", [["1", "2;3,4"]], id="tabs"),
        pytest.param('"a;x",b\n1,2\n', [["1", "2"]], id="another-delimiter-inside-quotes"),
        pytest.param("a\n1\n\n2\n", [["1"], [""], ["2"]], id="one-column"),
        pytest.param("a,b\n é ,\U0001f33c\n", [[" é ", "\U0001f33c"]], id="letters-of-the-world-and-blanks"),
    ],
)
def test_csv_is_read_as_rfc_4180_says(run, text, rows):
    found = read_csv(run, text)
    assert (found["rows"], found["faults"]) == (rows, [""] * len(rows))


def test_csv_is_read_as_python_reads_it(run):
    cells = ["", "plain", "a,b", 'a"b', "a\nb", "a\r\nb", '""', " ", "=1+1", "é", ";", "\t"]
    rows = [["k", one, other] for one in cells for other in cells]
    text = io.StringIO()
    csv.writer(text).writerows([["k", "first", "second"], *rows])
    assert read_csv(run, text.getvalue())["rows"] == rows


def test_a_row_with_more_or_fewer_cells_is_a_row_with_an_error(run):
    found = read_csv(run, "a,b\n1\n1,2\n1,2,3,4\n\n5,6\n")
    assert found["columns"] == ["a", "b", "extra_cells"]
    assert found["rows"][2] == ["1", "2", "3,4"]
    assert found["faults"] == [
        "1 cell, but the header has 2",
        "",
        "4 cells, but the header has 2",
        "the line is blank",
        "",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param('a,b\n1,2\n3,"4\n5,6\n', "A quote opens in line 3 and is never closed", id="unclosed-quote"),
        pytest.param("a,b,a\n1,2,3\n", "Two columns are named “a”; rename or remove one.", id="same-name-twice"),
        pytest.param("a,,b\n1,2,3\n", "Column 2 has no name in the header", id="nameless-column"),
        pytest.param("5.1,3.5\n4.9,3\n", "The first line has no column names; add a header", id="no-header"),
        pytest.param("a,b\n\n", "The file has a header and no rows", id="no-rows"),
        pytest.param(
            "a\n" + "1\n" * 100_001, "The file has more than 100,000 rows; split the file", id="too-many-rows"
        ),
        pytest.param(",".join(f"c{i}" for i in range(5001)), "more than 5,000 columns", id="too-many-columns"),
    ],
)
def test_a_broken_csv_is_told_in_one_sentence_with_the_way_out(run, text, sentence):
    assert sentence in read_csv(run, text)


def test_numbers_in_the_header_are_names_where_the_model_has_such_fields(run):
    assert read_csv(run, "0,1\n5,6\n", known=["0", "1"])["rows"] == [["5", "6"]]


def test_blank_lines_beyond_the_bound_are_no_rows(run):
    assert read_csv(run, "a\n1\n" + "\n" * 100_005)["rows"] == [["1"]]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"PK\x03\x04rest", "save the sheet as “CSV UTF-8”", id="spreadsheet"),
        pytest.param("a,b\n1,2".encode("utf-16"), "The file is UTF-16, not UTF-8", id="utf-16"),
        pytest.param(b"\x89PNG\r\n\x1a\n\x00\x00", "The file is binary, not text", id="binary"),
        pytest.param("a\né\n".encode("latin-1"), "The file is not UTF-8 text", id="latin-1"),
        pytest.param(b"", "The file is empty", id="empty"),
        pytest.param(b"\xef\xbb\xbf \n", "The file is empty", id="nothing-but-blanks"),
    ],
)
def test_what_is_no_text_is_told_in_one_sentence_with_the_way_out(run, content, sentence):
    body = """
      const { readText } = await load("file_text");
      return readText(new File([new Uint8Array(argument)], "x.csv")).then(() => "read", (error) => error.message);
    """
    assert sentence in run(body, list(content))


def test_a_file_beyond_the_bound_is_refused_before_it_is_read(run):
    body = """
      const { readText } = await load("file_text");
      const file = new File([new Uint8Array(51 * 1024 * 1024)], "x.csv");
      return readText(file).then(() => "read", (error) => error.message);
    """
    assert "larger than 50 MB; split the file" in run(body)


READ_JSON = """
  const { parseJsonRows } = await load("json_rows");
  try {
    const table = await parseJsonRows(argument);
    const numbers = Array.from({ length: table.length }, (_, i) => i);
    return {
      columns: table.columns, format: table.format, cells: numbers.map((i) => table.cellsOf(i)),
      faults: numbers.map((i) => table.faultOf(i)),
      payloads: numbers.map((i) => table.payloadOf(i, new Map(), new Set())),
      without_a: numbers.map((i) => (table.faultOf(i) ? "" : table.payloadOf(i, new Map(), new Set(["a"])))),
    };
  } catch (error) {
    return error.message;
  }
"""


@pytest.mark.parametrize(
    ("text", "form"),
    [
        pytest.param('{"a": 1, "b": "x"}\n{"b": [1, {"c": 2}]}\n', "JSON lines", id="lines"),
        pytest.param('{"a": 1, "b": "x"}\r\n\r\n{"b": [1, {"c": 2}]}', "JSON lines", id="blank-lines"),
        pytest.param('[{"a": 1, "b": "x"},\n {"b": [1, {"c": 2}]}]\n', "JSON array", id="array"),
    ],
)
def test_json_rows_have_their_top_level_keys_as_columns(run, text, form):
    found = run(READ_JSON, text)
    assert (found["format"], found["columns"]) == (form, ["a", "b"])
    assert found["cells"] == [["1", "x"], ["", '[1, {"c": 2}]']]
    assert found["payloads"] == ['{"a": 1, "b": "x"}', '{"b": [1, {"c": 2}]}']
    assert [json.loads(payload) for payload in found["without_a"]] == [{"b": "x"}, {"b": [1, {"c": 2}]}]


def test_one_object_over_several_lines_is_one_row(run):
    found = run(READ_JSON, '{\n  "a": 1,\n  "b": {"c": "}"}\n}\n')
    assert (found["format"], found["cells"]) == ("JSON object", [["1", '{"c": "}"}']])


def test_a_broken_line_is_a_row_with_an_error(run):
    found = run(READ_JSON, '{"a": 1}\n{"a": \n5\n{"a": 2}\n')
    assert found["faults"] == ["", "this is not valid JSON", "expected a JSON object", ""]


def test_a_broken_element_of_an_array_is_a_row_with_an_error(run):
    assert run(READ_JSON, '[{"a": 1}, {"a" 2}, null]')["faults"] == [
        "",
        "this is not valid JSON",
        "expected a JSON object",
    ]


@pytest.mark.parametrize("text", ['[{"a": 1}', '[{"a": 1}}, {"a": 2}]', '[{"a": 1}] [{"a": 2}]', '[{"a": "1]'])
def test_an_array_whose_brackets_do_not_match_loses_no_row_unnoticed(run, text):
    assert "The brackets of the JSON array do not match" in run(READ_JSON, text)


def test_json_keeps_the_digits_names_and_strings_that_javascript_would_lose(run):
    row = '{"big": 12345678901234567890, "__proto__": 1.0, "a\\"b,{": "]\\\\", "\\u0061": "\\u00e9"}'
    found = run(READ_JSON, row)
    assert found["columns"] == ["big", "__proto__", 'a"b,{', "a"]
    assert found["cells"] == [["12345678901234567890", "1.0", "]\\", "é"]]
    assert found["payloads"] == [row]


def test_a_file_without_an_object_is_refused(run):
    assert "No row of the file is a JSON object" in run(READ_JSON, "[[1], [2]]")


@pytest.mark.parametrize(
    ("text", "name", "is_json"),
    [
        ('{"a": 1}', "rows.csv", True),
        ('[{"a": 1}]', "rows.txt", True),
        ("a,b", "rows.json", False),
        ("[a],{b}", "rows.csv", False),
        ("[1]", "rows.json", True),
    ],
)
def test_the_format_is_told_by_the_contents(run, text, name, is_json):
    assert run("return (await load('table')).isJson(...argument)", [text, name]) is is_json


SCHEMA = {
    "type": "object",
    "properties": {
        "integer": {"type": "integer"},
        "number": {"type": "number"},
        "number_or_null": {"type": ["number", "null"]},
        "boolean": {"type": "boolean"},
        "string": {"type": "string"},
        "string_or_null": {"type": ["string", "null"]},
        "string_or_number": {"type": ["string", "number"]},
        "array": {"type": "array"},
        "object": {"type": ["object", "null"]},
        "null": {"type": "null"},
        "choice": {"enum": [1, 2, None]},
        "named": {"enum": ["a", "b"]},
        "any": {"anyOf": [{"$ref": "#/$defs/size"}, {"type": "null"}]},
        "reference": {"$ref": "#/$defs/size"},
        "anything": {},
        "__proto__": {"type": "number"},
        "constructor": {"type": "number"},
    },
    "$defs": {"size": {"type": "number"}},
}
TEXTS = [
    *(
        "5",
        "-5",
        "5.0",
        "0.1",
        " 5 ",
        "\t5",
        "1e3",
        "1E-3",
        "-0",
        "+5",
        "05",
        ".5",
        "5.",
        "0x10",
        "1_000",
        "1,5",
        "1e400",
    ),
    *("123456789012345678901", "9" * 4300, "9" * 4301, "-" + "9" * 4301, "1." + "9" * 5000),
    *("true", "false", "True", "null", "None", "nan", "inf", '"5"', '"', "'5'", "[1, 2]", "[1,", '{"a": [null]}'),
    *("{a: 1}", "a", " a ", "é", "\u2028", "\ufeff5", "\xa05", "=1+1", "[" * 2000, "a\nb", "a\\b", "\x7f"),
]


WRITE_PAYLOADS = """
  const { fieldsByName, toPayload, typeCells, writeObject } = await load("columns");
  const fields = fieldsByName(argument.columns);
  return argument.rows.map((cells) => writeObject(toPayload(typeCells(fields, argument.names, cells), fields)));
"""


def test_cells_become_what_the_command_line_makes_of_them(run):
    columns = [{"name": column.name, "types": column.types} for column in describe_columns(SCHEMA)]
    names = [*SCHEMA["properties"], "unknown"]
    rows = [[text] * len(names) for text in TEXTS]
    payloads = run(WRITE_PAYLOADS, {"columns": columns, "names": names, "rows": rows})
    for text, payload in zip(TEXTS, payloads, strict=True):
        expected = parse_columns(SCHEMA, dict.fromkeys(names, text))
        assert repr(json.loads(payload)) == repr(expected), text


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_what_json_cannot_write_stays_a_text_and_is_a_violation_either_way(run, text):
    schema = {"type": "object", "properties": {"x": {"type": "number"}}}
    columns = [{"name": "x", "types": ["number"]}]
    [payload] = run(WRITE_PAYLOADS, {"columns": columns, "names": ["x"], "rows": [[text]]})
    assert json.loads(payload) == {"x": text}
    assert not math.isfinite(parse_columns(schema, {"x": text})["x"])
    assert SchemaValidator(schema).find_violations({"x": text})


def test_an_empty_cell_is_null_where_it_may_be_and_is_left_out_elsewhere(run):
    columns = [{"name": column.name, "types": column.types} for column in describe_columns(SCHEMA)]
    names = [*SCHEMA["properties"], "unknown"]
    nullable = ["number_or_null", "string_or_null", "object", "null", "choice", "any"]
    [payload] = run(WRITE_PAYLOADS, {"columns": columns, "names": names, "rows": [[""] * len(names)]})
    assert json.loads(payload) == dict.fromkeys(nullable)


FIND_FAULTS = """
  const { readTable } = await load("table");
  const { matchFields } = await load("columns");
  const { findColumnFaults, namesIn } = await load("column_faults");
  const { findCellFaults } = await load("cell_faults");
  const table = await readTable(new File([argument.text], "rows"));
  const isClosed = argument.is_closed ?? true;
  const fields = matchFields(argument.columns, namesIn(table), { isClosed });
  const found = findColumnFaults(table, argument.columns, fields, { isClosed });
  const cells = await findCellFaults(table, fields, { schema: argument.schema });
  return [[...found.missing, ...found.misspelt, ...cells.sentences], found.unknown, found.others];
"""
COLUMNS = [
    {"name": "petal_length", "title": "Petal length", "types": ["number"], "is_required": True, "example": "1.4"},
    {"name": "is_wet", "title": "is_wet", "types": ["boolean", "null"], "is_required": False, "example": ""},
]


@pytest.mark.parametrize(
    ("about", "faults", "unknown", "others"),
    [
        pytest.param({"text": "petal_length,is_wet\n1,true\n"}, [], [], [], id="sound"),
        pytest.param(
            {"text": "petal_lenght\n1\n"},
            [
                "The column “petal_length” (Petal length) is missing; an example of its cells is 1.4.",
                "The model has no column “petal_lenght”; did you mean “petal_length”?",
            ],
            ["petal_lenght"],
            [],
            id="misspelt",
        ),
        pytest.param(
            {"text": "petal_length,iswett,id\n1,true,7\n"},
            ["The model has no column “iswett”; did you mean “is_wet”?"],
            ["iswett", "id"],
            ["id"],
            id="misspelt-and-may-be-missing",
        ),
        pytest.param({"text": "petal_length,id\n1,6\n2,7\n"}, [], ["id"], ["id"], id="a-name-of-the-row"),
        pytest.param({"text": "petal_length,id\n1,6\n", "is_closed": False}, [], [], [], id="unknown-is-allowed"),
        pytest.param(
            {"text": "petal_length;is_wet\n1,4;TRUE\n"},
            [
                "“petal_length” in row 1: 1,4 is not a number; write a decimal point.",
                "“is_wet” in row 1: TRUE is not true or false; write it in small letters.",
            ],
            [],
            [],
            id="spelt-another-way",
        ),
        pytest.param(
            {"text": "petal_length,is_wet\n1,true,3\n2,true\n"},
            ["1 of 2 rows has more or fewer cells than the header, so it is not sent: row 1."],
            [],
            [],
            id="ragged-row",
        ),
    ],
)
def test_faults_of_columns_are_found_before_anything_is_sent(run, about, faults, unknown, others):
    assert run(FIND_FAULTS, {"columns": COLUMNS, **about}) == [faults, unknown, others]


@pytest.mark.parametrize(
    ("cell", "kind", "way_out"),
    [
        ("5,000", "number", "thousands separators are not read, so write 5000, or 5.000 if it is a fraction"),
        ("-12,500", "number", "thousands separators are not read, so write -12500, or -12.500 if it is a fraction"),
        ("5,000", "integer", "thousands separators are not read, so write 5000"),
        ("1,234,567", "number", "thousands separators are not read, so write 1234567"),
        ("1,234.5", "number", "thousands separators are not read, so write 1234.5"),
        ("5 000", "number", "thousands separators are not read, so write 5000"),
        ("0,500", "number", "write a decimal point"),
        ("5,0", "number", "write a decimal point"),
        ("5,0000", "number", "write a decimal point"),
    ],
)
def test_a_comma_is_called_a_decimal_point_only_where_it_cannot_group_thousands(run, cell, kind, way_out):
    columns = [{**COLUMNS[0], "types": [kind]}]
    [[fault], *_] = run(FIND_FAULTS, {"columns": columns, "text": f'petal_length\n"{cell}"\n'})
    words = {"number": "a number", "integer": "a whole number"}[kind]
    assert fault == f"“petal_length” in row 1: {cell} is not {words}; {way_out}."


CHOICES = {
    "type": "object",
    "properties": {
        "area": {"enum": ["Rural", "Urban", None]},
        "history": {"$ref": "#/$defs/history"},
    },
    "required": ["area"],
    "$defs": {"history": {"oneOf": [{"const": 1, "title": "Paid"}, {"const": 0, "title": "Not paid"}]}},
}


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        pytest.param("area,history\nRural,1\nUrban,0.0\n,\n", [], id="sound"),
        pytest.param(
            "area,history\nurban,2\nUrban,3\n",
            [
                "“area” in row 1: urban is not Rural or Urban; write Urban.",
                "“history” in row 1: 2 is not 1 or 0 (and 1 more row like it).",
            ],
            id="strange-values",
        ),
        pytest.param(
            "area,history\nUrban,paid\nUrban,x\n",
            ["“history” in row 1: paid is not 1 or 0; write 1 (and 1 more row like it)."],
            id="a-title-for-its-code",
        ),
        pytest.param(
            '{"area": "urban"}\n{"area": "Urban", "history": 0}\n{"history": "1"}\n',
            [
                "“area” is required, but empty in row 3.",
                "“area” in row 1: urban is not Rural or Urban; write Urban.",
                "“history” in row 3: 1 is not 1 or 0; write 1.",
            ],
            id="json-lines",
        ),
    ],
)
def test_values_that_the_schema_does_not_list_are_told_before_sending(run, text, faults):
    columns = [
        {"name": column.name, "title": column.title, "types": column.types, "is_required": column.is_required}
        for column in describe_columns(CHOICES)
    ]
    [found, *_] = run(FIND_FAULTS, {"columns": columns, "text": text, "schema": CHOICES})
    assert sorted(found) == sorted(faults)


def test_every_kind_of_fault_is_told_with_its_rows(run):
    lines = ["petal_length,is_wet", *["1,true"] * 20]
    lines[3] = lines[7] = "1"
    for row in range(10, 18):
        lines[row] = ",true"
    lines[20] = "x,yes"
    assert run(FIND_FAULTS, {"columns": COLUMNS, "text": "\n".join(lines)})[0] == [
        "2 of 20 rows have more or fewer cells than the header, so they are not sent: rows 3 and 7.",
        "“petal_length” is required, but empty in rows 10, 11, 12, 13, 14 and 3 more.",
        "“petal_length” in row 20: x is not a number.",
        "“is_wet” in row 20: yes is not true or false.",
    ]


def test_broken_json_lines_are_told_with_their_rows(run):
    lines = ['{"petal_length": 1}'] * 8
    for row in (2, 5, 7):
        lines[row - 1] = '{"petal_length": '
    assert run(FIND_FAULTS, {"columns": COLUMNS, "text": "\n".join(lines)})[0] == [
        "3 of 8 rows are no JSON objects, so they are not sent: rows 2, 5 and 7."
    ]


@pytest.mark.parametrize(
    ("names", "is_closed", "matched"),
    [
        pytest.param(["PETAL_LENGTH", "Is wet"], True, {"PETAL_LENGTH": "petal_length", "Is wet": "is_wet"}, id="case"),
        pytest.param([" petal-length "], True, {" petal-length ": "petal_length"}, id="blanks-and-hyphens"),
        pytest.param(["Petal length"], False, {}, id="where-the-model-takes-any-name"),
        pytest.param(["Petal length", "petal_length"], True, {}, id="where-the-file-has-the-name-too"),
        pytest.param(["Petal length", "PETAL_LENGTH"], True, {}, id="where-two-columns-are-alike"),
        pytest.param(["SIZE"], True, {}, id="where-two-fields-are-alike"),
        pytest.param(["The size"], True, {"The size": "size"}, id="by-title"),
        pytest.param(["petal_lenght"], True, {}, id="misspelt"),
    ],
)
def test_a_name_is_read_as_the_one_field_that_it_can_only_be(run, names, is_closed, matched):
    columns = [*COLUMNS, {"name": "size", "title": "The size"}, {"name": "Size_", "title": "Another"}]
    body = """
      const { matchFields } = await load("columns");
      const fields = matchFields(argument.columns, argument.names, { isClosed: argument.is_closed });
      const pairs = [...fields].map(([name, field]) => [name, field.name]);
      return Object.fromEntries(pairs.filter(([name, other]) => name !== other));
    """
    assert run(body, {"columns": columns, "names": names, "is_closed": is_closed}) == matched


@pytest.mark.parametrize(
    ("known", "way_out"),
    [(["dna"], "the one column “dna” and"), (["dna", "name"], "the columns of the template and")],
)
def test_fasta_is_refused_with_the_way_out(run, known, way_out):
    body = """
      const { readTable } = await load("table");
      const file = new File(["\\n>one\\nACGT\\n>two\\nTTTT\\n"], "x.fasta");
      return readTable(file, { known: argument }).then(() => "read", (error) => error.message);
    """
    message = run(body, known)
    assert message.startswith("This looks like FASTA, which is not read here; write a CSV file with ")
    assert way_out in message
    assert "FASTA" not in run(body, [">one"])  # a name of the model may begin like it


@pytest.mark.parametrize(
    ("columns", "inputs", "chosen"),
    [
        pytest.param({"id": ["a", "b"], "share": [0.1, 0.2]}, ["id"], "share", id="no-name-of-the-row"),
        pytest.param({"n": [1, 2], "share": [0.1, 0.2]}, ["n"], "share", id="no-number-of-the-row"),
        pytest.param({"area": ["a", "a", "b", "a"], "y": [1, 2, 3, 4]}, ["area"], "area", id="a-repeated-class"),
        pytest.param({"text": ["a", "b"], "y": [1, 2]}, [], "text", id="a-class-of-its-own"),
        pytest.param({"text": ["a"] * 4, "listed": [1, 0, 1, 0]}, [], "listed", id="what-the-schema-lists"),
        pytest.param({"id": ["a", "b"]}, ["id"], "id", id="nothing-else"),
    ],
)
def test_the_chart_starts_with_the_column_that_tells_most(run, columns, inputs, chosen):
    body = """
      const { chooseColumn } = await load("chart_panel");
      const columns = Object.entries(argument.columns).map(([name, values]) => {
        const choices = name === "listed" ? [{ value: 0 }, { value: 1 }] : [];
        return { name, values, choices, isClass: choices.length > 0 || typeof values[0] === "string" };
      });
      return chooseColumn(columns, new Set(argument.inputs)).name;
    """
    assert run(body, {"columns": columns, "inputs": inputs}) == chosen


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("=HYPERLINK(\"x\",'y')", '"\'=HYPERLINK(""x"",\'y\')"'),
        ("+1-1", "'+1-1"),
        ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", '"\'\t=1"'),
        ("\r=1", '"\'\r=1"'),
        ("-5.5", "-5.5"),
        ("+1e-3", "+1e-3"),
        ("-.5", "-.5"),
        ("-", "'-"),
        ("-5 ", "'-5 "),
        ("-5+cmd", "'-5+cmd"),
        ("a=b", "a=b"),
        ("a;=b", '"a;=b"'),
        ('a"b', '"a""b"'),
        ("a\nb", '"a\nb"'),
        ("", ""),
        (None, ""),
        (0, "0"),
    ],
)
def test_no_written_cell_can_run_as_a_formula(run, cell, written):
    assert run("return (await load('csv_writer')).writeCell(argument)", cell) == written


def test_written_csv_comes_back_as_it_was(run):
    cells = ["plain", "a,b", 'a"b', "a\nb", "a\r\nb", " ", "é", "", "5"]
    text = run("const { writeStart } = await load('csv_writer'); return writeStart(argument)", cells)
    assert text.startswith("\ufeff")
    assert list(csv.reader(io.StringIO(text[1:], newline=""))) == [cells]


def test_a_template_has_every_column_and_the_examples_as_rows(run):
    columns = [{"name": name} for name in ("a", "b", "constructor", "c")]
    examples = [{"a": "x,y", "b": None, "c": [1, {"d": "e"}]}, {"b": False}]
    text = run("return (await load('csv_writer')).writeTemplate(argument[0], argument[1])", [columns, examples])
    assert list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))) == [
        ["a", "b", "constructor", "c"],
        ["x,y", "", "", '[1,{"d":"e"}]'],
        ["", "false", "", ""],
    ]


HISTOGRAM = "return (await load('distribution')).makeHistogram(argument)"


@pytest.mark.parametrize(
    ("values", "first", "last", "size"),
    [
        pytest.param([0, 0.5, 1], 0, 1, 20, id="probabilities"),
        pytest.param([3, 4, 22], 3, 22, 19, id="whole-numbers"),
        pytest.param([120, 8714], 0, 9000, 18, id="counts"),
        pytest.param([-0.31, 0.29], -0.35, 0.3, 13, id="around-zero"),
        pytest.param([7, 7, 7], 7, 8, 1, id="equal-whole-numbers"),
        pytest.param([0.25], 0.25, 0.26, 1, id="one-number"),
        pytest.param([1e-12, 3e-12], 1e-12, 3e-12, 20, id="tiny"),
    ],
)
def test_a_histogram_has_round_edges_and_at_most_twenty_bins(run, values, first, last, size):
    bins = run(HISTOGRAM, values)
    assert (bins[0]["from"], bins[-1]["to"], len(bins)) == (first, last, size)


@pytest.mark.parametrize(
    "values",
    [
        [0],
        [-5, -5],
        [0.1 + 0.2, 0.3],
        [1e15, 1e15 + 1],
        [-1.7e308, 1.7e308],
        [5e-324, 0],
        [1 / 3, 2 / 3, 0.999999999, 1],
        [i / 10 for i in range(1000)],
        [float(i * i) for i in range(-50, 300)],
    ],
)
def test_a_histogram_counts_every_value_once_in_bins_that_touch(run, values):
    bins = run(HISTOGRAM, values)
    assert sum(entry["count"] for entry in bins) == len(values)
    assert 1 <= len(bins) <= 20
    assert bins[0]["from"] <= min(values)
    assert max(values) <= bins[-1]["to"]
    assert [entry["to"] for entry in bins[:-1]] == [entry["from"] for entry in bins[1:]]


def test_classes_beyond_twenty_are_counted_together(run):
    values = ["a"] * 5 + [True] * 3 + [f"c{i}" for i in range(30)]
    classes = run("return (await load('distribution')).countClasses(argument)", values)
    assert [(entry["label"], entry["count"]) for entry in classes[:2]] == [("a", 5), ("true", 3)]
    assert (len(classes), classes[-1]["label"], classes[-1]["count"]) == (21, "other (12)", 12)
    assert math.isclose(sum(entry["share"] for entry in classes), 1)


SEND = """
  const { Sender } = await load("sender");
  const texts = argument.texts;
  const [outputs, faults] = [{}, {}];
  const sender = new Sender({
    path: argument.path ?? "/api/models/double_model/versions/1.0.0/predict",
    rows: texts.map((_, i) => i), write: (row) => texts[row],
    maxRows: argument.max_rows ?? 100, maxBytes: argument.max_bytes ?? 1e6,
    reports: {
      onOutput: (row, output) => { outputs[row] = output; },
      onFaults: (row, found) => { faults[row] = found.map(({ field, message }) => `${field}: ${message}`); },
      onWait: () => {}, onChange: () => {},
    },
  });
  await sender.run();
  return { outputs, faults, state: sender.state, reason: sender.reason };
"""


def send(run, texts, **more):
    return run(SEND, {"texts": texts, **more})


def test_rows_are_sent_below_the_bound_of_bytes_and_one_beyond_it_fails_alone(run):
    texts = ['{"x": 1}', '{"x": 2' + " " * 200 + "}", '{"x": 3}', '{"x": 4}']
    found = send(run, texts, max_bytes=20)
    assert found["outputs"] == {"0": {"y": 2}, "2": {"y": 6}, "3": {"y": 8}}
    assert found["faults"] == {"1": [": the row is larger than the 20 bytes that the server accepts"]}


def test_chunks_that_the_server_finds_too_large_are_halved(run):
    # The page believes in a larger bound than the server's.
    texts = [f'{{"x": {i}}}' for i in range(500)]
    found = send(run, texts, max_rows=500)
    assert found["outputs"] == {str(i): {"y": 2 * i} for i in range(500)}


def test_a_row_that_is_no_sound_json_fails_alone(run):
    found = send(run, ['{"x": 1}', '{"x": 1, "x": 2}', '{"x": 3}'])
    assert found["outputs"] == {"0": {"y": 2}, "2": {"y": 6}}
    assert "twice in one object" in found["faults"]["1"][0]


@pytest.mark.parametrize("name", ["raising_model", "wrong_output_model"])
def test_rows_on_which_the_model_fails_fail_alone(run, name):
    texts = [f'{{"x": {-1 if i in (7, 60) else 1}}}' for i in range(90)]
    found = send(run, texts, path=f"/api/models/{name}/predict")
    assert sorted(found["faults"]) == ["60", "7"]
    assert len(found["outputs"]) == 88
    assert "failed; the log tells why" in found["faults"]["7"][0]


def test_a_model_that_fails_on_every_row_is_not_asked_for_all_of_them(run):
    found = send(run, ['{"x": -1}'] * 400, path="/api/models/raising_model/predict")
    assert found["state"] == "paused"
    assert 100 <= len(found["faults"]) < 400
    assert "100 rows failed one after the other" in found["reason"]


def test_more_violations_than_an_answer_holds_are_all_found(run):
    texts = ['{"x": "a", "z": 1}' if i % 3 else '{"x": 1}' for i in range(300)]
    found = send(run, texts)
    assert sorted(found["outputs"], key=int) == [str(i) for i in range(0, 300, 3)]
    assert found["faults"]["1"][0] == "x: expected a number, got a string"
    assert len(found["faults"]) == 200


def test_an_address_that_is_gone_pauses_with_the_reason(run):
    found = send(run, ['{"x": 1}'], path="/api/models/gone_model/predict")
    assert found["state"] == "paused"
    assert "The server answered 404: no model 'gone_model'" in found["reason"]


@pytest.mark.parametrize(
    ("done", "sentence"),
    [
        (
            {"done": 1500, "total": 5000, "failed": 3, "rate": 820},
            "1,500 of 5,000 rows, 3 with errors, 820 rows/s, 5 s left",
        ),
        ({"done": 0, "total": 1, "failed": 0, "rate": 0}, "0 of 1 row"),
        ({"done": 10, "total": 10_000, "failed": 0, "rate": 2.5}, "10 of 10,000 rows, 2.5 rows/s, 67 min left"),
        ({"done": 5, "total": 5, "failed": 5, "rate": 9}, "5 of 5 rows, 5 with errors"),
    ],
)
def test_progress_is_told_in_one_sentence(run, done, sentence):
    assert run("return (await load('progress')).describeProgress(argument)", done) == sentence
