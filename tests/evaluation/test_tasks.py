"""Every kind of task, asked of a model whose answers are known."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.fakes import Eyes, Knowing
from tests.evaluation.test_few_shot import item, write
from vilax.config.errors import ConfigError
from vilax.config.schema.evaluation import Evaluation
from vilax.evaluation.evaluate import evaluate
from vilax.evaluation.metrics.accuracy import exact_match, guess_level, likeliest
from vilax.evaluation.subject import Subject
from vilax.evaluation.tasks import clean_answer
from vilax.micro.tokenizer import build_tokenizer

ANIMALS = ("cat", "dog", "owl", "snail")
QUESTION = {"question": "what is this ?", "format": None, "between": None, "after": None}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Items whose picture's bytes name what the fake model believes it shows.

    It is wrong about one of the four: the owl looks like a snail.
    """
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    for animal in ANIMALS:
        looks = "snail" if animal == "owl" else animal
        (folder / "images" / f"{animal}.png").write_bytes(looks.encode())
    pool = [f"shot-{animal}" for animal in ANIMALS]
    for split, fields in (("words", {}), ("questions", QUESTION)):
        items, shots = [], []
        for animal in ANIMALS:
            about: dict[str, Any] = {"subject": animal, "answers": (animal,), **fields}
            items.append(item(f"{split}-{animal}", candidates=ANIMALS, shots=tuple(pool), **about))
            shots.append(item(f"shot-{animal}", candidates=None, **about))
        write(folder / f"{split}.jsonl", map(asdict, items))
        write(folder / f"{split}_shots.jsonl", map(asdict, shots))
    return folder


def knowing(follows: dict[str, str] | None = None) -> Subject:
    tokenizer = build_tokenizer()
    words = tokenizer.get_vocab()
    told = {words[one]: words[other] for one, other in (follows or {}).items()}
    model = Knowing(len(words), tokenizer.eos_token_id, told)
    return Subject(model, tokenizer, Eyes(words, len(words)))  # type: ignore[arg-type]


def run(
    subject: Subject, task: dict[str, Any], data: Path, seed: int = 0, batch: int = 3
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    settings = Evaluation(tasks={"t": task}, batch=batch)
    report = evaluate(subject, settings, ["t"], data, seed, data / "out", "stage")
    lines = (data / "out" / "predictions.jsonl").read_text().splitlines()
    return report["tasks"]["t"], [json.loads(line) for line in lines]


def test_ranking_takes_the_likeliest_candidate(data: Path) -> None:
    task = {"kind": "relation", "split": "words", "shots": [0, 2]}
    facts, rows = run(knowing(), task, data)
    assert facts["scores"] == {"0": 0.75, "2": 0.75}
    assert facts["chance"] == 0.25
    assert {r["id"]: r["answer"] for r in rows if r["k"] == 0} == {
        "words-cat": "cat",
        "words-dog": "dog",
        "words-owl": "snail",
        "words-snail": "snail",
    }
    first = next(r for r in rows if r["k"] == 2)
    one, two = (name.removeprefix("shot-") for name in first["shots"])
    assert first["prompt"] == f"<image> : {one} ; <image> : {two} ; <image> :"
    assert "cat" not in (one, two)


def test_candidates_of_several_tokens_are_ranked_by_their_sum(data: Path) -> None:
    # The first words are the same; the second ones differ in what follows "cat".
    rows = [
        item(
            "x",
            subject="cat",
            answers=("cat snail",),
            candidates=("cat owl", "cat snail"),
            shots=(),
        )
    ]
    write(data / "long.jsonl", map(asdict, rows))
    task = {"kind": "relation", "split": "long", "shots": [0], "modality": "text"}
    assert run(knowing({"cat": "snail"}), task, data)[0]["scores"] == {"0": 1.0}
    assert run(knowing({"cat": "owl"}), task, data)[0]["scores"] == {"0": 0.0}


def test_the_text_control_names_what_it_does_not_show(data: Path) -> None:
    task = {"kind": "relation", "split": "words", "shots": [0, 2], "modality": "text"}
    subject = knowing({":": "dog"})
    facts, rows = run(Subject(subject.model, subject.tokenizer, None), task, data)
    assert facts["scores"] == {"0": 0.25, "2": 0.25}
    assert {r["answer"] for r in rows} == {"dog"}
    assert [r["prompt"] for r in rows if r["k"] == 0] == [f"{animal} :" for animal in ANIMALS]
    for row in rows:
        words = [name.removeprefix("shot-") for name in row["shots"]]
        assert row["prompt"].startswith(" ".join(f"{word} : {word} ;" for word in words))


@pytest.mark.parametrize(("kind", "high"), [("open_answer", 0.75), ("classify", 0.75)])
def test_questions_are_asked_as_in_training(data: Path, kind: str, high: float) -> None:
    facts, rows = run(knowing(), {"kind": kind, "split": "questions", "shots": [0, 1]}, data)
    assert facts["scores"] == {"0": high, "1": high}
    shot = rows[4]["shots"][0].removeprefix("shot-")
    asked = "<image> question : what is this ? answer :"
    assert rows[0]["prompt"] == asked
    assert rows[4]["prompt"] == f"{asked} {shot} {asked}"
    kept = {k: v for k, v in rows[2].items() if k not in ("raw", "log_likelihoods")}
    assert kept | {"prompt": ""} == {
        "task": "t", "k": 0, "seed": 0, "id": "questions-owl", "subject": "owl", "prompt": "",
        "answer": "snail", "reference": ["owl"], "score": 0.0, "shots": [],
    }  # fmt: skip


def test_captions_are_scored_against_the_whole_set(data: Path) -> None:
    facts, rows = run(knowing(), {"kind": "caption", "split": "questions", "shots": [0]}, data)
    # One word: only the first of four orders exists, so a perfect caption has 10 / 4.
    assert [row["score"] for row in rows] == pytest.approx([0.25, 0.25, 0.0, 0.25])
    assert facts["scores"]["0"] == pytest.approx(0.1875)
    assert facts["chance"] is None


@pytest.mark.parametrize("kind", ["open_answer", "classify"])
def test_results_do_not_depend_on_the_batch(data: Path, kind: str) -> None:
    task = {"kind": kind, "split": "questions", "shots": [0, 2, 3]}
    assert run(knowing(), task, data, batch=1) == run(knowing(), task, data, batch=64)


def test_the_seed_changes_shots_and_nothing_else(data: Path) -> None:
    task = {"kind": "relation", "split": "words", "items": 3, "shots": [1]}
    one, other = (run(knowing(), task, data, seed=seed)[1] for seed in (0, 1))
    again = run(knowing({"cat": "dog"}), task, data, seed=0)[1]
    assert [row["id"] for row in one] == [row["id"] for row in other]
    assert [row["shots"] for row in one] != [row["shots"] for row in other]
    assert [row["shots"] for row in one] == [row["shots"] for row in again]


def test_a_batch_asks_for_each_picture_once(data: Path) -> None:
    subject = knowing()
    run(subject, {"kind": "relation", "split": "words", "shots": [3]}, data, batch=4)
    assert isinstance(subject.features, Eyes)
    # Owl and snail are the same bytes here.
    assert [sorted(call) for call in subject.features.calls] == [[b"cat", b"dog", b"snail"]]


def test_candidates_of_one_token_take_one_row_per_prompt(data: Path) -> None:
    subject = knowing()
    run(subject, {"kind": "relation", "split": "words", "shots": [0]}, data, batch=4)
    assert subject.model.rows == [4]  # type: ignore[attr-defined]


def test_the_digest_of_prompts_sees_pictures_and_shots(data: Path) -> None:
    task = {"kind": "relation", "split": "words", "shots": [0]}
    before = run(knowing(), task, data)[0]["prompts_sha256"]
    assert run(knowing({"cat": "dog"}), task, data)[0]["prompts_sha256"] == before
    (data / "images" / "cat.png").write_bytes(b"dog")
    assert run(knowing(), task, data)[0]["prompts_sha256"] != before


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"kind": "open_answer", "split": "words"}, "'words-cat' has no question"),
        ({"kind": "relation", "split": "questions"}, "'questions-cat' has no between"),
        ({"kind": "relation", "split": "none"}, "split=none has no item"),
        ({"kind": "relation", "split": "words", "shots": [4]}, "3 possible shots, 4 are asked"),
    ],
)
def test_data_that_do_not_fit_the_task_are_refused(
    data: Path, task: dict[str, Any], message: str
) -> None:
    write(data / "none.jsonl", [])
    with pytest.raises(ConfigError, match=message):
        run(knowing(), task, data)


def test_a_missing_picture_is_named(data: Path) -> None:
    (data / "images" / "dog.png").unlink()
    with pytest.raises(ConfigError, match=r"item 'words-.*images/dog\.png cannot be read"):
        run(knowing(), {"kind": "relation", "split": "words", "shots": [0]}, data)


def test_a_prompt_longer_than_the_context_is_refused(data: Path) -> None:
    subject = knowing()
    subject.model.llm.net.config.max_position_embeddings = 10  # type: ignore[union-attr]
    task = {"kind": "relation", "split": "words", "shots": [0, 1, 2]}
    with pytest.raises(ConfigError, match=r"with 2 shots takes 13 tokens.* context has 10"):
        run(subject, task, data)


@pytest.mark.parametrize(
    ("text", "template", "answer"),
    [
        (" cat ", "qa", "cat"),
        ("cat question : what is this ? answer : dog", "qa", "cat"),
        ("one question about it", "qa", "one question about it"),
        ("cat\ndog", "qa", "cat"),
        ("a cat. USER: and?", "vicuna_v1", "a cat."),
        ("a : b ;", "raw", "a : b ;"),
        ("question : cat", "qa", ""),
    ],
)
def test_answers_end_where_another_turn_begins(text: str, template: Any, answer: str) -> None:
    assert clean_answer(text, template) == answer


def test_accuracy() -> None:
    assert exact_match("cat", ("dog", "cat")) == 1.0
    assert exact_match("Cat", ("cat",)) == 0.0
    assert likeliest([-3.0, -1.0, -1.0]) == 1
    assert likeliest([float("-inf"), -9.0]) == 1
    assert guess_level(("a", "b", "c", "d"), ("a", "b", "x")) == 0.5
    for broken in ([], [0.0, float("nan")]):
        with pytest.raises(ValueError, match="cannot choose"):
            likeliest(broken)
