"""Names, figures and tests as the report words them."""

from collections.abc import Sequence
from statistics import fmean, stdev

from vilax.ablation.report.model import ClaimReport, ComparisonReport


def label(task: str) -> str:
    """A task's name for people."""
    return task.replace("_", " ")


def number(value: float | None) -> str:
    """A figure with one digit, or a dash where there is none."""
    return "–" if value is None else f"{value:.1f}"  # noqa: RUF001


def exact(value: float | None) -> str:
    """A number that reads back as itself; empty where there is none."""
    return "" if value is None else repr(round(value, 6))


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Mean, with the standard deviation over seeds where there are several."""
    if not values:
        return number(None)
    deviation = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{fmean(values):.{digits}f}{deviation}"


def unit(one: ComparisonReport, claim: ClaimReport) -> str:
    """What a claim's effect is counted in."""
    endpoint = one.endpoints[claim.endpoint]
    return label(endpoint.measure).replace(".", ", ") if endpoint.measure else "points"


def digits(one: ComparisonReport, claim: ClaimReport) -> int:
    """Digits behind the point that its figures are shown with."""
    return 3 if one.endpoints[claim.endpoint].measure else 1


def p_value(value: float | None) -> str:
    """A p value with three digits."""
    if value is None:
        return "–"  # noqa: RUF001
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def signed(value: float | None, digits: int = 1) -> str:
    """A difference with its sign."""
    return "–" if value is None else f"{value:+.{digits}f}".replace("-", "−")  # noqa: RUF001


def between(ends: tuple[float, float] | None, digits: int = 1) -> str:
    """An interval as text."""
    if ends is None:
        return "–"  # noqa: RUF001
    return f"{signed(ends[0], digits)} to {signed(ends[1], digits)}"


def definition(claim: ClaimReport) -> str:
    """A claim's test in words."""
    beyond = f" by more than {claim.margin:g}" if claim.margin else ""
    (weight, first, k), (_, second, _), *others = claim.terms
    at = f" at {k} shots" if claim.shots else ""
    if claim.kind == "equal":
        test = f"{first} = {second} within ±{claim.margin:g}{at}"
    elif claim.kind == "gain":
        low, high = claim.shots
        change = "rises" if weight > 0 else "falls"
        test = f"{first} {change} from {low} to {high} shots{beyond}"
    elif not others:
        test = f"{first} > {second}{beyond}{at}"
    elif len(claim.shots) > 1:
        low, high = claim.shots
        test = f"gain from {low} to {high} shots, {first} > {others[0][1]}{beyond}"
    else:
        less, base = others[0][1], others[1][1]
        test = f"{first} - {second} > {less} - {base}{beyond}{at}"
    return f"{label(claim.endpoint)}: {test}"
