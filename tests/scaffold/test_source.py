"""Whatever a sample holds, the source that is written of it is Python, says the same, and runs nothing of it."""

import ast

import pytest

from model_service.scaffold.drafting import Draft, draft_fields, draft_target, find_examples
from model_service.scaffold.plan import Plan
from model_service.scaffold.sample import read_sample
from model_service.scaffold.source import write_comment, write_literal, write_schema, write_text
from model_service.schema.validation import SchemaValidator

HOSTILE = [
    "two words",
    "class",
    "__import__('os').system('touch /tmp/pwned')",
    '"""',
    "'''\"",
    "\\",
    "a\nraise SystemExit",
    "a\r# noqa\rraise SystemExit",
    "{name}",
    "$name ${name} $$",
    "@classification|raise",
    "%s",
    "=cmd|'/c calc'!A1",
    "\u202eright to left",
    "\u2028raise SystemExit",
    "\x0craise SystemExit",
    "naïve ☃ 雪",
    "x" * 500,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_is_a_literal_of_one_line(text):
    written = write_text(text)
    assert ast.literal_eval(written) == text
    assert len(written.splitlines()) == 1
    assert written.isprintable()


@pytest.mark.parametrize(
    "value",
    [HOSTILE, tuple(HOSTILE), ("one",), (), {"a": [1, 2.5, None, True]}, {text: text for text in HOSTILE}, [[]], -0.0],
)
def test_a_value_is_a_literal(value):
    assert ast.literal_eval(write_literal(value)) == value


def test_a_comment_cannot_go_on_in_the_next_line():
    for text in HOSTILE:
        assert write_comment(f"Left out: {write_text(text)}.").count("\n") == 1
    with pytest.raises(ValueError, match="one line"):
        write_comment("one\nraise SystemExit")


def test_the_schema_of_hostile_columns_and_cells_is_python_and_holds_its_examples(tmp_path):
    path = tmp_path / "rows.csv"
    names = [name for name in HOSTILE if name.strip() == name]
    header = ",".join('"' + name.replace('"', '""') + '"' for name in [*names, "y"])
    rows = [
        ",".join(
            '"' + cell.replace('"', '""') + '"'
            for cell in [*[HOSTILE[(row + at) % 3] for at in range(len(names))], "no"]
        )
        for row in range(12)
    ]
    rows += [",".join(['""'] * len(names) + ['"=1+1"'])]
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8", newline="")
    sample = read_sample(path)
    drafts, left_out = draft_fields(sample, "y")
    assert [draft.name for draft in drafts] == names
    examples = tuple(find_examples(sample, drafts))
    plan = Plan(
        "odd_model",
        "OddModel",
        HOSTILE[3],
        HOSTILE[4],
        "python",
        tuple(drafts),
        draft_target(sample, "y"),
        examples,
        (*left_out, *((name, "it is empty in every row") for name in HOSTILE)),
        tmp_path / 'rows"""\n.csv',
    )
    made: dict[str, object] = {}
    source = write_schema(plan)
    assert {type(node) for node in ast.parse(source).body} <= {ast.Expr, ast.ImportFrom, ast.Assign, ast.AnnAssign}
    exec(compile(source, "schema.py", "exec"), made)
    assert made["CLASSES"] == ("=1+1", "no")
    assert list(made["INPUT"]["properties"]) == names
    assert [SchemaValidator(made["INPUT"]).find_violations(example) for example in examples] == [[]] * len(examples)


def test_an_array_has_the_lengths_that_are_known():
    made: dict[str, object] = {}
    draft = Draft("image", "array", shape=(2, None), item="number")
    source = write_schema(Plan("m", "M", "M", "M", "graph", (draft,), Draft("", "number"), (), outputs=(draft,)))
    exec(compile(source, "schema.py", "exec"), made)
    image = made["INPUT"]["properties"]["image"]
    assert (image["minItems"], image["maxItems"], image["items"]) == (
        2,
        2,
        {"type": "array", "items": {"type": "number"}},
    )
