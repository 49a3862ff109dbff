"""What the judge is shown, and how it is named."""

import sys
from pathlib import Path

import pytest

from vilax.config.errors import ConfigError
from vilax.evaluation.judge import harness
from vilax.evaluation.judge.prompts import FIELDS, judge_prompt

FIELD = {
    "question": "What {{ is }} it?",
    "truth": "cat<AND>dog<OR>cow",
    "prediction": "A {% cat",
    "context": "A yard.",
    "category": "conv",
    "rule": "Compare them.",
    "role": "Assistant",
    "ask": 1,
}
MODULES = {
    harness.MM_VET: 'raise ImportError\nMM_VET_PROMPT = """Mark it.\n'
    'gpt_query_prompt | Ground truth | Prediction | Correctness\n"""\n',
    harness.VIDEO_QA: "import no_such_module\n"
    'def get_eval(question, answer, pred):\n    messages = [{"role": "system", "content": "Check'
    ' " "it."}, {"role": "user", "content": f"Q {question} A {answer} P {pred}" "{\'a\': 1}"}]\n',
    harness.LLAVA_BENCH: 'x = {"role": "system", "content": y}\nx = {"role": "system", "content":'
    ' "Be fair."}\n',
}


@pytest.fixture
def lmms_eval(tmp_path, monkeypatch) -> Path:
    """An lmms-eval that must not be imported."""
    for module, text in MODULES.items():
        path = tmp_path / "site" / "lmms_eval" / module
        path.parent.mkdir(parents=True)
        path.write_text(text)
    (tmp_path / "site" / "lmms_eval" / "__init__.py").write_text("raise ImportError\n")
    about = tmp_path / "site" / "lmms_eval-9.9.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: lmms-eval\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return tmp_path / "site" / "lmms_eval"


@pytest.fixture
def no_lmms_eval(monkeypatch) -> None:
    monkeypatch.setattr(harness, "find_spec", lambda name: None)
    monkeypatch.setattr(harness, "installed", lambda: None)


def said(protocol, chosen, **changes) -> list[tuple[str, str]]:
    prompt = judge_prompt(protocol, chosen, [FIELD])
    return [(m["role"], m["content"]) for m in prompt.messages(FIELD | changes)]


def test_mm_vet_is_a_row_of_its_table(lmms_eval) -> None:
    row = "What {{ is }} it? | cat <AND> dog <OR> cow | A {% cat | "
    table = "Mark it.\nQuestion | Ground truth | Prediction | Correctness\n"
    assert said("mm_vet", "reference") == [("user", f"{table}\n{row}")]
    ((_, again),) = said("mm_vet", "reference", ask=2)
    assert again.startswith(f"{table}\n{row}\n") and len(again.split("\n")) == 5
    assert "lmms_eval" not in sys.modules


def test_video_qa_fills_the_gaps(lmms_eval) -> None:
    assert said("video_qa", "reference") == [
        ("system", "Check it."),
        ("user", "Q What {{ is }} it? A cat<AND>dog<OR>cow P A {% cat{'a': 1}"),
    ]


FRAME = (
    "[Context]\nA yard.\n\n[Question]\nWhat {{ is }} it?\n\n"
    "[Assistant 1]\ncat<AND>dog<OR>cow\n\n[End of Assistant 1]\n\n"
    "[Assistant 2]\nA {% cat\n\n[End of Assistant 2]\n\n[System]\nCompare them.\n\n"
)


def test_llava_bench_has_its_rule_in_its_frame(lmms_eval) -> None:
    assert said("llava_bench", "reference") == [("system", "Be fair."), ("user", FRAME)]


def test_llava_bench_needs_no_lmms_eval_and_says_what_is_missing(no_lmms_eval) -> None:
    assert said("llava_bench", "reference") == [("user", FRAME)]
    assert "no system message" in judge_prompt("llava_bench", "reference", [FIELD]).source


def test_llava_bench_without_its_rule(no_lmms_eval) -> None:
    with pytest.raises(ConfigError, match="rule and role"):
        judge_prompt("llava_bench", "reference", [FIELD | {"rule": ""}])


@pytest.mark.parametrize("protocol", ["mm_vet", "video_qa"])
def test_without_lmms_eval_both_other_ways_are_named(no_lmms_eval, protocol) -> None:
    with pytest.raises(ConfigError, match=r"vilax\[eval\].*--prompt FILE.*--prompt vilax"):
        judge_prompt(protocol, "reference", [FIELD])


def test_an_lmms_eval_that_has_changed_is_named(lmms_eval) -> None:
    (lmms_eval / harness.MM_VET).write_text("MM_VET_PROMPT = make()\n")
    (lmms_eval / harness.VIDEO_QA).write_text(
        'm = [{"role": "system", "content": "x"}, {"role": "user", "content": f"{question}"}]\n'
    )
    for protocol in ("mm_vet", "video_qa"):
        with pytest.raises(ConfigError, match=r"lmms-eval 9\.9 has no"):
            judge_prompt(protocol, "reference", [FIELD])


def test_versions_follow_the_wording(lmms_eval) -> None:
    first = {p: judge_prompt(p, "reference", [FIELD]) for p in FIELDS}
    assert all("lmms-eval 9.9" in prompt.source for prompt in first.values())
    assert len({prompt.version for prompt in first.values()}) == 3
    for module in MODULES:
        path = lmms_eval / module
        path.write_text(path.read_text().replace("Mark", "Score").replace("Check", "See"))
    path = lmms_eval / harness.LLAVA_BENCH
    path.write_text(path.read_text().replace("fair", "just"))
    for protocol, prompt in first.items():
        assert judge_prompt(protocol, "reference", [FIELD]).version != prompt.version
    other = judge_prompt("llava_bench", "reference", [FIELD | {"rule": "Contrast them."}])
    assert other.version != judge_prompt("llava_bench", "reference", [FIELD]).version


@pytest.mark.parametrize("protocol", list(FIELDS))
def test_our_wording_shows_all_and_is_marked_as_ours(protocol) -> None:
    prompt = judge_prompt(protocol, "vilax", [FIELD])
    assert prompt.version.startswith("vilax 1 sha256:")
    system, user = said(protocol, "vilax")
    assert system[0] == "system" and user[0] == "user"
    for name in ("question", "truth", "prediction"):
        assert FIELD[name] in user[1]
    assert ("A yard." in user[1]) == (protocol == "llava_bench")
    assert (said("mm_vet", "vilax", ask=2) == said("mm_vet", "vilax")) is False


def test_a_users_template(tmp_path) -> None:
    path = tmp_path / "mine.j2"
    path.write_text("{{ question }} / {{ truth }} / {{ prediction }}\n")
    assert said("video_qa", str(path)) == [
        ("user", "What {{ is }} it? / cat<AND>dog<OR>cow / A {% cat\n")
    ]
    prompt = judge_prompt("video_qa", str(path), [FIELD])
    assert prompt.version.startswith("file sha256:") and prompt.source == "mine.j2"


def test_a_users_template_in_two_messages(tmp_path) -> None:
    path = tmp_path / "mine.j2"
    path.write_text(
        "{% block system %}Be {{ truth }}.{% endblock %}"
        "{% block user %}{{ prediction }}{% endblock %}"
    )
    assert said("mm_vet", str(path)) == [
        ("system", "Be cat<AND>dog<OR>cow."),
        ("user", "A {% cat"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ question }}", "{{ prediction }}"),
        ("{{ predicton }}", "did you mean 'prediction'"),
        ("{{ prediction", "expected 'end of print"),
        ("{% block sistem %}{{ prediction }}{% endblock %}", "did you mean 'system'"),
        ("{% block system %}{{ prediction }}{% endblock %}", "block user"),
        ("{% include 'x' %}{{ prediction }}", "loader"),
        ("{{ prediction.__class__.__mro__ }}", "unsafe"),
    ],
)
def test_faults_of_a_template_are_named(tmp_path, text, message) -> None:
    path = tmp_path / "mine.j2"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        said("mm_vet", str(path))
    assert message in str(caught.value)


def test_a_misspelt_choice_has_its_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'reference'"):
        judge_prompt("mm_vet", "refrence", [FIELD])


def test_half_a_character_can_be_sent() -> None:
    _, (_, user) = said("mm_vet", "vilax", prediction="cut \ud83d")
    assert "cut ?" in user.encode().decode()
