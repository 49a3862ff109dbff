"""Expressions of a task's YAML: what they may do, and what they say when they fail."""

import pytest

from vilax.config.errors import ConfigError
from vilax.evaluation.expressions import (
    PICTURE_MARK,
    Expressions,
    lettered,
    option_lines,
    present,
    tagged,
)

MADE = Expressions("evaluation.tasks.t")


def test_fields_filters_and_structures() -> None:
    record = {"image_id": 42, "answers": [{"answer": "a"}, {"answer": "b"}], "file": "f.json"}
    value = MADE.value("x", "'COCO_' ~ (image_id | zfill(12)) ~ '.jpg'")
    assert value(record) == "COCO_000000000042.jpg"
    assert MADE.value("x", "answers | map(attribute='answer') | list")(record) == ["a", "b"]
    assert MADE.value("x", "'[1, 2]' | literal")(record) == [1, 2]
    assert MADE.template("x", "{{ image_id }}\n")(record) == "42\n"


@pytest.mark.parametrize("expression", ["imageid", "answers[0].nothing.more", "image_id | literal"])
def test_what_fails_names_task_key_file_and_fields(expression: str) -> None:
    record = {"image_id": 42, "answers": [{}], "file": "f.json"}
    with pytest.raises(ConfigError) as caught:
        MADE.value("pictures", expression)(record)
    assert "evaluation.tasks.t.pictures" in str(caught.value)
    assert "f.json" in str(caught.value) and "image_id" in str(caught.value)


@pytest.mark.parametrize("expression", ["{{", "a ~", "1 +"])
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(ConfigError, match="expected a jinja2 expression"):
        MADE.value("id", expression)


@pytest.mark.parametrize(
    "expression",
    ["''.__class__.__mro__", "answers.append(1)", "x.__init__.__globals__", "cycler.__init__"],
)
def test_the_sandbox_holds(expression: str) -> None:
    record = {"answers": [1], "x": len, "file": "f"}
    with pytest.raises(ConfigError):
        MADE.value("id", expression)(record)
    assert record["answers"] == [1]


def test_an_attack_by_data_is_text() -> None:
    record = {"question": "{{ 7 * 7 }} <image> \ue000", "file": "f"}
    rendered = MADE.template("prompt", "{{ question }}")(record)
    assert rendered == record["question"]
    assert not PICTURE_MARK.search(rendered)


def test_choices() -> None:
    options = lettered(["one", "two"])
    assert options == {"A": "one", "B": "two"}
    assert option_lines(options) == "A. one\nB. two"
    assert present({"A": "x", "B": "None", "C": "", "D": "y"}) == {"A": "x", "B": "None"}
    assert PICTURE_MARK.findall(tagged("<image 2> and <image>")) == ["2"]
