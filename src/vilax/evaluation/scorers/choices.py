"""Rules for questions with choices: letters, circular rows, categories."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from vilax.evaluation import metrics
from vilax.evaluation.asking import Scored
from vilax.evaluation.intervals import mean_interval
from vilax.evaluation.question import Question
from vilax.evaluation.scorers.means import PERCENT, Answers, Questions, Styles, means, units_of


def option(questions: Questions, answers: Answers, styles: Styles) -> Scored:
    """Share of responses whose letter is the right one; counts those without a letter."""
    by_style: dict[str, list[float]] = {}
    counts: dict[str, int] = {}
    for style in styles:
        letters = [
            metrics.option_letter(answer, question.options, style)  # type: ignore[arg-type]
            for question, answer in zip(questions, answers, strict=True)
        ]
        by_style[style] = [
            float(letter == question.answers[0])
            for question, letter in zip(questions, letters, strict=True)
        ]
        counts[f"without a letter ({style})"] = letters.count(None)
    return means("accuracy", questions, by_style, counts)


def _rows(questions: Sequence[Question], answers: Answers) -> list[dict[str, Any]]:
    return [
        {**question.facts, "answer": question.answers[0], "response": answer}
        for question, answer in zip(questions, answers, strict=True)
    ]


def mmbench(questions: Questions, answers: Answers, styles: Styles) -> Scored:
    """Circular accuracy: a question counts if every rotation is right (protocols.md 6)."""
    rows = [
        row | {"options": question.options}
        for row, question in zip(_rows(questions, answers), questions, strict=True)
    ]
    found = {style: metrics.mmbench_circular(rows, style) for style in styles}  # type: ignore[arg-type]
    first = found[styles[0]]
    sizes: dict[str, int] = {}
    for question in questions:
        sizes[question.unit] = sizes.get(question.unit, 0) + 1
    right = [float(first.questions[int(question.unit)]) for question in questions]
    shares = list({q.unit: value for q, value in zip(questions, right, strict=True)}.values())
    figures: dict[str, Any] = {
        f"circular accuracy ({style})" if place else "circular accuracy": PERCENT * one.overall
        for place, (style, one) in enumerate(found.items())
    }
    figures["categories"] = {k: PERCENT * v for k, v in first.categories.items()}
    figures["l2_categories"] = {k: PERCENT * v for k, v in first.l2_categories.items()}
    return Scored(
        right,
        first.overall,
        figures,
        "circular accuracy",
        mean_interval(shares),
        {"rows without a letter": first.unanswered},
        ("without a judge: a row whose letter no rule finds is wrong, so this is a lower bound",),
    )


def science_qa(questions: Questions, answers: Answers, styles: Styles) -> Scored:
    """Accuracy over items with a picture (IMG), and over all (protocols.md 3)."""
    rows = [
        {**question.facts, "id": question.id, "response": answer}
        for question, answer in zip(questions, answers, strict=True)
    ]
    found = metrics.science_qa(rows)
    values = [float(one) for one in found.per_item]
    shown = [
        (value, question.unit)
        for value, question in zip(values, questions, strict=True)
        if question.facts["has_image"]
    ]
    return Scored(
        values,
        found.image_accuracy / PERCENT,
        {"image_accuracy": found.image_accuracy, "accuracy": found.accuracy},
        "image_accuracy",
        mean_interval([value for value, _ in shown], [unit for _, unit in shown]),
        notes=() if shown else ("no item has a picture",),
    )


def seed_bench(questions: Questions, answers: Answers, styles: Styles) -> Scored:
    """Accuracy over questions, of pictures, of videos and by kind (protocols.md 7)."""
    rows = [
        row | {"question_id": q.id}
        for row, q in zip(_rows(questions, answers), questions, strict=True)
    ]
    found = {style: metrics.seed_bench(rows, style) for style in styles}  # type: ignore[arg-type]
    first = found[styles[0]]
    scored = means(
        "accuracy", questions, {style: list(one.per_item) for style, one in found.items()}
    )
    return scored.with_figures(
        {"image": first.image, "video": first.video, "by_type": dict(first.by_type)}
    )


def mmmu(questions: Questions, answers: Answers, styles: Styles) -> Scored:
    """Accuracy over questions, by subject and domain (protocols.md 8)."""
    rows = [
        {
            "id": question.id,
            "question_type": question.facts["question_type"],
            "options": question.options,
            "answer": list(question.answers) if len(question.answers) > 1 else question.answers[0],
            "response": answer,
        }
        for question, answer in zip(questions, answers, strict=True)
    ]
    found = metrics.mmmu(rows)
    scored = means("accuracy", questions, {"": list(found.per_item)}, {"guessed": found.guessed})
    return scored.with_figures(
        {
            "accuracy (guesses wrong)": found.strict,
            "subjects": dict(found.subjects),
            "domains": dict(found.domains),
        }
    )


def video_mme(questions: Questions, answers: Answers, styles: Styles) -> Scored:
    """Correct over answered as the official tool counts, and over all (protocols.md 12.1)."""
    videos: dict[str, dict[str, Any]] = {}
    for question, answer in zip(questions, answers, strict=True):
        facts = question.facts
        names = ("video_id", "duration", "domain", "sub_category")
        video = videos.setdefault(
            str(facts["video_id"]), {name: facts[name] for name in names} | {"questions": []}
        )
        video["questions"].append(
            {
                "question_id": question.id,
                "task_type": facts["task_type"],
                "question": question.text,
                "options": list(facts["options"]),
                "answer": question.answers[0],
                "response": answer,
            }
        )
    found = metrics.video_mme(list(videos.values()))
    values = [
        float(metrics.option_letter(answer, {}, "videomme") == question.answers[0])
        for question, answer in zip(questions, answers, strict=True)
    ]
    names = ("duration", "domain", "sub_category", "task_type")
    return Scored(
        values,
        found.overall / PERCENT,
        {
            "accuracy of answered": found.overall,
            "accuracy (unanswered wrong)": PERCENT * fmean(values),
            **{name: dict(getattr(found, name)) for name in names},
        },
        "accuracy of answered",
        mean_interval(values, units_of(questions)),
        {"unanswered": found.unanswered},
    )


def mmlu(questions: Questions, answers: Answers, styles: Styles) -> Scored:
    """Accuracy over questions (micro), over subjects (macro) and by group (protocols.md 11.1)."""
    rows = [
        {"subject": question.facts["subject"], "correct": answer == question.answers[0]}
        for question, answer in zip(questions, answers, strict=True)
    ]
    found = metrics.mmlu(rows)
    scored = means("micro", questions, {"": [float(row["correct"]) for row in rows]})
    return scored.with_figures({"macro": found.macro, "groups": dict(found.groups)})
