"""A report as JSON, as lines for a terminal, and as figures for whoever collects them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from model_service.drift.report import DriftReport, FieldDrift

_COLUMNS = ("psi", "ks", "letters_psi", "unseen", "missing")


class Figure(NamedTuple):
    """One number of a report."""

    place: str
    field: str
    name: str
    value: float


def list_figures(report: DriftReport) -> Iterator[Figure]:
    """Yield every figure of a report; of one in which nothing could be judged, none."""
    for each in report.fields:
        for name, value in each.figures.items():
            yield Figure(each.place, each.name, name, value)


def make_document(report: DriftReport) -> dict[str, Any]:
    """Return a report as JSON has it."""
    return {
        "model": report.qualified_name,
        "version": report.version,
        "rows": report.rows,
        "reference_rows": report.reference_rows,
        "since": report.since or None,
        "until": report.until or None,
        "problem": report.problem or None,
        "drifted": report.is_drifted,
        "reasons": list(report.reasons),
        "fields": [_describe(each) for each in report.fields],
        "accuracy": [
            {"field": each.name, "rows": each.rows, "share_right": each.share_right, "mean_error": each.mean_error}
            for each in report.accuracy
        ],
    }


def write_lines(report: DriftReport) -> Iterator[str]:
    """Yield what a person in a terminal reads."""
    span = f", {report.since} to {report.until}" if report.since else ""
    yield f"{report.qualified_name} {report.version}: {report.rows} rows{span}; training saw {report.reference_rows}"
    if report.problem:
        yield report.problem
        return
    width = max((len(each.name) for each in report.fields), default=0) + 2
    yield f"{'':8}{'field':{width}}{'kind':10}" + "".join(f"{name:>12}" for name in _COLUMNS)
    for each in report.fields:
        cells = "".join(f"{each.figures[name]:12.3f}" if name in each.figures else f"{'':12}" for name in _COLUMNS)
        yield f"{each.place:8}{each.name:{width}}{each.kind:10}{cells}  {each.note}".rstrip()
        for reason in each.reasons:
            yield f"{'':10}DRIFT: {reason}"
    for known in report.accuracy:
        text = f"{known.share_right:.1%} right" if known.share_right is not None else f"mean error {known.mean_error:g}"
        yield f"feedback for {known.rows} rows: {known.name}: {text}"
    for reason in report.reasons:
        yield f"{'':10}DRIFT: {reason}"
    count = sum(each.is_drifted for each in report.fields)
    yield f"{count} of {len(report.fields)} fields have drifted" if report.is_drifted else "nothing has drifted"


def _describe(each: FieldDrift) -> dict[str, Any]:
    return {
        "place": each.place,
        "field": each.name,
        "kind": each.kind,
        "rows": each.rows,
        "drifted": each.is_drifted,
        "reasons": list(each.reasons),
        "note": each.note or None,
        "figures": {name: round(value, 6) for name, value in each.figures.items()},
        "bars": [{"label": bar.label, "before": round(bar.before, 6), "now": round(bar.now, 6)} for bar in each.bars],
    }
