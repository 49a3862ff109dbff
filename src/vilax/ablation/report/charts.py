"""Small SVG charts without a library: k-shot curves, training curves, and intervals."""

import math
from collections.abc import Mapping, Sequence
from html import escape

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
"""Okabe and Ito's colours, told apart with any colour vision."""
DASHES = ("", "6 3", "2 3", "8 3 2 3", "1 3", "10 4", "4 4")

Points = Sequence[tuple[float, float]]
Band = Sequence[tuple[float, float, float]]

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 320, 220, 40, 10, 26, 34


def ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round values between two bounds."""
    span = high - low
    if span <= 0:
        return [low]
    raw = span / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(f * power for f in (1, 2, 2.5, 5, 10) if f * power >= raw)
    first = math.ceil(low / step - 1e-9) * step
    count = int((high - first) / step + 1e-9) + 1
    return [round(first + i * step, 10) for i in range(count)]


def lines(
    title: str,
    curves: Mapping[str, Points],
    bands: Mapping[str, Band],
    x_label: str,
    marks: Sequence[float],
    colours: Mapping[str, int],
    level: float | None = None,
    y_range: tuple[float, float] | None = None,
) -> str:
    """A line chart.

    Args:
        title: above the chart.
        curves: name to points (x, y).
        bands: name to points (x, low, high).
        x_label: below the chart.
        marks: x values with a tick, evenly placed if they are the only x values.
        colours: name to index in the palette, the same in every chart.
        level: a horizontal reference, such as chance.
        y_range: bounds; else those of the data.
    """
    xs = [x for points in curves.values() for x, _ in points]
    ys = [y for points in curves.values() for _, y in points]
    ys += [y for band in bands.values() for _, low, high in band for y in (low, high)]
    if not xs:
        return ""
    low, high = y_range or (min(ys), max(ys))
    if y_range is not None:
        low, high = min(low, *ys) if min(ys) < low - 20 else low, high
    places = {x: i for i, x in enumerate(marks)}
    even = all(x in places for x in xs)
    right = max(1.0, float(len(marks) - 1) if even else max(xs))

    def px(x: float) -> float:
        share = (places[x] if even else x) / right
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def py(y: float) -> float:
        share = (min(max(y, low), high) - low) / ((high - low) or 1.0)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    parts = [_open(title, curves)]
    for y in ticks(low, high):
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{py(y):.1f}"'
            f' y2="{py(y):.1f}"/>'
            f'<text x="{LEFT - 6}" y="{py(y) + 4:.1f}" text-anchor="end">{y:g}</text>'
        )
    for x in marks:
        parts.append(
            f'<text x="{px(x):.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{x:g}</text>'
        )
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">{escape(x_label)}</text>'
    )
    if level is not None and low <= level <= high:
        parts.append(
            f'<line class="chance" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{py(level):.1f}"'
            f' y2="{py(level):.1f}"/>'
        )
    for name, band in bands.items():
        colour = PALETTE[colours[name] % len(PALETTE)]
        above = [f"{px(x):.1f},{py(up):.1f}" for x, _, up in band]
        below = [f"{px(x):.1f},{py(down):.1f}" for x, down, _ in reversed(band)]
        parts.append(f'<polygon points="{" ".join(above + below)}" fill="{colour}" opacity=".14"/>')
    for name, points in curves.items():
        colour = PALETTE[colours[name] % len(PALETTE)]
        dash = DASHES[colours[name] % len(DASHES)]
        path = " ".join(f"{px(x):.1f},{py(y):.1f}" for x, y in points)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"'
            f' stroke-dasharray="{dash}"/>'
        )
        if even:
            parts += [
                f'<circle cx="{px(x):.1f}" cy="{py(y):.1f}" r="3" fill="{colour}"/>'
                for x, y in points
            ]
    return "".join(parts) + "</svg>"


def _open(title: str, curves: Mapping[str, Points]) -> str:
    said = "; ".join(
        f"{name} ends at {points[-1][1]:.1f}" for name, points in curves.items() if points
    )
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{escape(title)}: {escape(said)}">'
        f'<text x="{LEFT}" y="15" class="name">{escape(title)}</text>'
    )


def forest(effect: float, low: float, high: float, reach: float, margin: float, colour: str) -> str:
    """One claim's effect with its interval around zero, on a scale of -reach to +reach."""
    width, height = 220, 30

    def px(value: float) -> float:
        return width / 2 + max(-1.0, min(1.0, value / reach)) * (width / 2 - 8)

    zone = (
        f'<rect x="{px(-margin):.1f}" y="4" width="{px(margin) - px(-margin):.1f}" height="22"'
        ' class="margin"/>'
        if margin
        else ""
    )
    return (
        f'<svg class="forest" viewBox="0 0 {width} {height}" role="img"'
        f' aria-label="effect {effect:+.1f}, interval {low:+.1f} to {high:+.1f}">{zone}'
        f'<line class="zero" x1="{width / 2}" x2="{width / 2}" y1="2" y2="{height - 2}"/>'
        f'<line x1="{px(low):.1f}" x2="{px(high):.1f}" y1="15" y2="15" stroke="{colour}"'
        ' stroke-width="3" stroke-linecap="round"/>'
        f'<circle cx="{px(effect):.1f}" cy="15" r="5" fill="{colour}"/></svg>'
    )
