"""The figures that a model card states, held against what training measured."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

#: A number as people write it in a card: 0.8175, -0.0012, 1,024, 72.3 %.
_FIGURE = re.compile(r"(?<![\w.,-])[-\u2212]?\d[\d,]*(?:\.\d+)?(?![\w,]|\.\d)(?: ?%)?")
_FACTS = ("value", "spread")


def find_unmeasured(card: str, metrics: Any, section: str = "Quality") -> list[str]:
    """Return the figures below a heading of a card that no result in ``metrics.json`` has.

    A figure is right when a measured number, or a hundred times it before a per cent sign, rounds to it.
    """
    measured = [result[fact] for result in metrics.get("results", ()) for fact in _FACTS if result[fact] is not None]
    measured.append(metrics.get("data", {}).get("rows", 0))
    return [text for text in dict.fromkeys(_read_figures(card, section)) if not _is_measured(text, measured)]


def _read_figures(card: str, section: str) -> Iterator[str]:
    match = re.search(rf"^(#+) {re.escape(section)}\s*$(.*?)(?=^#{{1,2}} |\Z)", card, re.MULTILINE | re.DOTALL)
    for line in match[2].splitlines() if match else ():
        is_row = line.startswith("|")
        plain = re.sub(r"`[^`]*`|\[[^\]]*\]\([^)]*\)", " ", line).replace("*", "")
        for figure in _FIGURE.findall(plain.partition("|")[2].partition("|")[2] if is_row else plain):
            if is_row or "." in figure:
                yield figure


def _is_measured(text: str, measured: Sequence[float]) -> bool:
    plain = text.rstrip(" %").replace(",", "").replace("\u2212", "-")
    scale = 100 if text.endswith("%") else 1
    digits = len(plain.partition(".")[2])
    # Half a unit of the last digit, and a little for what floating point adds.
    return any(abs(abs(value) * scale - abs(float(plain))) <= 0.5000001 * 10**-digits for value in measured)
