"""The header ``Accept``, read as leniently as callers write it: which media types an answer may have.

Parameters of a media range (``charset=utf-8``, ``odata=verbose``) are ignored: the one form of an answer is the
best that there is for it.
"""

import re

#: A number from 0 to 1, as RFC 9110 has it, or without its zero, as old Java clients write it.
_QUALITY = re.compile(r"(?:[01](?:\.\d*)?|\.\d+)")

#: How exactly a type is named that is named in full.
EXACT = 3


def rate(accept: str, media_type: str) -> tuple[float, int]:
    """Return the quality that a caller gives a media type, and how exactly it names it: `EXACT`, 2, 1 or not.

    Args:
        accept: The value of the header; an empty one accepts everything.
        media_type: Such as ``application/json``.
    """
    ranges = (media_type, media_type.partition("/")[0] + "/*", "*/*")
    found: dict[str, float] = {}
    for part in accept.split(","):
        name, _, parameters = part.partition(";")
        name = name.strip().lower()
        if name:
            name = "*/*" if name == "*" else name
            found[name] = max(found.get(name, 0.0), _find_quality(parameters))
    if not found:
        return 1.0, 1
    # The most exact range counts, whatever a wider one says.
    return next(((found[name], EXACT - place) for place, name in enumerate(ranges) if name in found), (0.0, 0))


def _find_quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            value = value.strip()
            return min(1.0, float(value)) if _QUALITY.fullmatch(value) else 1.0
    return 1.0
