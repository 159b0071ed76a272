"""Bars and lines as SVG text, legible on light and dark pages. Not a charting library: two kinds of chart."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 760
_LABEL_WIDTH = 250
_VALUE_WIDTH = 60
_BAR_HEIGHT, _BAR_GAP, _GROUP_GAP = 11, 2, 10
_TOP = 58
_PANEL_HEIGHT = 230
_LEFT, _BOTTOM, _INNER_TOP = 58, 42, 24
_STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 } .quiet { fill: #57606a }
.a { color: #0969da } .b { color: #bc4c00 } .c { color: #1a7f37 }
rect, circle { fill: currentColor } path { fill: none; stroke: currentColor; stroke-width: 2 }
line { stroke: #8c959f; stroke-opacity: .4 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .quiet { fill: #9198a1 } .a { color: #58a6ff } .b { color: #f0883e } .c { color: #3fb950 } }
</style>"""
_COLOURS = ("a", "b", "c")

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart of lines: a name and points per line."""

    title: str
    across: str
    lines: Mapping[str, Points]
    is_log_across: bool = False
    is_log_up: bool = False


def draw_bars(title: str, series: Sequence[str], rows: Sequence[tuple[str, Sequence[float | None]]]) -> str:
    """Return horizontal bars: a group per row, a bar per series; a value that is missing has no bar."""
    largest = max((value for _, values in rows for value in values if value is not None), default=0.0) or 1.0
    room = WIDTH - _LABEL_WIDTH - _VALUE_WIDTH
    parts = [*_draw_legend(series)]
    y = _TOP
    for label, values in rows:
        present = [(place, value) for place, value in enumerate(values) if value is not None]
        height = len(present) * (_BAR_HEIGHT + _BAR_GAP)
        parts.append(_text(_LABEL_WIDTH - 8, y + height / 2 + 3, label, anchor="end"))
        for place, value in present:
            width = max(1.0, room * value / largest)
            parts.append(
                f'<rect class="{_COLOURS[place]}" x="{_LABEL_WIDTH}" y="{y}" '
                f'width="{width:.1f}" height="{_BAR_HEIGHT}"/>'
            )
            parts.append(_text(_LABEL_WIDTH + width + 5, y + _BAR_HEIGHT - 1, show(value), kind="quiet"))
            y += _BAR_HEIGHT + _BAR_GAP
        y += _GROUP_GAP
    return _frame(title, y + 4, parts)


def draw_panels(title: str, panels: Sequence[Panel]) -> str:
    """Return charts of lines side by side."""
    width = WIDTH / len(panels)
    parts = [
        f'<g transform="translate({number * width:.0f} 34)">{"".join(_draw_panel(panel, width))}</g>'
        for number, panel in enumerate(panels)
    ]
    return _frame(title, 34 + _PANEL_HEIGHT + 8, parts)


def choose_ticks(lowest: float, highest: float, *, is_log: bool) -> list[float]:
    """Return round values that cover a range: powers of ten, or some five even steps from 0."""
    if is_log:
        first, last = math.floor(math.log10(lowest) + 1e-9), math.ceil(math.log10(highest) - 1e-9)
        return [10.0**power for power in range(first, max(last, first + 1) + 1)]
    rough = (highest or 1.0) / 4
    magnitude = 10 ** math.floor(math.log10(rough))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= rough * (1 - 1e-9))
    return [number * step for number in range(max(1, math.ceil(highest / step - 1e-9)) + 1)]


def show(value: float) -> str:
    """Return a number with as many digits as it deserves."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2g}"


def _draw_panel(panel: Panel, width: float) -> Iterator[str]:
    points = [point for line in panel.lines.values() for point in line]
    if not points:
        return
    across = choose_ticks(min(x for x, _ in points), max(x for x, _ in points), is_log=panel.is_log_across)
    up = choose_ticks(min(y for _, y in points), max(y for _, y in points), is_log=panel.is_log_up)
    right, bottom = width - 26, _PANEL_HEIGHT - _BOTTOM

    def place_x(x: float) -> float:
        return _LEFT + (right - _LEFT) * _share(x, across, is_log=panel.is_log_across)

    def place_y(y: float) -> float:
        return bottom - (bottom - _INNER_TOP) * _share(y, up, is_log=panel.is_log_up)

    yield _text(_LEFT, 10, panel.title, kind="quiet")
    for tick in up:
        yield f'<line x1="{_LEFT}" x2="{right:.0f}" y1="{place_y(tick):.1f}" y2="{place_y(tick):.1f}"/>'
        yield _text(_LEFT - 6, place_y(tick) + 4, show(tick), anchor="end", kind="quiet")
    for tick in across:
        yield _text(place_x(tick), bottom + 16, show(tick), anchor="middle", kind="quiet")
    yield _text((_LEFT + right) / 2, bottom + 34, panel.across, anchor="middle", kind="quiet")
    for number, (name, line) in enumerate(panel.lines.items()):
        colour = _COLOURS[number]
        places = [(place_x(x), place_y(y)) for x, y in line]
        yield f'<path class="{colour}" d="M{" L".join(f"{x:.1f} {y:.1f}" for x, y in places)}"/>'
        yield from (f'<circle class="{colour}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places)
        if len(panel.lines) > 1:
            yield f'<rect class="{colour}" x="{right - 100 + 55 * number:.0f}" y="1" width="10" height="10"/>'
            yield _text(right - 85 + 55 * number, 10, name)


def _share(value: float, ticks: Sequence[float], *, is_log: bool) -> float:
    if is_log:
        return (math.log10(value) - math.log10(ticks[0])) / (math.log10(ticks[-1]) - math.log10(ticks[0]))
    return (value - ticks[0]) / (ticks[-1] - ticks[0])


def _draw_legend(series: Sequence[str]) -> Iterator[str]:
    for number, name in enumerate(series):
        x = _LABEL_WIDTH + number * 150
        yield f'<rect class="{_COLOURS[number]}" x="{x}" y="34" width="11" height="11"/>'
        yield _text(x + 16, 44, name)


def _text(x: float, y: float, text: str, *, anchor: str = "start", kind: str = "") -> str:
    kind = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(text)}</text>'


def _frame(title: str, height: float, parts: Sequence[str]) -> str:
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img">'
    heading = f'<text class="title" x="8" y="20">{escape(title)}</text>'
    return "\n".join([opening, f"<title>{escape(title)}</title>", _STYLE, heading, *parts, "</svg>"]) + "\n"
