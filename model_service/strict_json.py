"""JSON (RFC 8259) without the liberties of Python's parser. It knows no schema.

Refused here, because no later layer could tell: duplicate keys, text after the
document, NaN and Infinity literals, bytes that are not UTF-8, half a surrogate
pair, and nesting deep enough to exhaust a stack. A number too large for a float
(``1e400``) becomes an infinity, which `model_service.schema.validation` refuses
with the pointer of its field.
"""

import json
from collections import Counter
from typing import Any, NoReturn

from model_service.errors import PayloadMalformed, quote_name

#: Levels of arrays and objects; real payloads have under ten.
MAX_DEPTH = 64


def decode_json(raw: bytes) -> Any:
    """Return the document in ``raw``.

    Raises:
        PayloadMalformed: Says what is wrong and, for a syntax error, where.
    """
    if not raw.strip(b" \t\r\n"):
        raise PayloadMalformed("the document is empty; send a JSON object")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PayloadMalformed(f"the document is not UTF-8 (byte {error.start})") from None
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise PayloadMalformed(
            f"the document is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})"
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


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise PayloadMalformed(f"the document gives {quote_name(twice)} twice in one object; keep one")
    return unique


def _refuse_constant(constant: str) -> NoReturn:
    raise PayloadMalformed(f"the document is not valid JSON: {constant} is not a JSON number")


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
