"""Distances between what training stored of a field (`describe_rows` of training) and values of now.

Training stores quantiles, not rows. That the quantile of a share ``s`` is ``q`` says no more than

    share of values below q  <=  s  <=  share of values up to q

so a column of few values (a season, a flag) may lie anywhere within that, and is not to be called different for it.
Everything here takes the values of now at the level nearest to ``s`` that their own shares below and up to ``q`` allow.

Each distance comes with the largest that chance alone would give: of rows as they were in training, one field in a
thousand exceeds it. For the population stability index that is a quantile of chi-squared (B. Yurdakul, 2018), for the
largest distance of two distributions the one of Kolmogorov and Smirnov.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

#: The levels between the bins of the index: outer quantiles hold too few rows for bins of their own.
_LEVELS = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_DIGITS = 6
#: Quantile of the normal distribution, and factor of Kolmogorov and Smirnov, for one in a thousand.
_NORMAL, _KOLMOGOROV = 3.09, 1.95


@dataclass(frozen=True, slots=True)
class Bar:
    """A bin or a category: its share in training, and now."""

    label: str
    before: float
    now: float


@dataclass(frozen=True, slots=True)
class Distance:
    """How far two distributions are apart, and how far chance alone would bring them."""

    value: float
    chance: float


@dataclass(frozen=True, slots=True)
class Numbers:
    """How numbers differ from those of training.

    Attributes:
        outside: Share of them below the least or above the largest of training.
    """

    psi: Distance
    ks: Distance
    outside: float
    bars: tuple[Bar, ...]


def compare_numbers(quantiles: Mapping[str, float], values: Sequence[float], reference_rows: int) -> Numbers | None:
    """Return how numbers differ from the quantiles of training; ``None`` where there are none of either."""
    if not quantiles or not values:
        return None
    # Training rounds its quantiles so: a constant must meet its own.
    ordered = sorted(round(value, _DIGITS) for value in values)
    bounds = {float(level): bound for level, bound in quantiles.items()}
    levels = {level: _find_level(level, bound, ordered) for level, bound in sorted(bounds.items())}
    bars = tuple(_make_bars(bounds, levels))
    distance = max(abs(found - level) for level, found in levels.items())
    rows = _count_pairs(len(values), reference_rows)
    return Numbers(
        find_psi(bars, len(values), reference_rows),
        Distance(distance, _KOLMOGOROV * math.sqrt(rows)),
        levels.get(0.0, 0.0) + 1 - levels.get(1.0, 1.0),
        _merge(bars),
    )


def compare_shares(shares: Mapping[str, float], counts: Mapping[str, int]) -> tuple[tuple[Bar, ...], float]:
    """Return the bars of categories, and the share of values that training has not seen."""
    total = sum(counts.values()) or 1
    bars = [Bar(name, share, counts.get(name, 0) / total) for name, share in shares.items()]
    unseen = sum(count for name, count in counts.items() if name not in shares) / total
    return (*bars, *([Bar("not in training", 0.0, unseen)] if unseen else [])), unseen


def find_psi(bars: Sequence[Bar], rows: int, reference_rows: int) -> Distance:
    """Return the population stability index of bars; an empty one counts as half a row."""
    index = 0.0
    for bar in bars:
        before, now = max(bar.before, 0.5 / max(reference_rows, 1)), max(bar.now, 0.5 / max(rows, 1))
        index += (now - before) * math.log(now / before)
    return Distance(index, _find_chi_squared(len(bars) - 1) * _count_pairs(rows, reference_rows))


def differs_by_chance(before: float, now: float, rows: int, reference_rows: int) -> bool:
    """Whether two shares are so near that chance explains it."""
    pooled = (before * reference_rows + now * rows) / max(rows + reference_rows, 1)
    spread = math.sqrt(pooled * (1 - pooled) * _count_pairs(rows, reference_rows))
    return abs(now - before) <= _NORMAL * spread


def _make_bars(bounds: Mapping[float, float], levels: Mapping[float, float]) -> Iterator[Bar]:
    """Yield the bins between the levels."""
    for low, high in pairwise(level for level in _LEVELS if level in levels):
        low_bound, high_bound = bounds[low], bounds[high]
        label = f"{low_bound:g}" if low_bound == high_bound else f"{low_bound:g} to {high_bound:g}"
        now = (1.0 if high == 1.0 else levels[high]) - (0.0 if low == 0.0 else levels[low])
        yield Bar(label, high - low, now)


def _merge(bars: Sequence[Bar]) -> tuple[Bar, ...]:
    """Return bars for people, to whom several bins of one and the same value are one."""
    merged: dict[str, Bar] = {}
    for bar in bars:
        known = merged.get(bar.label, Bar(bar.label, 0.0, 0.0))
        merged[bar.label] = Bar(bar.label, known.before + bar.before, known.now + bar.now)
    return tuple(merged.values())


def _find_level(level: float, bound: float, ordered: Sequence[float]) -> float:
    below, up_to = bisect_left(ordered, bound) / len(ordered), bisect_right(ordered, bound) / len(ordered)
    return min(max(level, below), up_to)


def _count_pairs(rows: int, reference_rows: int) -> float:
    return 1 / max(rows, 1) + 1 / max(reference_rows, 1)


def _find_chi_squared(freedom: int) -> float:
    """Return its quantile for one in a thousand, as Wilson and Hilferty approximate it (1931)."""
    if freedom < 1:
        return 0.0
    part = 2 / (9 * freedom)
    return freedom * (1 - part + _NORMAL * math.sqrt(part)) ** 3
