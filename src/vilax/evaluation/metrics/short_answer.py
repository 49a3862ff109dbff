"""Short answers by exact match: GQA (protocols.md 2), BBH (11.2), MMLU's means (11.1)."""

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vilax.config.errors import unknown

_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True)
class Gqa:
    """Accuracy in percent; 0 where there are no questions.

    Attributes:
        accuracy: over all questions.
        binary: over questions of a structural type other than query.
        open: over questions of type query.
        structural: structural type to accuracy.
        semantic: semantic type to accuracy.
        per_item: whether each item is right.
    """

    accuracy: float
    binary: float
    open: float
    structural: Mapping[str, float]
    semantic: Mapping[str, float]
    per_item: Sequence[bool]


GqaStyle = Literal["llava", "lmms"]


def gqa(items: Sequence[Mapping[str, Any]], style: GqaStyle = "llava") -> Gqa:
    """GQA's accuracy by exact match.

    Args:
        items: with ``prediction``, ``answer``, ``structural``, ``semantic``.
        style: ``llava``: full stops at the end deleted, lower case, nothing else, so a space at
            either end or an article is wrong. ``lmms``: white space at the prediction's ends, case
            and ASCII punctuation do not count; an article does.

    Raises:
        ConfigError: no such style.
    """
    if style not in ("llava", "lmms"):
        raise unknown("style of gqa", style, ("llava", "lmms"))
    right = [_gqa_right(str(i["prediction"]), str(i["answer"]), style) for i in items]

    def by(key: str) -> dict[str, float]:
        groups: dict[str, list[bool]] = {}
        for item, one in zip(items, right, strict=True):
            groups.setdefault(str(item[key]), []).append(one)
        return {name: _percent(some) for name, some in sorted(groups.items())}

    asked = [str(item["structural"]) == "query" for item in items]
    return Gqa(
        _percent(right),
        _percent([one for one, is_open in zip(right, asked, strict=True) if not is_open]),
        _percent([one for one, is_open in zip(right, asked, strict=True) if is_open]),
        by("structural"),
        by("semantic"),
        right,
    )


def _gqa_right(prediction: str, answer: str, style: str) -> bool:
    if style == "llava":
        return prediction.rstrip(".").lower() == answer
    # The harness strips predictions, not answers, and before punctuation goes: `yes !` is wrong.
    return _bare(prediction.strip()) == _bare(answer)


def _bare(text: str) -> str:
    return text.lower().translate(_PUNCTUATION)


BbhStyle = Literal["cot", "direct", "starts_with"]


def bbh_correct(response: str, target: str, style: BbhStyle = "cot") -> float:
    """Whether an answer to a BBH question is right, 1.0 or 0.0.

    Args:
        response: raw output.
        target: ``(A)``, ``True``, a number, a bracket string or words.
        style: ``cot``: lm-eval's few-shot rule. What follows the first ``the answer is `` on its
            line, without the line's last character; so the closing full stop is needed, and a
            capital ``The`` misses. ``direct``: lm-eval's zero-shot rule. Equal but for case, a
            final full stop, commas, backslashes, line breaks and double quotes. ``starts_with``:
            instruct-eval's. The stripped output begins with the target.

    Raises:
        ConfigError: no such style.
    """
    if style == "cot":
        found = re.findall(r"(?<=the answer is )(.*)(?=.)", response)
        return float(bool(found) and found[0].strip() == target)
    if style == "direct":
        return float(_forgiven(response) == _forgiven(target))
    if style == "starts_with":
        return float(response.strip().startswith(target))
    raise unknown("style of bbh_correct", style, ("cot", "direct", "starts_with"))


def _forgiven(text: str) -> str:
    for pattern in (r"\.$", ",", "\n", r"\\", '"'):
        text = re.sub(pattern, "", text)
    return text.lower()


@dataclass(frozen=True)
class Mmlu:
    """Accuracy in percent.

    Attributes:
        micro: over questions.
        macro: plain mean over subjects.
        groups: STEM, humanities, social sciences, other to accuracy over their questions, as
            hendrycks/test groups the 57 subjects (lm-eval counts anatomy to STEM); ``unlisted``
            holds subjects that are none of these.
        subjects: subject to accuracy.
    """

    micro: float
    macro: float
    groups: Mapping[str, float]
    subjects: Mapping[str, float]


def mmlu(items: Sequence[Mapping[str, Any]]) -> Mmlu:
    """MMLU's means.

    Args:
        items: with ``subject`` and ``correct``.
    """
    subjects: dict[str, list[bool]] = {}
    groups: dict[str, list[bool]] = {}
    for item in items:
        subject, is_right = str(item["subject"]), bool(item["correct"])
        subjects.setdefault(subject, []).append(is_right)
        groups.setdefault(GROUP_OF.get(subject, "unlisted"), []).append(is_right)
    each = {name: _percent(some) for name, some in sorted(subjects.items())}
    return Mmlu(
        _percent([bool(item["correct"]) for item in items]),
        sum(each.values()) / len(each) if each else 0.0,
        {name: _percent(some) for name, some in sorted(groups.items())},
        each,
    )


def _percent(values: Sequence[bool]) -> float:
    return 100 * sum(values) / len(values) if values else 0.0


_GROUPS = {
    "STEM": """abstract_algebra astronomy college_biology college_chemistry
        college_computer_science college_mathematics college_physics computer_security
        conceptual_physics electrical_engineering elementary_mathematics high_school_biology
        high_school_chemistry high_school_computer_science high_school_mathematics
        high_school_physics high_school_statistics machine_learning""",
    "humanities": """formal_logic high_school_european_history high_school_us_history
        high_school_world_history international_law jurisprudence logical_fallacies moral_disputes
        moral_scenarios philosophy prehistory professional_law world_religions""",
    "social sciences": """econometrics high_school_geography
        high_school_government_and_politics high_school_macroeconomics
        high_school_microeconomics high_school_psychology human_sexuality professional_psychology
        public_relations security_studies sociology us_foreign_policy""",
    "other": """anatomy business_ethics clinical_knowledge college_medicine global_facts human_aging
        management marketing medical_genetics miscellaneous nutrition professional_accounting
        professional_medicine virology""",
}
GROUP_OF: Mapping[str, str] = {
    subject: group for group, subjects in _GROUPS.items() for subject in subjects.split()
}
"""The 57 subjects' groups."""
