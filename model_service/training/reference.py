"""What the rows of a training looked like, field by field: stored beside the artifacts, for later reports of drift."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from model_service.records import Payload

#: Which quantiles of a number are kept.
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
#: A text with more values than this is no category; of such a text the lengths are kept.
MAX_CATEGORIES = 50
#: Texts of at most so many different letters are sequences, such as those of DNA; their shares are kept, too.
MAX_LETTERS = 30


def describe_rows(payloads: Sequence[Payload]) -> dict[str, Any]:
    """Return ``{"rows", "fields"}``: quantiles or shares of each top-level field, and how often it was missing.

    Of texts the quantiles of their lengths, and the shares of their letters where those are few.

    Args:
        payloads: The rows of the training, as a caller would send them.
    """
    names = dict.fromkeys(name for payload in payloads for name in payload)
    return {"rows": len(payloads), "fields": {name: _describe([row.get(name) for row in payloads]) for name in names}}


def _describe(values: list[Any]) -> dict[str, Any]:
    # Tables write NaN for a missing number and an empty text for a missing text, as `model_service.columns` does.
    present = [value for value in values if value is not None and value != "" and value == value]
    missing = {"missing": round(1 - len(present) / len(values), 4)}
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in present):
        return {"kind": "number", **missing, "quantiles": find_quantiles(present)}
    if not all(isinstance(value, str | bool) for value in present):
        return {"kind": "other", **missing}
    counts = Counter(value if isinstance(value, str) else str(value).lower() for value in present)
    if len(counts) > MAX_CATEGORIES:
        lengths = find_quantiles([len(value) for value in present])
        return {"kind": "text", **missing, "length_quantiles": lengths, **_count_letters(present)}
    shares = {value: round(count / len(present), 4) for value, count in sorted(counts.items())}
    return {"kind": "category", **missing, "shares": shares}


def _count_letters(texts: list[Any]) -> dict[str, Any]:
    letters = Counter("".join(map(str, texts)))
    if len(letters) > MAX_LETTERS:
        return {}
    total = sum(letters.values())
    return {"letters": {letter: round(count / total, 4) for letter, count in sorted(letters.items())}}


def find_quantiles(values: Sequence[float]) -> dict[str, float]:
    """Return `QUANTILES` of numbers by linear interpolation; empty without any."""
    ordered = sorted(values)
    return {str(share): _interpolate(ordered, share) for share in QUANTILES} if ordered else {}


def _interpolate(ordered: list[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return round(float(low + (high - low) * (place - math.floor(place))), 6)
