"""Small SVG charts without a library: lines with bands.

Colours come from the style sheet (classes ``s0`` to ``s6``, Okabe and Ito's), so that a chart fits
light and dark; dashes and marks tell series apart without colour.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

STYLES = 7
"""Number of styles of series; the last is for references."""
REFERENCE = 6
DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "12 4", "1 3")

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 340, 216, 40, 10, 38
LETTER = 7.2
"""Width of a label's letter, in pixels."""
LABEL_GAP = 12.0
"""Smallest distance of two labels at line ends, in pixels."""
LETTERS = 16
"""Letters of a label at most; of a longer one beginning and end are shown."""
MARKS = 6
"""Labelled marks of the x axis at most."""


@dataclass(frozen=True)
class Series:
    """One line.

    Attributes:
        name: label at its end.
        points: (x, y), by x.
        style: which colour, dash and mark.
        band: (x, low, high), by x.
        is_dense: many points: drawn without marks.
    """

    name: str
    points: Sequence[tuple[float, float]]
    style: int
    band: Sequence[tuple[float, float, float]] = ()
    is_dense: bool = False


@dataclass(frozen=True)
class Level:
    """A horizontal reference, such as chance."""

    name: str
    y: float


@dataclass(frozen=True)
class Frame:
    """Axes of a chart.

    Attributes:
        x_label: below the chart.
        marks: x values with a tick, evenly placed where every point lies on one.
        low: lower end of y.
        high: upper end of y.
        right: room for labels right of the lines, in pixels.
        places: x to its place among the marks.
        ends: smallest and largest x.
    """

    x_label: str
    marks: Sequence[float]
    ends: tuple[float, float]
    low: float
    high: float
    right: float
    places: dict[float, int] = field(default_factory=dict)

    def x(self, value: float) -> float:
        """Pixels from the left."""
        first, last = self.ends
        share = (value - first) / ((last - first) or 1.0)
        if self.places:
            share = self.places[value] / max(1, len(self.marks) - 1)
        return LEFT + share * (WIDTH - LEFT - self.right)

    def y(self, value: float) -> float:
        """Pixels from the top; values beyond the axis lie on its end."""
        share = (min(max(value, self.low), self.high) - self.low) / ((self.high - self.low) or 1.0)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round values between two bounds."""
    span = high - low
    if span <= 0:
        return [low]
    raw = span / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(f * power for f in (1, 2, 2.5, 5, 10) if f * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def bounds(values: Sequence[float], zero: bool) -> tuple[float, float]:
    """Ends of an axis that hold all values and lie on ticks; ``zero``: 0 is among them."""
    low, high = min(values), max(values)
    if zero:
        low, high = min(0.0, low), max(0.0, high)
    if low == high:
        low, high = low - 0.5 * (not zero), high + 1.0
    inner = ticks(low, high)
    step = inner[1] - inner[0] if len(inner) > 1 else high - low
    return step * math.floor(low / step + 1e-9), step * math.ceil(high / step - 1e-9)


def lines(
    title: str,
    series: Sequence[Series],
    x_label: str,
    marks: Sequence[float],
    levels: Sequence[Level] = (),
    zero: bool = True,
) -> str:
    """A line chart as an SVG element; empty where there is no point.

    Args:
        title: what it shows, for the text alternative.
        series: the lines.
        x_label: below the chart.
        marks: x values with a tick.
        levels: horizontal references.
        zero: whether the y axis holds 0.
    """
    series = [one for one in series if one.points]
    if not series:
        return ""
    values = [y for one in series for _, y in one.points]
    values += [y for one in series for _, *ends in one.band for y in ends]
    values += [level.y for level in levels]
    low, high = bounds(values, zero)
    is_even = all(x in marks for one in series for x, _ in one.points)
    places = {x: i for i, x in enumerate(marks)} if is_even else {}
    names = [_short(name) for name in [*(s.name for s in series), *(v.name for v in levels)]]
    across = [*marks, *(x for one in series for x, _ in one.points)]
    ends = min(across), max(across)
    frame = Frame(x_label, marks, ends, low, high, 14 + LETTER * max(map(len, names)), places)
    said = "; ".join(
        f"{one.name} from {one.points[0][1]:.3g} to {one.points[-1][1]:.3g}" for one in series
    )
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{spoken(title, f"By {x_label}: {said}.")}',
        *_axes(frame),
        *(_level(frame, level) for level in levels),
        *(_band(frame, one) for one in series if one.band),
        *(_line(frame, one) for one in series),
        *_labels(frame, series, levels),
        "</svg>",
    ]
    return "".join(parts)


def spoken(title: str, detail: str) -> str:
    """What a chart says to those who cannot see it: its first elements."""
    return f"<title>{escape(title)}</title><desc>{escape(detail)}</desc>"


def compact(value: float) -> str:
    """A number for an axis: 1500000 as 1.5M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _short(name: str) -> str:
    half = LETTERS // 2
    return name if len(name) <= LETTERS else f"{name[: half - 1]}…{name[-half:]}"


def _axes(frame: Frame) -> list[str]:
    right = WIDTH - frame.right
    parts = []
    for y in ticks(frame.low, frame.high):
        at = frame.y(y)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>'
            f'<text x="{LEFT - 7}" y="{at + 4:.1f}" text-anchor="end">{y:g}</text>'
        )
    step = math.ceil(len(frame.marks) / MARKS)
    parts += [
        f'<text x="{frame.x(x):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">'
        f"{compact(x)}</text>"
        for x in frame.marks[::step]
    ]
    middle = (LEFT + right) / 2
    parts.append(
        f'<text x="{middle}" y="{HEIGHT - 5}" text-anchor="middle">{escape(frame.x_label)}</text>'
    )
    return parts


def _level(frame: Frame, level: Level) -> str:
    at = frame.y(level.y)
    right = WIDTH - frame.right
    return f'<line class="level" x1="{LEFT}" x2="{right:.1f}" y1="{at:.1f}" y2="{at:.1f}"/>'


def _band(frame: Frame, one: Series) -> str:
    above = [f"{frame.x(x):.1f},{frame.y(high):.1f}" for x, _, high in one.band]
    below = [f"{frame.x(x):.1f},{frame.y(low):.1f}" for x, low, _ in reversed(one.band)]
    return f'<polygon class="band s{one.style}" points="{" ".join(above + below)}"/>'


def _line(frame: Frame, one: Series) -> str:
    at = [(frame.x(x), frame.y(y)) for x, y in one.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    dash = f' stroke-dasharray="{DASHES[one.style]}"' if DASHES[one.style] else ""
    if one.is_dense:
        return f'<polyline class="line dense s{one.style}" points="{path}"{dash}/>'
    drawn = f'<polyline class="line s{one.style}" points="{path}"{dash}/>'
    return drawn + "".join(mark(x, y, one.style) for x, y in at)


def mark(x: float, y: float, style: int) -> str:
    """The mark of a style: circle, square, triangle, diamond, and their likes."""
    css = f'class="mark s{style}"'
    if style % 4 == 0:
        return f'<circle {css} cx="{x:.1f}" cy="{y:.1f}" r="3.6"/>'
    if style % 4 == 1:
        return f'<rect {css} x="{x - 3.3:.1f}" y="{y - 3.3:.1f}" width="6.6" height="6.6"/>'
    shapes = {
        2: ((0, -4.4), (4.2, 3.2), (-4.2, 3.2)),
        3: ((0, -4.8), (4.8, 0), (0, 4.8), (-4.8, 0)),
    }
    corners = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in shapes[style % 4])
    return f'<polygon {css} points="{corners}"/>'


def _labels(frame: Frame, series: Sequence[Series], levels: Sequence[Level]) -> list[str]:
    """Names at the ends of lines, pushed apart where they would overlap."""
    wanted = [(frame.y(s.points[-1][1]), _short(s.name), f"end s{s.style}") for s in series]
    wanted += [(frame.y(level.y), _short(level.name), "small") for level in levels]
    wanted.sort(key=lambda one: one[0])
    placed: list[float] = []
    for y, _, _ in wanted:
        placed.append(max(y, placed[-1] + LABEL_GAP) if placed else y)
    # Those that were pushed below the axis push back the ones above them.
    floor = float(HEIGHT - BOTTOM)
    for i in reversed(range(len(placed))):
        placed[i] = min(placed[i], floor)
        floor = placed[i] - LABEL_GAP
    x = WIDTH - frame.right + 9
    return [
        f'<text class="{css}" x="{x:.1f}" y="{at + 4:.1f}">{escape(name)}</text>'
        for at, (_, name, css) in zip(placed, wanted, strict=True)
    ]


def key(style: int) -> str:
    """A short stretch of a series' line with its mark, for a legend."""
    dash = f' stroke-dasharray="{DASHES[style]}"' if DASHES[style] else ""
    return (
        '<svg class="key" viewBox="0 0 34 14" aria-hidden="true">'
        f'<polyline class="line s{style}" points="1,7 33,7"{dash}/>{mark(17, 7, style)}</svg>'
    )
