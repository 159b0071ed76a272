import json
import math
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_service.errors import PayloadMalformed
from model_service.strict_json import MAX_DEPTH, decode_json, encode_json, holds_more_values

# No test may depend on how fast the machine is.
generously = settings(deadline=None)

# Hypothesis's text holds no half surrogates when it must be encodable.
TEXT = st.text(st.characters(codec="utf-8"))
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda children: st.lists(children, max_size=5) | st.dictionaries(TEXT, children, max_size=5),
    max_leaves=20,
)


def refusal(raw: bytes) -> str:
    with pytest.raises(PayloadMalformed) as caught:
        decode_json(raw)
    assert caught.value.violations == ()
    return caught.value.message


def nested(levels: int, leaf: bytes = b"", opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening * levels + leaf + closing * levels


def same(one, other) -> bool:
    """Tell whether two documents are alike in type and in the sign of zero, too."""
    return repr(one) == repr(other)


@generously
@given(DOCUMENTS)
def test_any_document_comes_back_as_it_was_written(document):
    assert same(decode_json(encode_json(document)), document)


@generously
@given(DOCUMENTS, st.booleans(), st.sampled_from([None, 1]))
def test_valid_text_means_what_the_standard_library_says(document, ensure_ascii, indent):
    text = json.dumps(document, ensure_ascii=ensure_ascii, indent=indent)
    assert same(decode_json(text.encode()), json.loads(text))


@generously
@given(st.binary(max_size=40))
def test_any_bytes_are_a_document_or_refused(raw):
    try:
        document = decode_json(raw)
    except PayloadMalformed:
        return
    assert same(document, json.loads(raw.decode("utf-8-sig")))


@generously
@given(st.text(st.sampled_from('[]{}",:1e9-truenfals \\du08'), max_size=30))
def test_text_that_looks_like_json_is_a_document_or_refused(text):
    try:
        document = decode_json(text.encode())
    except PayloadMalformed:
        return
    assert same(document, json.loads(text))


@pytest.mark.parametrize(
    ("raw", "document"),
    [
        pytest.param(b"{}", {}, id="object"),
        pytest.param(b"[1, 2.5, null, true]", [1, 2.5, None, True], id="array"),
        pytest.param(b'"text"', "text", id="string"),
        pytest.param(b"null", None, id="null"),
        pytest.param(b" \t\r\n{}\n", {}, id="whitespace-around"),
        pytest.param('{"größe": "ß"}'.encode(), {"größe": "ß"}, id="utf-8"),
        pytest.param(b"\xef\xbb\xbf{}", {}, id="byte-order-mark"),
        pytest.param(b'{"a": {"x": 1}, "b": {"x": 2}}', {"a": {"x": 1}, "b": {"x": 2}}, id="same-key-in-two-objects"),
    ],
)
def test_a_document_is_read(raw, document):
    assert same(decode_json(raw), document)


@pytest.mark.parametrize("raw", [b"", b" ", b"\n\t \r\n"], ids=["nothing", "blank", "whitespace"])
def test_an_empty_document_says_what_to_send(raw):
    assert refusal(raw) == "the document is empty; send a JSON object"


#: From Python 3.13 on, its place; before, where a name was expected after it.
_TRAILING_COMMA = "(line 2, column 9)" if sys.version_info >= (3, 13) else "(line 3, column 1)"


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        pytest.param(b"hello", "(line 1, column 1)", id="words"),
        pytest.param(b'{"x": 1', "(line 1, column 8)", id="cut-off"),
        pytest.param(b'{\n  "x": 1,\n}', _TRAILING_COMMA, id="trailing-comma"),
        pytest.param(b"{'x': 1}", "(line 1, column 2)", id="single-quotes"),
        pytest.param(b"{} {}", "(line 1, column 4)", id="second-document"),
        pytest.param(b"{}x", "(line 1, column 3)", id="trailing-garbage"),
        pytest.param(b"[1,,2]", "(line 1, column 4)", id="missing-value"),
        pytest.param(b"{x: 1}", "(line 1, column 2)", id="bare-key"),
        pytest.param(b"{1: 1}", "(line 1, column 2)", id="number-as-key"),
        pytest.param(b'"\x01"', "(line 1, column 2)", id="control-character"),
        pytest.param(b'"\\x41"', "(line 1, column 2)", id="unknown-escape"),
        pytest.param(b"01", "(line 1, column 2)", id="leading-zero"),
        pytest.param(b"1.", "(line 1, column 2)", id="bare-point"),
        pytest.param(b"+1", "(line 1, column 1)", id="plus-sign"),
        pytest.param(b"True", "(line 1, column 1)", id="python-literal"),
        pytest.param(b"\x00", "(line 1, column 1)", id="nul"),
        pytest.param("\xa0{}".encode(), "(line 1, column 1)", id="no-break-space"),
        pytest.param(b"\xef\xbb\xbf" * 2 + b"{}", "(line 1, column 1)", id="two-byte-order-marks"),
        pytest.param(b"\x0c{}", "(line 1, column 1)", id="form-feed"),
    ],
)
def test_text_that_is_not_json_names_the_place(raw, place):
    message = refusal(raw)
    assert message.startswith("the document is not valid JSON: ")
    assert message.endswith(place)


@pytest.mark.parametrize(
    ("raw", "position"),
    [
        pytest.param(b'{"x": "\xff"}', 7, id="stray-byte"),
        pytest.param(b'{"x": "\xed\xa0\x80"}', 7, id="encoded-surrogate"),
        pytest.param(b'"\xc0\x80"', 1, id="overlong-nul"),
        pytest.param('{"x": 1}'.encode("utf-16"), 0, id="utf-16"),
        pytest.param('{"x": "ß"}'.encode("latin-1"), 7, id="latin-1"),
    ],
)
def test_bytes_that_are_not_utf_8_name_the_first_bad_byte(raw, position):
    assert refusal(raw) == f"the document is not UTF-8 (byte {position})"


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ("", "", "line 1, column 1"),
        ('{"x": [1, ', "]}", "line 1, column 11"),
        ('{"NaN": "Infinity \\" -Infinity \\\\",\n "y": ', ', "z": NaN}', "line 2, column 7"),
    ],
)
def test_a_literal_that_only_python_knows_is_refused_where_it_stands(literal, before, after, place):
    assert refusal(f"{before}{literal}{after}".encode()) == (
        f"the document is not valid JSON: {literal} is not a JSON number; send another number, or null ({place})"
    )


PYTHON_WORDS = (
    "utf-8-sig",
    "Extra data",
    "Expecting",
    "Invalid",
    "Illegal",
    "delimiter",
    "property name",
    "Unterminated",
)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "the document is empty"),
        (b"{} {}", "expected nothing after the end of the document"),
        (b'{"x": }', "expected a value"),
        (b"{x: 1}", "expected a name in double quotes"),
        (b'{"x" 1}', "expected ':' after a name"),
        (b"[1 2]", "expected ',' or the end of the array or object"),
        (b'["abc', "this string has no end"),
        (b'["a\n"]', "stands in a string; write it as an escape"),
        (b'["\\x41"]', "there is no such escape in JSON"),
        (b'["\\u12"]', "there is no such escape in JSON"),
        (b"\xef\xbb\xbf" * 2 + b"{}", "expected a value"),
    ],
)
def test_a_message_is_in_words_of_json_not_of_python(raw, words):
    message = refusal(raw)
    assert words in message
    assert not any(word in message for word in PYTHON_WORDS)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'{"x": 1, "x": 2}', id="at-the-root"),
        pytest.param(b'{"x": 1, "x": 1}', id="with-the-same-value"),
        pytest.param(b'{"a": [{"x": 1, "y": 0, "x": 2}]}', id="nested"),
        pytest.param(b'{"x": 1, "\\u0078": 2}', id="spelt-differently"),
        pytest.param(b'[{"x": {"x": 0}, "y": 0, "x": 2}]', id="around-a-nested-one"),
    ],
)
def test_a_key_given_twice_is_named(raw):
    assert refusal(raw) == "the document gives 'x' twice in one object; keep one"


def test_a_key_given_twice_is_found_among_a_million():
    entries = ",".join(f'"{i}":0' for i in range(1_000_000))
    raw = f'{{{entries},"654321":1}}'.encode()
    assert refusal(raw) == "the document gives '654321' twice in one object; keep one"


@pytest.mark.parametrize(
    ("key", "described"),
    [
        pytest.param("s" * 64, f"'{'s' * 64}'", id="64-characters"),
        pytest.param("s" * 65, "a name of 65 characters", id="65-characters"),
        pytest.param("a\\nb", "a name of 3 characters", id="line-break"),
        pytest.param("\\ud800", "a name of 1 characters", id="half-surrogate"),
    ],
)
def test_a_key_given_twice_is_described_when_it_cannot_be_quoted(key, described):
    message = refusal(f'{{"{key}": 1, "{key}": 2}}'.encode())
    assert message == f"the document gives {described} twice in one object; keep one"


@pytest.mark.parametrize("leaf", [b"", b"1", b'"[{"'], ids=["empty", "number", "text-of-brackets"])
def test_nesting_as_deep_as_allowed_is_read(leaf):
    document = decode_json(nested(MAX_DEPTH, leaf))
    for _ in range(MAX_DEPTH - 1):
        [document] = document
    assert document == json.loads(b"[" + leaf + b"]")


@pytest.mark.parametrize("leaf", [b"", b"1"], ids=["empty", "number"])
@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 10_000, 200_000])
def test_deeper_nesting_of_arrays_is_refused(levels, leaf):
    assert refusal(nested(levels, leaf)) == "the document is nested more than 64 levels deep"


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 10_000])
def test_deeper_nesting_of_objects_is_refused(levels):
    assert refusal(nested(levels, b"{}", b'{"x":', b"}")) == "the document is nested more than 64 levels deep"


def test_nesting_that_never_ends_is_refused():
    assert refusal(b"[" * 100_000) == "the document is nested more than 64 levels deep"


def test_one_deep_branch_is_found_beside_many_shallow_ones():
    shallow = b"[[]],{}," * 100
    assert decode_json(b"[" + shallow + nested(MAX_DEPTH - 1) + b"]")[0] == [[]]
    assert "64 levels" in refusal(b"[" + shallow + nested(MAX_DEPTH) + b"]")


def test_many_brackets_are_not_depth():
    assert decode_json(b"[" + b"[],{}," * 5_000 + b"0]")[-1] == 0
    assert decode_json(b'["' + b"[{" * 5_000 + b'"]') == ["[{" * 5_000]


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        pytest.param(b"1e400", math.inf, id="positive"),
        pytest.param(b"-1e400", -math.inf, id="negative"),
        pytest.param(b"1" + b"0" * 400 + b".0", math.inf, id="without-exponent"),
        pytest.param(b"1e-400", 0.0, id="too-small"),
    ],
)
def test_a_number_beyond_a_float_becomes_the_nearest_one(raw, number):
    assert same(decode_json(raw), number)


@pytest.mark.parametrize("number", [2**53 + 1, -(2**63) - 1, 10**400, 10**4299], ids=["2^53", "2^63", "400", "4300"])
def test_a_big_integer_is_exact(number):
    assert decode_json(str(number).encode()) == number


@pytest.mark.parametrize(
    "raw",
    [b"1" * 5000, b"-" + b"9" * 4301, b'{"x": [' + b"7" * 100_000 + b"]}"],
    ids=["5000-digits", "4301-digits", "nested"],
)
def test_an_integer_too_long_for_python_is_refused(raw):
    assert refusal(raw) == "the document holds an integer with too many digits"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'"\\ud800"', id="high-alone"),
        pytest.param(b'"\\udc00"', id="low-alone"),
        pytest.param(b'"\\ude00\\ud83d"', id="in-the-wrong-order"),
        pytest.param(b'"\\uD83Dx"', id="high-before-a-letter"),
        pytest.param(b'{"x": [{"y": "\\ud800"}]}', id="nested"),
        pytest.param(b'{"\\udfff": 1}', id="in-a-key"),
        pytest.param(b'{"x": {"a\\ud800b": 1}}', id="in-a-nested-key"),
    ],
)
def test_half_a_surrogate_pair_is_refused(raw):
    assert refusal(raw) == "the document holds half of a surrogate pair, which is not Unicode text"


@pytest.mark.parametrize(
    ("raw", "document"),
    [
        pytest.param(b'"\\ud83d\\ude00"', "😀", id="emoji"),
        pytest.param(b'{"\\uD83D\\uDE00": "\\u00df"}', {"😀": "ß"}, id="emoji-as-key"),
        pytest.param('"😀"'.encode(), "😀", id="emoji-unescaped"),
        pytest.param(b'"\\u0000"', "\0", id="nul"),
        pytest.param(b'"\\\\ud800"', "\\ud800", id="escaped-backslash"),
        pytest.param(b'["\\u0041", 1e400]', ["A", math.inf], id="beside-an-infinity"),
    ],
)
def test_other_escapes_are_read(raw, document):
    assert decode_json(raw) == document


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'{"x": "MARKER"} MARKER', id="trailing-garbage"),
        pytest.param(b'{"x": "MARKER', id="cut-off"),
        pytest.param(b'{"x": "MARKER\\q"}', id="unknown-escape"),
        pytest.param(b'{"MARKER" "MARKER"}', id="missing-colon"),
        pytest.param(b'["MARKER\xff"]', id="not-utf-8"),
        pytest.param(b'["MARKER", "\\ud800"]', id="half-surrogate"),
        pytest.param(b'["MARKER", NaN]', id="nan"),
        pytest.param(b'{"MARKER": {"x": 1, "x": "MARKER"}}', id="duplicate-key"),
        pytest.param(b'["MARKER", ' + nested(100) + b"]", id="deep"),
        pytest.param(b'["MARKER", ' + b"1" * 5000 + b"]", id="long-integer"),
    ],
)
def test_a_refusal_never_repeats_a_value(raw):
    assert "MARKER" not in refusal(raw)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf], ids=str)
def test_a_number_that_json_lacks_is_not_written(number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_json({"x": [number]})


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", 1j], ids=["object", "set", "bytes", "complex"])
def test_a_python_value_is_not_written(value):
    with pytest.raises(TypeError):
        encode_json({"x": value})


def test_text_is_written_as_utf_8_without_blanks():
    assert encode_json({"größe": [1, 2.0, None, "😀"]}) == '{"größe":[1,2.0,null,"😀"]}'.encode()


FLAT = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT, max_size=6)


@generously
@given(FLAT | st.lists(FLAT, max_size=5), st.booleans(), st.data())
def test_flat_documents_mean_what_the_standard_library_says(document, ensure_ascii, data):
    text = json.dumps(document, ensure_ascii=ensure_ascii).replace(
        "Infinity", data.draw(st.sampled_from(["1e999", "2"]))
    )
    assert same(decode_json(text.encode()), json.loads(text))


@generously
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(-2, 2)), max_size=4),
    st.sampled_from(["", ",", ":", "}", "{", "["]),
)
def test_a_flat_object_is_refused_exactly_when_a_key_comes_twice(pairs, text):
    fields = [f"{json.dumps(name + text)}:{value}" for name, value in pairs]
    raw = ("{" + ",".join(fields) + "}").encode()
    if len({name for name, _ in pairs}) < len(pairs):
        assert "twice in one object" in refusal(raw)
    else:
        assert decode_json(raw) == {name + text: value for name, value in pairs}


@pytest.mark.parametrize("digits", [18, 19, 20, 25, 400])
def test_integers_keep_all_their_digits(digits):
    number = int("9" * digits)
    assert decode_json(f'{{"a":{number},"b":-{number}}}'.encode()) == {"a": number, "b": -number}


# How many values


@pytest.mark.parametrize(
    ("raw", "marks"),
    [
        (b"[[],[]]", 4),
        (b'{"a":1,"b":[1,2]}', 4),
        (b'["a,b,c[[[{{{", 1]', 2),
        (rb'["\",,,\\", 1]', 2),
        (b"[" + b"[]," * 999 + b"[]]", 2000),
    ],
)
def test_what_begins_values_is_counted_outside_of_texts(raw, marks):
    assert holds_more_values(raw, marks - 1)
    assert not holds_more_values(raw, marks)


@generously
@given(DOCUMENTS)
def test_the_count_is_right_but_for_a_factor_of_two(document):
    def count(value):
        if isinstance(value, dict):
            return 1 + sum(map(count, value.values()))
        return 1 + sum(map(count, value)) if isinstance(value, list) else 1

    raw, values = json.dumps(document).encode(), count(document)
    assert not holds_more_values(raw, 2 * values)
    assert values < 3 or holds_more_values(raw, values - 2)


def test_nested_documents_are_read_without_the_strict_reader_and_refused_all_the_same():
    deep = {"a": [{"b": {"c": [1, 2.5, "x"]}}, []], "d": None}
    assert decode_json(json.dumps(deep).encode()) == deep
    with pytest.raises(PayloadMalformed, match="'b' twice"):
        decode_json(b'{"a": [{"b": 1, "b": 2}]}')
    assert decode_json(b'{"a": [12345678901234567890123]}') == {"a": [12345678901234567890123]}
