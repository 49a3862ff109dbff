"""Effects with their intervals, one below the other on one scale."""

from vilax.ablation.report.charts import compact, spoken, ticks

WIDTH, MIDDLE = 280, 14.0


def place(value: float, reach: float) -> float:
    """Pixels from the left on a scale from -reach to +reach."""
    return WIDTH / 2 + max(-1.0, min(1.0, value / reach)) * (WIDTH / 2 - 14)


def interval(
    effect: float,
    low: float,
    high: float,
    reach: float,
    zone: tuple[float, float],
    css: str,
    paper: float | None = None,
) -> str:
    """An effect with its interval on a scale from -reach to +reach.

    Args:
        effect: the effect.
        low: lower end of the interval.
        high: upper end of the interval.
        reach: end of the scale; what lies beyond ends in an arrow.
        zone: where the interval must lie for the claim to hold.
        css: class that gives the colour.
        paper: the paper's effect, a hollow diamond.
    """
    left, right = place(zone[0], reach), place(zone[1], reach)
    said = f"interval {low:+.3g} to {high:+.3g}; holds between {zone[0]:+.3g} and {zone[1]:+.3g}"
    if paper is not None:
        said += f"; the paper's effect {paper:+.3g}"
    parts = [
        f'<svg class="interval" viewBox="0 0 {WIDTH} 28" role="img">'
        f"{spoken(f'effect {effect:+.3g}', said)}",
        f'<rect class="zone" x="{left:.1f}" y="1" width="{max(0.0, right - left):.1f}"'
        ' height="26"/>',
    ]
    for value in ticks(-reach, reach, 4):
        css_line, x = ("grid" if value else "zero"), place(value, reach)
        parts.append(f'<line class="{css_line}" x1="{x:.1f}" x2="{x:.1f}" y1="1" y2="27"/>')
    if paper is not None:
        x = place(paper, reach)
        parts.append(
            f'<polygon class="hollow" points="{x:.1f},{MIDDLE - 8} {x + 6:.1f},{MIDDLE}'
            f' {x:.1f},{MIDDLE + 8} {x - 6:.1f},{MIDDLE}"/>'
        )
    parts.append(
        f'<line class="bar {css}" x1="{place(low, reach):.1f}" x2="{place(high, reach):.1f}"'
        f' y1="{MIDDLE}" y2="{MIDDLE}"/>'
        f'<circle class="mark {css}" cx="{place(effect, reach):.1f}" cy="{MIDDLE}" r="5"/>'
    )
    for value, direction in ((low, -1), (high, 1)):
        if abs(value) > reach:
            end = place(value, reach)
            parts.append(
                f'<polygon class="mark {css}" points="{end + 7 * direction:.1f},{MIDDLE}'
                f' {end:.1f},{MIDDLE - 5} {end:.1f},{MIDDLE + 5}"/>'
            )
    return "".join(parts) + "</svg>"


def scale(reach: float) -> str:
    """The scale under which intervals stand, for a column's heading."""
    labels = "".join(
        f'<text x="{place(value, reach):.1f}" y="12" text-anchor="middle">'
        f"{'0' if not value else ('+' if value > 0 else '') + compact(value)}</text>"
        for value in ticks(-reach, reach, 4)
    )
    return (
        f'<svg class="interval" viewBox="0 0 {WIDTH} 16" role="img">'
        f"{spoken('scale of the effects', f'from {-reach:g} to {reach:g}')}{labels}</svg>"
    )
