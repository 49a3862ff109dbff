"""Rules for answers in words: VQA accuracy, captions, exact match, DROP."""

from collections.abc import Sequence
from statistics import fmean

from vilax.evaluation import metrics
from vilax.evaluation.asking import Scored
from vilax.evaluation.intervals import mean_interval
from vilax.evaluation.scorers.means import PERCENT, Answers, Questions, Styles, means, units_of


def vqa(questions: Questions, answers: Answers, styles: Styles) -> Scored:
    """VQA accuracy in every style asked for (protocols.md 1.2)."""
    by_style = {
        style: [
            metrics.vqa_soft_accuracy(answer, question.answers, style)  # type: ignore[arg-type]
            for question, answer in zip(questions, answers, strict=True)
        ]
        for style in styles
    }
    return means("vqa_accuracy", questions, by_style)


def accuracy(questions: Questions, answers: Answers, styles: Styles) -> Scored:
    """Share of answers that are one of the right ones: ``exact``, or without case and full stop."""

    def plain(text: str, style: str) -> str:
        return text.strip() if style == "exact" else text.strip().rstrip(".").lower()

    by_style = {
        style: [
            float(plain(answer, style) in {plain(one, style) for one in question.answers})
            for question, answer in zip(questions, answers, strict=True)
        ]
        for style in styles
    }
    return means("accuracy", questions, by_style)


def captions(questions: Questions, answers: Answers, styles: Styles) -> Scored:
    """CIDEr-D as papers print it, 100 times pycocoevalcap's figure (protocols.md 10)."""
    said = {
        question.id: metrics.ptb_tokenise(answer)
        for question, answer in zip(questions, answers, strict=True)
    }
    known = {
        question.id: [metrics.ptb_tokenise(text) for text in question.answers]
        for question in questions
    }
    found = metrics.cider(said, known)
    values = [found.per_image[question.id] / 10 for question in questions]
    return Scored(
        values,
        fmean(values),
        {"cider": PERCENT * found.corpus},
        "cider",
        mean_interval(values, units_of(questions)),
        notes=("document frequencies are those of these items: a subset has other scores",),
        scale=10 * PERCENT,
    )


def gqa(questions: Questions, answers: Answers, styles: Styles) -> Scored:
    """Exact match after the clean-up of the style; by kind of question too (protocols.md 2)."""
    rows = [
        {
            "prediction": answer,
            "answer": question.answers[0],
            "structural": question.facts.get("structural"),
            "semantic": question.facts.get("semantic"),
        }
        for question, answer in zip(questions, answers, strict=True)
    ]
    by_style: dict[str, Sequence[float]] = {}
    for style in styles:
        by_style[style] = metrics.gqa(rows, style).per_item  # type: ignore[arg-type]
    found = means("accuracy", questions, by_style)
    one = metrics.gqa(rows, styles[0])  # type: ignore[arg-type]
    kinds = {"binary": one.binary, "open": one.open}
    return found.with_figures(
        kinds | {"structural": dict(one.structural), "semantic": dict(one.semantic)}
    )


def bbh(questions: Questions, answers: Answers, styles: Styles) -> Scored:
    """Exact match by the harness's rule; the plain mean over tasks beside that over questions."""
    by_style = {
        style: [
            metrics.bbh_correct(answer, question.answers[0], style)  # type: ignore[arg-type]
            for question, answer in zip(questions, answers, strict=True)
        ]
        for style in styles
    }
    found = means("accuracy", questions, by_style)
    groups: dict[str, list[float]] = {}
    for question, value in zip(questions, by_style[styles[0]], strict=True):
        groups.setdefault(str(question.facts["task"]), []).append(value)
    mean = PERCENT * fmean(fmean(some) for some in groups.values())
    return found.with_figures({"mean over tasks": mean})


def drop(questions: Questions, answers: Answers, styles: Styles) -> Scored:
    """F1, and exact match beside it; the output as one span, and split at commas as well."""
    figures: dict[str, list[float]] = {}
    for question, answer in zip(questions, answers, strict=True):
        facts = question.facts
        for name, said in (("", answer), (" (spans split at commas)", _spans(answer))):
            found = metrics.drop(said, facts["answer"], facts["validated_answers"])
            figures.setdefault(f"f1{name}", []).append(found.f1)
            figures.setdefault(f"exact_match{name}", []).append(found.exact_match)
    scored = means("f1", questions, {"": figures["f1"]})
    rest = {name: PERCENT * fmean(each) for name, each in figures.items() if name != "f1"}
    return scored.with_figures(rest)


def _spans(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()] or [text]
