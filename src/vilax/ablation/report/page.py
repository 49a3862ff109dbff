"""The report as self-contained HTML: an index of all claims, and a page per comparison.

The pages load nothing: style, script and pictures are inside, and a policy in each page lets no
other script run. They can be read without script.
"""

import base64
import hashlib
import itertools
import re
from functools import cache, partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from vilax.ablation.report import charts, exports, figures, learned, tables
from vilax.ablation.report.limits import limits
from vilax.ablation.report.model import ComparisonReport, Report
from vilax.ablation.report.sharing import cost_table, saved_table, sharing
from vilax.ablation.report.wording import between, definition, digits, label, p_value, signed

PLURAL = {"holds": "hold", "contradicts": "contradicted", "undecided": "undecided"}
SIGNS = {"holds": "✓", "contradicts": "✗", "undecided": "?"}
REFRESH = 10
"""Seconds after which a page reads itself again while a sweep runs."""


def index(report: Report) -> str:
    """The index page: all claims at a glance."""
    words: list[str] = [
        c.verdict for one in report.comparisons.values() for c in one.claims.values()
    ]
    return _render(
        "index.html",
        report,
        counts={word: words.count(word) for word in PLURAL},
        saved=None if report.savings is None else saved_table(report.savings),
        open_claims=sum(len(one.claims) for one in report.open.values()),
        rows=any(one.claims for one in report.comparisons.values()),
        failures=[
            (name, arm, facts)
            for name, one in report.comparisons.items()
            for arm, facts in one.arms.items()
            if facts.failed
        ],
        digits=lambda claim, one: digits(one, claim),
    )


def comparison_page(name: str, one: ComparisonReport, report: Report) -> str:
    """The page of one comparison: verdicts first, then what they rest on."""
    content = {
        "average_figures": figures.averages(one),
        "paper_table": tables.paper_table(one),
        "our_table": tables.our_table(one),
        "shot_figures": figures.shot_charts(one, False),
        "text_figures": figures.shot_charts(one, True),
        "base_table": tables.base_table(one),
        "control_lines": tables.control_lines(one),
        "alignment_figures": learned.alignment(one),
        "training_figures": learned.training_charts(one),
        "training_table": learned.training_table(one),
        "training_title": learned.TRAINING_TITLE,
        "context_figures": learned.in_context(one),
        "drift_table": learned.drift_table(one),
        "held_out_table": learned.held_out_table(one),
        "sharing": sharing(one),
        "cost_table": cost_table(one),
        "count_table": tables.count_table(one),
        "proof_table": tables.proof_table(one),
        "budget_table": tables.budget_table(one),
        "limits": limits(one, report.scale),
    }
    return _render(
        "comparison.html",
        report,
        name=name,
        one=one,
        sections=list(_sections(one, content)),
        counts=tables.verdict_counts(one),
        forest_groups=figures.forests(one),
        styles=figures.styles(one),
        key=lambda style: Markup(charts.key(style)),  # noqa: S704
        notes=_notes(one),
        definition=definition,
        digits=partial(digits, one),
        **content,
    )


def _sections(one: ComparisonReport, content: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Anchor, title and template of every section that has something to show."""
    is_failed = any(facts.failed for facts in one.arms.values())
    has_runs = any(facts.stages for facts in one.arms.values())
    found = (
        ("failures", "Failures", is_failed),
        ("claims", "Claims", one.claims),
        ("arms", "Arms", True),
        ("tables", "The paper's table beside ours" if one.paper.rows else "Scores", True),
        ("shots", "Scores by number of shots", content["shot_figures"]),
        ("base", "The base LLM, asked in text", one.base),
        ("alignment", "Alignment by layer", content["alignment_figures"]),
        ("training", "Training loss", content["training_figures"]),
        ("in_context", "What context is worth", content["context_figures"]),
        (
            "drift",
            "Text perplexity and held-out loss",
            content["drift_table"].rows or content["held_out_table"].rows,
        ),
        ("examples", "Where arms disagree", one.examples),
        ("cost", "Cost, and what sharing saved", has_runs),
        ("control", "Proof of control", one.proof),
        ("limits", "Limits", content["limits"]),
        ("again", "Again", True),
    )
    return [(id_, title, f"sections/{id_}.html") for id_, title, shown in found if shown]


def _notes(one: ComparisonReport) -> dict[str, str]:
    claims = (
        "Effects with their 95 % intervals, unadjusted. Items and seeds are crossed random effects."
        " p values are adjusted over all claims (Holm); equality takes two one-sided tests."
    )
    if len(one.seeds) == 1:
        claims += " With one seed, intervals speak of this run only."
    over = "items of this run" if len(one.seeds) == 1 else "items and seeds"
    spread = "mean over seeds ± standard deviation; bands above: lowest to highest seed"
    averaged = next((e.tasks for e in one.endpoints.values() if e.tasks), ())
    unit = tables.unit_note(one)
    ours = unit.capitalize()
    ours += f" by number of shots; {'one seed' if len(one.seeds) == 1 else spread}."
    if one.tasks:
        ours += f" Average: {', '.join(map(label, averaged)) or 'none'}."
        ours += f" Metrics: {tables.metrics(one)}."
    t = one.timing
    return {
        "claims": claims,
        "bands": f"{unit.capitalize()}, with 95 % intervals over {over}.",
        "unit": unit,
        "ours": ours,
        "sharing": (
            f"{t.stages} stages of all arms and seeds are {t.distinct_stages} distinct ones:"
            f" {t.distinct_seconds / 60:.1f} minutes of training instead of"
            f" {t.alone_seconds / 60:.1f}, and {t.evaluation_seconds / 60:.1f} of evaluation."
        ),
    }


def file_name(name: str) -> str:
    """The name of a comparison's files, without ending: a name that no path and no index takes."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:60]
    if plain and plain == name and name.lower() != "report":
        return name
    return f"{plain or 'comparison'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def anchor(name: str) -> str:
    """The anchor of a claim."""
    return f"claim-{file_name(name)}"


def when(moment: str) -> str:
    """A time for people; empty where there is none."""
    is_utc = moment.endswith("+00:00")
    return moment.replace("T", " ").removesuffix("+00:00") + (" UTC" if is_utc else "")


def seeds_in_words(one: ComparisonReport) -> str:
    """Which seeds."""
    listed = ", ".join(str(seed) for seed in one.seeds)
    return f"seed {listed}" if len(one.seeds) == 1 else f"seeds {listed or 'none'}"


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("vilax.ablation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals |= {
        "signs": SIGNS,
        "plural": PLURAL,
        "refresh": REFRESH,
        "label": label,
        "signed": signed,
        "between": between,
        "p_value": p_value,
        "csv": exports.table_csv,
        "latex": exports.latex,
        "file": file_name,
        "anchor": anchor,
        "when": when,
        "seeds": seeds_in_words,
    }
    return found


@cache
def _asset(name: str) -> tuple[str, str]:
    """A file of the templates, and the policy's word for it."""
    environment = _environment()
    assert environment.loader is not None
    text = environment.loader.get_source(environment, name)[0].strip()
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return text, f"'sha256-{digest}'"


def _render(template: str, report: Report, **content: Any) -> str:
    css, css_print = _asset("style.css")
    script, script_print = _asset("script.js")
    numbers = itertools.count(1)
    policy = (
        f"default-src 'none'; img-src data:; style-src {css_print}; script-src {script_print};"
        " base-uri 'none'; form-action 'none'"
    )
    return (
        _environment()
        .get_template(template)
        .render(
            report=report,
            versions=", ".join(f"{name} {value}" for name, value in report.versions.items()),
            css=Markup(css),  # noqa: S704
            script=Markup(script),  # noqa: S704
            policy=policy,
            next_id=lambda: f"t{next(numbers)}",
            **content,
        )
    )
