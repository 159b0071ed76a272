"""JSON (RFC 8259) without the liberties of Python's parser. It knows no schema.

Refused here, because no later layer could tell: duplicate keys, text after the
document, NaN and Infinity literals, bytes that are not UTF-8, half a surrogate
pair, and nesting deep enough to exhaust a stack. A number too large for a float
(``1e400``) becomes an infinity, which `model_service.schema.validation` refuses
with the pointer of its field.

orjson reads what is plainly none of that, many times faster; whatever it refuses, and
whatever could hide a liberty from it, is read again by the strict reader, which explains.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, NoReturn

import orjson

from model_service.errors import PayloadMalformed
from model_service.naming import quote_name

#: Levels of arrays and objects; real payloads have under ten.
MAX_DEPTH = 64
#: Fewer digits than the smallest integer that orjson would turn into a float.
_LONG_INTEGER = b"0" * 19
_DIGITS = bytes(ord("0") if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))
_UNMARKED = bytes(byte for byte in range(256) if byte not in b":{[")
_UNSURE: Final = object()
_NUMBERS = frozenset({int, float, type(None)})
_HOLDERS = frozenset({dict, list})
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BYTE_ORDER_MARK = "\ufeff"
_STRING_OR_CONSTANT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?Infinity|NaN', re.DOTALL)
#: How a message of Python's parser begins -> what is said instead.
_WORDS = {
    "Expecting value": "expected a value",
    "Unexpected UTF-8 BOM": "expected a value",
    "Expecting property name": "expected a name in double quotes",
    "Expecting ':'": "expected ':' after a name",
    "Expecting ','": "expected ',' or the end of the array or object",
    "Illegal trailing comma": "expected no ',' before the end of the array or object",
    "Extra data": "expected nothing after the end of the document",
    "Unterminated string": "this string has no end",
    "Invalid control character": "a line end or control character stands in a string; write it as an escape",
    "Invalid": "there is no such escape in JSON",
}


class _ConstantFound(ValueError):
    """The document holds NaN or an infinity."""


def decode_json(raw: bytes, *, takes_nan: bool = False) -> Any:
    """Return the document in ``raw``.

    Args:
        raw: The text, in UTF-8.
        takes_nan: Whether the literal NaN, which data frames are written with, is read as null.

    Raises:
        PayloadMalformed: Says what is wrong and, for a syntax error, where.
    """
    document = _decode_plain(raw)
    return _decode_strictly(raw, _read_nan if takes_nan else _refuse_constant) if document is _UNSURE else document


def decode_numbers(texts: list[str]) -> list[int | float | None] | None:
    """Return the numbers, or nulls, that many texts are; ``None`` where one is something else, or may be.

    One call for a column of a file is ten times faster than one for each of its cells.
    """
    joined = ",".join(texts)
    try:
        raw = joined.encode("ascii")
        values: list[Any] = orjson.loads(b"[" + raw + b"]")
    except (UnicodeEncodeError, orjson.JSONDecodeError):
        return None
    # As many values as texts, all plain, and no comma beside those between them: each text is one value.
    if len(values) != len(texts) or joined.count(",") != len(texts) - 1 or not {*map(type, values)} <= _NUMBERS:
        return None
    return values if raw.translate(_DIGITS).find(_LONG_INTEGER) < 0 else None


def holds_more_values(raw: bytes, most: int) -> bool:
    """Whether a text has more than so many values: numbers, texts, literals, arrays, objects. It is not decoded.

    In memory a value takes some twenty times the two bytes that it may have in a text.
    """
    if len(raw) <= most or _count_marks(raw) <= most:
        return False
    return count_values(raw) > most


def count_values(raw: bytes) -> int:
    """Return how many values a text has, give or take one; it is not decoded."""
    return _count_marks(_STRING.sub(b"", raw))


def _count_marks(raw: bytes) -> int:
    # Before each value but the first stands a comma, a bracket, or a colon whose key follows one of the others.
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def _decode_plain(raw: bytes) -> Any:
    """Return a document that surely has no duplicate key, no long integer and no great depth.

    A duplicate key leaves one colon more in the text than keys in the document; so does a
    colon inside a string, and then the text is read strictly.
    """
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _UNSURE
    if type(document) is dict:
        rows, keys = 1, len(document)
    elif type(document) is list and set(map(type, document)) <= {dict}:
        rows, keys = len(document), sum(map(len, document))
    else:
        rows, keys = -1, 0
    marks = raw.translate(None, _UNMARKED)  # one walk over a large body, and then over little
    colons = marks.count(b":")
    is_flat = colons == keys and marks.count(b"{") == rows and marks.count(b"[") == (type(document) is list)
    if not is_flat and _count_keys(document) != colons:
        return _UNSURE
    return document if raw.translate(_DIGITS).find(_LONG_INTEGER) < 0 else _UNSURE


def _count_keys(document: Any) -> int:
    """Return the number of keys of all objects in a document; -1 where it is nested too deeply."""
    keys = 0
    level = [document]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for value in level:
            keys += len(value) if type(value) is dict else 0
            children = _children(value)
            if not _HOLDERS.isdisjoint(map(type, children)):  # most hold plain values alone
                inner.extend(child for child in children if type(child) in _HOLDERS)
        if not inner:
            return keys
        level = inner
    return -1


def _decode_strictly(raw: bytes, read_constant: Callable[[str], None]) -> Any:
    if not raw.strip(b" \t\r\n"):
        raise PayloadMalformed("the document is empty; send a JSON object")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PayloadMalformed(f"the document is not UTF-8 (byte {error.start})") from None
    text = text.removeprefix(_BYTE_ORDER_MARK)
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=read_constant)
    except json.JSONDecodeError as error:
        raise _not_json(_word(error.msg), text, error.pos) from None
    except _ConstantFound as found:
        raise _not_json(
            f"{found} is not a JSON number; send another number, or null", text, _find_constant(text)
        ) from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:  # Python's bound on the digits of an integer
        raise PayloadMalformed("the document holds an integer with too many digits") from None
    # Both walks are rare: most bodies cannot be deep or hold an escape at all.
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH:
        _check_depth(document)
    if b"\\u" in raw:
        _check_unicode(document)
    return document


def encode_json(document: Any) -> bytes:
    """Return a document of plain JSON types as UTF-8.

    Raises:
        ValueError: It holds NaN or an infinity.
        TypeError: It holds something that is no JSON type.
    """
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def encode_document(document: Any) -> bytes:
    """Return the JSON of plain types, which validation has accepted, many times faster; NaN would become null.

    Raises:
        TypeError: It holds something that is no JSON type.
    """
    try:
        return orjson.dumps(document)
    except TypeError:  # an integer beyond 64 bits
        return encode_json(document)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise PayloadMalformed(f"the document gives {quote_name(twice)} twice in one object; keep one")
    return unique


def _refuse_constant(constant: str) -> NoReturn:
    raise _ConstantFound(constant)


def _read_nan(constant: str) -> None:
    if constant != "NaN":
        _refuse_constant(constant)


def _find_constant(text: str) -> int:
    """Return where the first NaN or infinity stands outside a string."""
    return next(match.start() for match in _STRING_OR_CONSTANT.finditer(text) if not match[0].startswith('"'))


def _not_json(what: str, text: str, position: int) -> PayloadMalformed:
    line, column = text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
    return PayloadMalformed(f"the document is not valid JSON: {what} (line {line}, column {column})")


def _word(message: str) -> str:
    """Return what Python's parser says in words that mean something to callers of any language."""
    return next((words for start, words in _WORDS.items() if message.startswith(start)), "it cannot be read here")


def _too_deep() -> PayloadMalformed:
    return PayloadMalformed(f"the document is nested more than {MAX_DEPTH} levels deep")


def _check_depth(document: Any) -> None:
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [child for value in level for child in _children(value) if isinstance(child, dict | list)]
    if level:
        raise _too_deep()


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _check_unicode(document: Any) -> None:
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise PayloadMalformed("the document holds half of a surrogate pair, which is not Unicode text") from None
