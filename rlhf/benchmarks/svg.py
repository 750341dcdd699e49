"""Plots as SVG text: curves with a band, dots with a range, a forest. No library is needed to draw."""

import dataclasses
import html
from collections.abc import Mapping, Sequence

from rlhf.benchmarks.intervals import mean_interval
from rlhf.types.experience import Float64

WIDTH, HEIGHT, COLUMNS = 300, 210, 3
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 30, 30
_INK, _GREY = "#1a1a1a", "#8a8a8a"
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#8c564b", "#e377c2")
_STYLE = 'font-family="system-ui, sans-serif" font-size="11"'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a panel; ``lows`` and ``highs`` are its band."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    lows: Sequence[float]
    highs: Sequence[float]

    @classmethod
    def of_means(cls, name: str, xs: Sequence[float], samples: Sequence[Float64]) -> "Series":
        """Return the line of the means of samples (N,) at each x, with their 95 % intervals as its band."""
        at = [mean_interval(sample) for sample in samples]
        ys, lows, highs = ([point[part] for point in at] for part in ("mean", "low", "high"))
        return cls(name=name, xs=xs, ys=ys, lows=lows, highs=highs)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Panel:
    """One picture: series over a common x axis, and a dashed line where there is something to reach."""

    title: str
    series: Sequence[Series]
    line: float | None = None
    ticks: Mapping[float, str] = dataclasses.field(default_factory=dict)
    """What to write where on the x axis of a curve; by default how far it goes."""


def curves(panels: Sequence[Panel], x_label: str) -> str:
    """Return panels with a line and a band per series, three in a row."""
    return _document(panels, [_curve_panel(panel, x_label) for panel in panels])


def dots(panels: Sequence[Panel]) -> str:
    """Return panels with a dot and a range for the first point of each series, on a scale from zero."""
    return _document(panels, [_dot_panel(panel) for panel in panels])


def forest(title: str, rows: Mapping[str, tuple[float, float, float]]) -> str:
    """Return one line per name, from top to bottom: its (low, middle, high) beside a line at zero."""
    low = min(0.0, *(values[0] for values in rows.values()))
    high = max(0.0, *(values[2] for values in rows.values()))
    width, names, line = 2 * WIDTH, 190, 22
    height = _TOP + line * len(rows) + _BOTTOM

    def across(value: float) -> float:
        return names + (value - low) / ((high - low) or 1.0) * (width - names - 3 * _RIGHT)

    zero = f'<path d="M{across(0):.1f},{_TOP} V{height - _BOTTOM}" stroke="{_GREY}" stroke-dasharray="4 3"/>'
    parts = [_title(title), zero]
    for k, (name, (left, middle, right)) in enumerate(rows.items()):
        y = _TOP + line * (k + 0.6)
        parts.append(_text(names - 10, y + 4, name, "end"))
        parts.append(
            f'<line x1="{across(left):.1f}" x2="{across(right):.1f}" y1="{y:.1f}" y2="{y:.1f}" '
            f'stroke="{COLOURS[0]}" stroke-width="2"/>'
            f'<circle cx="{across(middle):.1f}" cy="{y:.1f}" r="4" fill="{COLOURS[0]}"/>'
        )
    parts += [_text(across(value), height - 12, f"{value:+.2f}", "middle") for value in (low, 0.0, high)]
    return _page(width, height, parts)


def _document(panels: Sequence[Panel], bodies: Sequence[str]) -> str:
    columns = max(1, min(COLUMNS, len(panels)))
    rows = -(-len(panels) // columns)
    width, height = columns * WIDTH, rows * HEIGHT
    placed = [
        f'<g transform="translate({(k % columns) * WIDTH},{(k // columns) * HEIGHT})">{body}</g>'
        for k, body in enumerate(bodies)
    ]
    return _page(width, height, placed)


def _page(width: int, height: int, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" {_STYLE} fill="{_INK}">'
    )
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="white"/>', *parts, "</svg>", ""])


def _curve_panel(panel: Panel, x_label: str) -> str:
    xs = [x for series in panel.series for x in series.xs]
    ys = [y for series in panel.series for y in (*series.lows, *series.highs)]
    ys += [] if panel.line is None else [panel.line]
    x_low, x_high, y_low, y_high = min(xs), max(xs), min(ys), max(ys)
    parts = [_title(panel.title), _frame(), _y_labels(y_low, y_high)]

    def across(x: float) -> float:
        return _LEFT + (x - x_low) / ((x_high - x_low) or 1.0) * (WIDTH - _LEFT - _RIGHT)

    def place(x: float, y: float) -> str:
        return f"{across(x):.1f},{_height_of(y, y_low, y_high):.1f}"

    for x, text in (panel.ticks or {x_high: f"{x_high:,.0f}"}).items():
        is_last = x == x_high
        shown = f"{text} {x_label}" if is_last else text
        parts.append(_text(across(x), HEIGHT - 15, shown, "end" if is_last and x > x_low else "start"))
    for series, colour in zip(panel.series, COLOURS, strict=False):
        outline = [place(x, y) for x, y in zip(series.xs, series.highs, strict=True)]
        outline += [place(x, y) for x, y in zip(series.xs, series.lows, strict=True)][::-1]
        middle = " ".join(place(x, y) for x, y in zip(series.xs, series.ys, strict=True))
        parts.append(f'<polygon points="{" ".join(outline)}" fill="{colour}" opacity="0.2"/>')
        parts.append(f'<polyline points="{middle}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        if panel.ticks:
            middles = (place(x, y).split(",") for x, y in zip(series.xs, series.ys, strict=True))
            parts += [f'<circle cx="{x}" cy="{y}" r="2.5" fill="{colour}"/>' for x, y in middles]
    if panel.line is not None:
        parts.append(_dashes(_height_of(panel.line, y_low, y_high)))
    if len(panel.series) > 1:
        parts.append(_legend([series.name for series in panel.series]))
    return "".join(parts)


def _dot_panel(panel: Panel) -> str:
    top = max([*(series.highs[0] for series in panel.series), panel.line or 0.0]) * 1.05 or 1.0
    parts = [_title(panel.title), _frame(), _y_labels(0.0, top)]
    room = (WIDTH - _LEFT - _RIGHT) / max(1, len(panel.series))
    for k, (series, colour) in enumerate(zip(panel.series, COLOURS, strict=False)):
        x = _LEFT + (k + 0.5) * room
        low, high = _height_of(series.lows[0], 0.0, top), _height_of(series.highs[0], 0.0, top)
        middle = _height_of(series.ys[0], 0.0, top)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" '
            f'stroke="{colour}" stroke-width="2"/>'
            f'<circle cx="{x:.1f}" cy="{middle:.1f}" r="4" fill="{colour}"/>'
        )
        parts.append(_text(x + 7, middle + 4, f"{series.ys[0]:.3g}", "start"))
        parts.append(_text(x, HEIGHT - 12, series.name, "middle"))
    if panel.line is not None:
        parts.append(_dashes(_height_of(panel.line, 0.0, top)))
    return "".join(parts)


def _height_of(y: float, low: float, high: float) -> float:
    return HEIGHT - _BOTTOM - (y - low) / ((high - low) or 1.0) * (HEIGHT - _TOP - _BOTTOM)


def _title(text: str) -> str:
    return f'<text x="{_LEFT}" y="18" font-weight="600">{html.escape(text)}</text>'


def _frame() -> str:
    bottom = HEIGHT - _BOTTOM
    return f'<path d="M{_LEFT},{_TOP} V{bottom} H{WIDTH - _RIGHT}" fill="none" stroke="{_GREY}"/>'


def _y_labels(low: float, high: float) -> str:
    return _text(_LEFT - 5, HEIGHT - _BOTTOM, f"{low:,.4g}", "end") + _text(
        _LEFT - 5, _TOP + 8, f"{high:,.4g}", "end"
    )


def _legend(names: Sequence[str]) -> str:
    lines = [
        f'<tspan x="{WIDTH - _RIGHT - 4}" dy="13" fill="{colour}">{html.escape(name)}</tspan>'
        for name, colour in zip(names, COLOURS, strict=False)
    ]
    top = HEIGHT - _BOTTOM - 13 * len(lines) - 6
    return f'<text y="{top}" text-anchor="end">{"".join(lines)}</text>'


def _dashes(y: float) -> str:
    return (
        f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_GREY}" '
        'stroke-dasharray="4 3"/>'
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(text)}</text>'
