"""POPE and MME as their scripts parse and count."""

import pytest

from vilax.config.errors import ConfigError
from vilax.evaluation.metrics import mme, mme_answer, pope, pope_answer


@pytest.mark.parametrize(
    ("response", "said"),
    [
        ("No", "no"), ("no, there is", "no"), ("There is not one. Yes", "no"), ("", "yes"),
        ("NO", "yes"), ("No!", "yes"), ("doesn't", "yes"), ("**No**", "yes"), ("No\nway", "yes"),
        ("Yes. No", "yes"), ("No.", "no"), ("know", "yes"),
    ],
)  # fmt: skip
def test_pope_hears_no_in_three_words_alone(response: str, said: str) -> None:
    assert pope_answer(response) == said


def test_pope_figures() -> None:
    found = pope(["Yes", "Yes", "No", "No"], ["yes", "no", "no", "yes"])
    assert (found.accuracy, found.precision, found.recall, found.f1) == (0.5, 0.5, 0.5, 0.5)
    assert found.yes_ratio == 0.5 and found.undefined == ()
    none = pope(["no", "no"], ["yes", "no"])
    assert (none.precision, none.f1, none.recall, none.accuracy) == (0.0, 0.0, 0.0, 0.5)
    assert none.undefined == ("precision", "f1")
    assert pope([], []).undefined == ("precision", "recall", "f1", "accuracy", "yes_ratio")
    with pytest.raises(ConfigError, match="1 responses and 2 labels"):
        pope(["no"], ["yes", "no"])


@pytest.mark.parametrize(
    ("response", "said"),
    [
        ("Yes", "yes"), ("yes, it is", "yes"), ("not", "no"), ("know", "no"), ("north", "no"),
        ("The answer is yes", "other"), ("y", "other"), ("1. No", "other"), ("", "other"),
    ],
)  # fmt: skip
def test_mme_looks_at_four_characters(response: str, said: str) -> None:
    assert mme_answer(response) == said


def test_mme_scores_are_percent_of_questions_and_of_pictures() -> None:
    def two(task: str, image: str, first: str, second: str) -> list[dict]:
        return [
            {"task": task, "image": image, "truth": "Yes", "response": first},
            {"task": task, "image": image, "truth": "No", "response": second},
        ]

    items = [
        *two("existence", "1", "Yes", "No"), *two("existence", "2", "Yes", "Yes"),
        *two("code_reasoning", "1", "Yes", "No"),
    ]  # fmt: skip
    found = mme(items[::-1])
    assert found.perception == 125.0 and found.cognition == 200.0
    task = found.tasks["existence"]
    assert (task.acc, task.acc_plus, task.score) == (75.0, 50.0, 125.0) and task["acc"] == 75.0
    assert mme([tuple(item.values()) for item in items]) == found
    with pytest.raises(ConfigError, match="existence/2 has 1 questions"):
        mme(items[:3])
    with pytest.raises(ConfigError, match="expected yes or no"):
        mme([items[0] | {"truth": "maybe"}])
