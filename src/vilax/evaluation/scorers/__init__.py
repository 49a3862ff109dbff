"""How a benchmark's answers become figures: a table from the name of a metric to its rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from vilax.config.errors import ConfigError, unknown
from vilax.config.schema.benchmark import BenchmarkTask
from vilax.evaluation.asking import Scored
from vilax.evaluation.question import Question
from vilax.evaluation.scorers import choices, texts, yes_no
from vilax.evaluation.scorers.means import PERCENT, Scorer


@dataclass(frozen=True)
class Rule:
    """A metric.

    Attributes:
        score: questions, answers and styles to figures.
        styles: names of its styles, the default first; empty where there is only one rule.
    """

    score: Scorer
    styles: tuple[str, ...] = ()


RULES: Mapping[str, Rule] = {
    "accuracy": Rule(texts.accuracy, ("caseless", "exact")),
    "bbh": Rule(texts.bbh, ("cot", "direct", "starts_with")),
    "caption": Rule(texts.captions),
    "drop": Rule(texts.drop),
    "gqa": Rule(texts.gqa, ("llava", "lmms")),
    "mmbench": Rule(choices.mmbench, ("vlmevalkit", "mmbench")),
    "mme": Rule(yes_no.mme),
    "mmlu": Rule(choices.mmlu),
    "mmmu": Rule(choices.mmmu),
    "option": Rule(
        choices.option,
        ("videomme", "llava_scienceqa", "lmms_seedbench", "vlmevalkit", "mmmu"),
    ),
    "pope": Rule(yes_no.pope),
    "science_qa": Rule(choices.science_qa),
    "seed_bench": Rule(choices.seed_bench, ("llava", "lmms")),
    "video_mme": Rule(choices.video_mme),
    "vqa": Rule(texts.vqa, ("official", "open_flamingo", "evalai")),
}
"""Rule by the name that ``metric`` takes."""

JUDGED: Mapping[str, str] = {
    "judged_llava_bench": "llava_bench",
    "judged_mm_vet": "mm_vet",
    "judged_video_qa": "video_qa",
}
"""Judge's protocol by the name that ``metric`` takes."""

SERVER = "answers are held by the benchmark's server: hand in the file under submission/"
JUDGE = "no judge has spoken yet: vilax judge FOLDER"


def score(
    name: str, task: BenchmarkTask, questions: Sequence[Question], answers: Sequence[str]
) -> Scored:
    """Score the answers to all questions of a benchmark.

    Args:
        name: the task's name, for messages.
        task: its metric, styles and tables.
        questions: in order.
        answers: one a question.

    Raises:
        ConfigError: the metric has no such style.
    """
    unscored: list[float | None] = [None] * len(questions)
    if task.metric in JUDGED:
        return Scored(unscored, None, {}, "", notes=(JUDGE,))
    if task.metric == "submission" or not any(question.answers for question in questions):
        return Scored(unscored, None, {}, "", notes=(SERVER,))
    rule = RULES[task.metric]
    for style in task.styles:
        if style not in rule.styles:
            raise unknown(f"style of metric {task.metric} in task {name}", style, rule.styles)
    found = rule.score(questions, answers, task.styles or rule.styles[:1])
    tables = {key: _by(key, questions, found.values) for key in task.by}
    return found if not tables else found.with_figures({"by": tables})


def check_scoring(name: str, task: BenchmarkTask, questions: Sequence[Question]) -> None:
    """Score one unit of unanswered questions, so that no mistake waits until all are answered.

    Raises:
        ConfigError: the metric has no such style, or needs a fact that the task does not keep.
    """
    first = [question for question in questions if question.unit == questions[0].unit]
    try:
        score(name, task, first, [""] * len(first))
    except KeyError as error:
        raise ConfigError(
            f"evaluation.tasks.{name}.facts: metric {task.metric} needs {error}; there are:"
            f" {', '.join(sorted(first[0].facts)) or 'none'}"
        ) from error


def _by(
    key: str, questions: Sequence[Question], values: Sequence[float | None]
) -> dict[str, float]:
    """Mean score, percent, by the values of a fact."""
    groups: dict[str, list[float]] = {}
    for question, value in zip(questions, values, strict=True):
        if value is not None:
            groups.setdefault(str(question.facts[key]), []).append(value)
    return {name: PERCENT * fmean(some) for name, some in sorted(groups.items())}
