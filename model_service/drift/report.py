"""Rows held against what training stored of a model: which fields have moved, and what that was judged by.

`judge_rows` takes any rows, `judge_log` those of the log of predictions. A field is called drifted when a distance is
beyond its threshold and beyond what chance does with so few rows.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_service.drift.figures import Bar, Distance, compare_numbers, compare_shares, differs_by_chance, find_psi
from model_service.prediction_log.reading import LoggedRow, Window, read_rows
from model_service.records import ModelInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """From where on a difference counts.

    Attributes:
        psi: Population stability index.
        ks: Largest distance of two distributions.
        unseen: Share of categories that training has not seen.
        missing: By how much the share of missing values differs.
        accuracy: Least share of right answers, where feedback tells; ``None``: any.
        min_rows: With fewer rows nothing is judged.
    """

    psi: float = 0.25
    ks: float = 0.2
    unseen: float = 0.05
    missing: float = 0.1
    accuracy: float | None = None
    min_rows: int = 50


@dataclass(frozen=True, slots=True)
class FieldDrift:
    """One field of the input or the output.

    Attributes:
        place: ``input`` or ``output``.
        kind: As training has it: ``number``, ``category``, ``text`` (by its length) or ``other``.
        figures: By name: ``psi``, ``ks``, ``letters_psi``, ``unseen``, ``outside``, ``missing``, ``missing_before``.
        reasons: Why it is called drifted, each a few words; empty when it is not.
        bars: Shares before and now.
        note: Why it is not judged, if it is not.
    """

    place: str
    name: str
    kind: str
    rows: int
    figures: Mapping[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    bars: tuple[Bar, ...] = ()
    note: str = ""

    @property
    def is_drifted(self) -> bool:
        """Whether it has moved."""
        return bool(self.reasons)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What feedback says of one field of the output.

    Attributes:
        rows: With feedback for it.
        share_right: Of values that are equal or not.
        mean_error: Mean absolute error, of numbers.
    """

    name: str
    rows: int
    share_right: float | None
    mean_error: float | None


@dataclass(frozen=True, slots=True)
class DriftReport:
    """A model's rows, judged.

    Attributes:
        since: Time of the oldest row; empty where rows have none.
        until: Of the newest.
        problem: Why nothing can be judged; empty if something can.
        reasons: Of the model as a whole: what feedback says.
    """

    qualified_name: str
    version: str
    rows: int
    reference_rows: int
    since: str = ""
    until: str = ""
    fields: tuple[FieldDrift, ...] = ()
    accuracy: tuple[Accuracy, ...] = ()
    problem: str = ""
    reasons: tuple[str, ...] = ()

    @property
    def is_drifted(self) -> bool:
        """Whether anything has moved."""
        return bool(self.reasons) or any(each.is_drifted for each in self.fields)


def judge_log(
    folder: Path, info: ModelInfo, window: Window | None = None, thresholds: Thresholds | None = None
) -> DriftReport:
    """Return the report of the rows of a model in the log of predictions."""
    return judge_rows(info, read_rows(folder, info.qualified_name, window or Window()), thresholds)


def judge_rows(info: ModelInfo, rows: Iterable[LoggedRow], thresholds: Thresholds | None = None) -> DriftReport:
    """Return the report of rows.

    Args:
        info: Of the model, with the reference that training has stored.
        rows: In any order; without an output where only the input is known.
        thresholds: From where on a difference counts.
    """
    limits = thresholds or Thresholds()
    listed = [*rows]
    times = sorted(row.time for row in listed if row.time)
    reference_rows = int(info.reference.get("rows", 0))
    names = info.qualified_name, info.version, len(listed), reference_rows
    span = (times[0], times[-1]) if times else ("", "")
    problem = _find_problem(info, len(listed), limits)
    if problem:
        return DriftReport(*names, *span, problem=problem)
    judge = _Judge(limits, reference_rows)
    fields = [
        judge.judge("input", name, stored, [row.payload for row in listed if name not in row.redacted])
        for name, stored in info.reference["fields"].items()
    ]
    outputs = [row.output for row in listed if row.output]
    if outputs:
        for name, stored in info.reference.get("outputs", {}).items():
            fields.append(judge.judge("output", name, stored, outputs))
    accuracy = tuple(_find_accuracy(listed))
    reasons = tuple(
        f"of {each.rows} answers with feedback, {each.share_right:.1%} have the right {each.name}"
        for each in accuracy
        if each.share_right is not None and limits.accuracy is not None and each.share_right < limits.accuracy
    )
    return DriftReport(*names, *span, tuple(fields), accuracy, reasons=reasons)


def _find_problem(info: ModelInfo, rows: int, limits: Thresholds) -> str:
    if not info.reference.get("fields"):
        return (
            "the package has no artifacts/reference.json, so that nobody knows what training saw; train with "
            "model_service.training.run, which writes it"
        )
    if not rows:
        return "there are no rows; log some of the model's predictions with 'prediction_log.sample'"
    if rows < limits.min_rows:
        return f"{rows} rows are too few to judge by; at least {limits.min_rows} are needed"
    return ""


class _Judge:
    """Holds the values of a field against what training stored of it."""

    def __init__(self, limits: Thresholds, reference_rows: int) -> None:
        self._limits = limits
        self._reference_rows = reference_rows

    def judge(self, place: str, name: str, stored: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> FieldDrift:
        kind = stored.get("kind", "other")
        if not rows:
            return FieldDrift(place, name, kind, 0, note="left out of the log")
        if stored.get("missing") == 1:
            return FieldDrift(place, name, kind, len(rows), note="training had no value of it")
        present = [row[name] for row in rows if row.get(name) not in (None, "")]
        before, now = float(stored.get("missing", 0.0)), 1 - len(present) / len(rows)
        figures: dict[str, float] = {"missing": now, "missing_before": before}
        reasons = []
        if abs(now - before) > self._limits.missing and not differs_by_chance(
            before, now, len(rows), self._reference_rows
        ):
            reasons.append(f"{now:.0%} missing, {before:.0%} in training")
        bars: tuple[Bar, ...] = ()
        if present:
            find = {"number": self._judge_numbers, "category": self._judge_categories, "text": self._judge_texts}
            if kind in find:
                bars = find[kind](stored, present, figures, reasons)
        return FieldDrift(place, name, kind, len(rows), figures, tuple(reasons), bars)

    def _judge_numbers(
        self, stored: Mapping[str, Any], values: list[Any], figures: dict[str, float], reasons: list[str]
    ) -> tuple[Bar, ...]:
        numbers = [float(value) for value in values if isinstance(value, int | float)]
        found = compare_numbers(stored.get("quantiles", {}), numbers, self._reference_rows)
        if found is None:
            return ()
        figures["outside"] = found.outside
        self._note("psi", found.psi, self._limits.psi, figures, reasons)
        self._note("ks", found.ks, self._limits.ks, figures, reasons)
        return found.bars

    def _judge_categories(
        self, stored: Mapping[str, Any], values: list[Any], figures: dict[str, float], reasons: list[str]
    ) -> tuple[Bar, ...]:
        counts = Counter(value if isinstance(value, str) else str(value).lower() for value in values)
        bars, figures["unseen"] = compare_shares(stored.get("shares", {}), counts)
        if figures["unseen"] > self._limits.unseen:
            reasons.append(f"{figures['unseen']:.1%} are values that training has not seen")
        self._note("psi", find_psi(bars, len(values), self._reference_rows), self._limits.psi, figures, reasons)
        return bars

    def _judge_texts(
        self, stored: Mapping[str, Any], values: list[Any], figures: dict[str, float], reasons: list[str]
    ) -> tuple[Bar, ...]:
        """Judge lengths and, where training has stored them, letters; of those all of a row count as one."""
        texts = [value for value in values if isinstance(value, str)]
        found = compare_numbers(stored.get("length_quantiles", {}), [len(text) for text in texts], self._reference_rows)
        if found is None:
            return ()
        self._note("psi", found.psi, self._limits.psi, figures, reasons)
        self._note("ks", found.ks, self._limits.ks, figures, reasons)
        letters: Counter[str] = Counter()
        for text in texts:
            letters.update(text)
        if not stored.get("letters"):
            return found.bars
        bars, figures["unseen"] = compare_shares(stored["letters"], letters)
        if figures["unseen"] > self._limits.unseen:
            reasons.append(f"{figures['unseen']:.1%} are letters that training has not seen")
        distance = find_psi(bars, len(texts), self._reference_rows)
        self._note("letters_psi", distance, self._limits.psi, figures, reasons)
        return (*found.bars, *bars)

    def _note(self, name: str, found: Distance, limit: float, figures: dict[str, float], reasons: list[str]) -> None:
        figures[name] = found.value
        if found.value > max(limit, found.chance):
            reasons.append(f"{name} {found.value:.2f} is above {max(limit, found.chance):.2f}")


def _find_accuracy(rows: Sequence[LoggedRow]) -> Iterable[Accuracy]:
    known = [(row.output, row.feedback) for row in rows if row.feedback]
    for name in dict.fromkeys(name for _, outcome in known for name in outcome or ()):
        pairs = [(output.get(name), outcome[name]) for output, outcome in known if outcome and name in outcome]
        if all(_is_number(said) and _is_number(true) for said, true in pairs):
            error = sum(abs(said - true) for said, true in pairs) / len(pairs)
            yield Accuracy(name, len(pairs), None, error)
        else:
            yield Accuracy(name, len(pairs), sum(said == true for said, true in pairs) / len(pairs), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
