"""Rules for yes and no: POPE and MME."""

import numpy as np

from vilax.evaluation import metrics
from vilax.evaluation.asking import Scored
from vilax.evaluation.intervals import Sums, unit_interval
from vilax.evaluation.scorers.means import PERCENT, Answers, Questions, Styles, units_of

TOTAL = 200.0
"""Largest score of an MME task."""


def pope(questions: Questions, answers: Answers, styles: Styles) -> Scored:
    """F1 of yes, with accuracy, precision, recall and the share of yes (protocols.md 4)."""
    labels = [question.answers[0] for question in questions]
    found = metrics.pope(answers, labels)
    said = [metrics.pope_answer(answer) for answer in answers]
    rows = np.array(
        [
            [one == "yes" and label == "yes", one == "yes", label == "yes"]
            for one, label in zip(said, labels, strict=True)
        ],
        dtype=float,
    )

    def f1(sums: Sums) -> float:
        both = float(sums[1] + sums[2])
        return 2 * float(sums[0]) / both if both else 0.0

    figures = {
        name: PERCENT * getattr(found, name)
        for name in ("f1", "accuracy", "precision", "recall", "yes_ratio")
    }
    return Scored(
        [float(one == label) for one, label in zip(said, labels, strict=True)],
        found.f1,
        figures,
        "f1",
        unit_interval(units_of(questions), rows, f1),
        notes=[f"{name} is undefined here and given as 0" for name in found.undefined],
    )


def mme(questions: Questions, answers: Answers, styles: Styles) -> Scored:
    """Perception and cognition, each a sum of task scores of at most 200 (protocols.md 5)."""
    items = [
        {
            "task": question.facts["task"],
            "image": question.facts["image"],
            "truth": question.answers[0],
            "response": answer,
        }
        for question, answer in zip(questions, answers, strict=True)
    ]
    found = metrics.mme(items)
    right = [metrics.mme_answer(item["response"]) == item["truth"].lower() for item in items]
    tasks = [name for name in metrics.MME_PERCEPTION if name in found.tasks]
    primary = "perception" if tasks else "cognition"
    tasks = tasks or sorted(found.tasks)
    most = TOTAL * len(tasks)
    score = found.perception if primary == "perception" else found.cognition
    return Scored(
        [float(one) for one in right],
        score / most if most else 0.0,
        {
            "perception": found.perception,
            "cognition": found.cognition,
            "tasks": {name: one.score for name, one in found.tasks.items()},
        },
        primary,
        _interval(questions, right, tasks),
        notes=[f"{primary}: {len(tasks)} tasks, at most {most:.0f}"],
        scale=most,
    )


def _interval(
    questions: Questions, right: list[bool], tasks: list[str]
) -> tuple[float, float] | None:
    """Interval of the summed task scores as a share of their largest value."""
    pictures: dict[str, list[int]] = {}
    for place, question in enumerate(questions):
        pictures.setdefault(question.unit, []).append(place)
    # Per task: questions, right ones, pictures, pictures with both right.
    rows = np.zeros((len(pictures), 4 * len(tasks)))
    for row, places in enumerate(pictures.values()):
        task = str(questions[places[0]].facts["task"])
        if task in tasks:
            hits = [right[place] for place in places]
            at = 4 * tasks.index(task)
            rows[row, at : at + 4] = len(hits), sum(hits), 1, all(hits)

    def share(sums: Sums) -> float:
        total = 0.0
        for at in range(0, len(sums), 4):
            if sums[at]:
                total += sums[at + 1] / sums[at] + sums[at + 3] / sums[at + 2]
        return float(total) / (2 * len(tasks))

    return unit_interval(list(pictures), rows, share)
