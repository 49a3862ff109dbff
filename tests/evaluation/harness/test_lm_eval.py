"""lm-eval asks a vilax model: the same numbers and answers as by our own code."""

import json
from pathlib import Path

import pytest
import yaml
from lm_eval import simple_evaluate
from lm_eval.api.instance import Instance
from lm_eval.tasks import TaskManager

from tests.evaluation.models import random_subject
from vilax.config.errors import ConfigError
from vilax.data.document import Document, Text
from vilax.evaluation.harness.lm_eval import VilaxLM
from vilax.models.decoding import generate, score

WORDS = ["what is this ?", "is it a cat ? it is a dog", "one", "the cat is on the dog , what is it"]
CHOICES = ["cat", "a dog", "it is a cat", "the"]


@pytest.fixture
def tasks(tmp_path: Path) -> TaskManager:
    """Tasks over a local file: ranked, generated, and the likelihood of whole texts."""
    rows = [{"question": text, "choices": CHOICES, "answer": n % 4} for n, text in enumerate(WORDS)]
    data = tmp_path / "items.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    shared = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "doc_to_text": "question : {{question}}\nanswer :",
    }
    own = {
        "local_choice": {
            "output_type": "multiple_choice", "doc_to_choice": "choices", "doc_to_target": "answer",
            "metric_list": [{"metric": "acc"}, {"metric": "exact_match"}],
        },
        "local_answer": {
            "output_type": "generate_until", "doc_to_target": "{{choices[answer]}}",
            "generation_kwargs": {"until": ["\n"], "max_gen_toks": 5, "do_sample": False},
            "metric_list": [{"metric": "exact_match"}],
        },
        "local_text": {
            "output_type": "loglikelihood_rolling", "doc_to_text": "", "doc_to_target": "question",
            "metric_list": [{"metric": "word_perplexity"}],
        },
    }  # fmt: skip
    for name, task in own.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({**shared, "task": name, **task}))
    return TaskManager(include_path=str(tmp_path), include_defaults=False)


def request(kind: str, *arguments: object) -> Instance:
    return Instance(kind, {}, arguments, 0, metadata=("local", 0, 1))


def own_prompt(subject, text: str) -> list[int]:
    document = Document("", "", (Text(text, loss=False),))
    return subject.prompts.prompt(document, "raw").tokens.tolist()


def test_choices_are_as_likely_as_by_our_score(subject, tasks) -> None:
    found = simple_evaluate(VilaxLM(subject, batch=3), tasks=["local_choice"], task_manager=tasks)
    prompts = [own_prompt(subject, f"question : {text}\nanswer :") for text in WORDS]
    tokens = [[subject.prompts.continuation(f" {c}") for c in CHOICES] for _ in WORDS]
    ours = score(subject.model, prompts, tokens, [None] * len(WORDS), 0)
    samples = sorted(found["samples"]["local_choice"], key=lambda one: one["doc_id"])
    for sample, values in zip(samples, ours, strict=True):
        theirs = [float(answer[0][0]) for answer in sample["resps"]]
        assert theirs == pytest.approx(values, abs=1e-4)
    likeliest = [max(range(4), key=values.__getitem__) for values in ours]
    right = sum(place == n % 4 for n, place in enumerate(likeliest)) / len(WORDS)
    assert found["results"]["local_choice"]["acc,none"] == pytest.approx(right)


def test_answers_are_those_of_our_generate(subject, tasks) -> None:
    found = simple_evaluate(VilaxLM(subject, batch=3), tasks=["local_answer"], task_manager=tasks)
    prompts = [own_prompt(subject, f"question : {text}\nanswer :") for text in WORDS]
    ours = generate(subject.model, prompts, [None] * 4, 5, [subject.tokenizer.eos_token_id], 0)
    samples = sorted(found["samples"]["local_answer"], key=lambda one: one["doc_id"])
    theirs = [sample["resps"][0][0] for sample in samples]
    assert theirs == [subject.tokenizer.decode(t, skip_special_tokens=True) for t in ours]
    assert any(theirs)


def test_whole_texts_are_scored_token_by_token(subject, tasks) -> None:
    found = simple_evaluate(VilaxLM(subject), tasks=["local_text"], task_manager=tasks)
    eos = subject.tokenizer.eos_token_id
    for sample in found["samples"]["local_text"]:
        text = list(subject.prompts.text(sample["doc"]["question"]))
        ours = score(subject.model, [[eos]], [[text]], [None], 0)[0][0]
        assert float(sample["resps"][0][0]) == pytest.approx(ours, abs=1e-4)


def test_long_texts_are_scored_in_windows_of_the_context() -> None:
    subject = random_subject(context=8)
    text = " ".join(["the", "cat", "is", "on", "a", "dog", ","] * 3)
    tokens = list(subject.prompts.text(text))
    (found,) = VilaxLM(subject).loglikelihood_rolling([request("loglikelihood_rolling", text)])
    # Windows of eight predictions; the last one begins earlier, so that it is whole too.
    parts = [([1], tokens[:8]), (tokens[7:8], tokens[8:16]), (tokens[12:16], tokens[16:])]
    ours = sum(score(subject.model, [a], [[b]], [None], 0)[0][0] for a, b in parts)
    assert found == pytest.approx(ours, abs=1e-4)


def test_greedy_is_what_generation_says(subject) -> None:
    model = VilaxLM(subject)
    tokens = generate(subject.model, [own_prompt(subject, "the cat")], [None], 3, [], 0)[0]
    words = subject.tokenizer.decode(tokens).split()
    asked = [request("loglikelihood", "the cat", " " + " ".join(words[:n])) for n in (1, 2, 3)]
    other = "cat" if words[0] != "cat" else "dog"
    asked += [request("loglikelihood", "the cat", f" {other}")]
    asked += [request("loglikelihood", "the cat", f" {words[0]} {words[0]} {other}")]
    assert [greedy for _, greedy in model.loglikelihood(asked)][:4] == [True, True, True, False]
    assert model.loglikelihood(asked)[4][1] is (words[1:] == [words[0], other])


def test_an_answer_ends_before_its_stop(subject) -> None:
    model = VilaxLM(subject)
    free = {"until": [], "max_gen_toks": 6}
    (whole,) = model.generate_until([request("generate_until", "the cat", free)])
    stop = whole.split()[2]
    (cut,) = model.generate_until(
        [request("generate_until", "the cat", free | {"until": ["never said", stop]})]
    )
    assert cut == whole.partition(stop)[0]


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0.7},
        {"do_sample": True},
        {"do_sample": True, "temperature": 0.2},
        {"num_beams": 5},
        {"repetition_penalty": 1.1, "do_sample": False},
    ],
)
def test_only_greedy_decoding_is_done(subject, settings) -> None:
    with pytest.raises(ConfigError, match="greed"):
        VilaxLM(subject).generate_until([request("generate_until", "the cat", settings)])


@pytest.mark.parametrize(
    "settings", [{"do_sample": False, "temperature": 0.7}, {"do_sample": True, "temperature": 0}]
)
def test_settings_that_come_to_greedy_decoding_are_taken(subject, settings) -> None:
    settings |= {"max_gen_toks": 2, "num_beams": 1}
    (answer,) = VilaxLM(subject).generate_until([request("generate_until", "the cat", settings)])
    assert answer


def test_a_template_asks_what_vilax_asks(subject) -> None:
    model = VilaxLM(subject, template="vicuna_v1")
    said = Text("what is this ?", loss=False, role="user")
    ours = subject.prompts.prompt(Document("", "", (said,)), "vicuna_v1").tokens.tolist()
    context, continuation = model.split("what is this ?\n", " a cat")
    assert context == model.prompt("what is this ?") == ours
    assert tuple(continuation) == subject.prompts.continuation("a cat", "vicuna_v1")


def test_a_long_prompt_loses_its_start(subject) -> None:
    model = VilaxLM(subject)
    text = " ".join(["cat"] * 30 + ["dog"] * 90)
    (found,) = model.generate_until([request("generate_until", text, {"max_gen_toks": 4})])
    ids = own_prompt(subject, text)[-92:]
    ours = generate(subject.model, [ids], [None], 4, [1], 0)[0]
    assert found == subject.tokenizer.decode(ours, skip_special_tokens=True)


def test_answers_as_long_as_the_context_are_refused(subject) -> None:
    with pytest.raises(ConfigError, match="context has 96"):
        VilaxLM(subject).generate_until(
            [request("generate_until", "cat " * 40, {"max_gen_toks": 96})]
        )


def test_a_request_without_context_follows_the_end_of_a_text(subject) -> None:
    ((found, _),) = VilaxLM(subject).loglikelihood([request("loglikelihood", "", "the cat")])
    tokens = subject.prompts.text("the cat")
    assert found == pytest.approx(score(subject.model, [[1]], [[tokens]], [None], 0)[0][0])
    assert isinstance(
        VilaxLM(subject).generate_until([request("", "", {"max_gen_toks": 2})])[0], str
    )
