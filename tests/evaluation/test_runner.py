"""The whole of an evaluation on the tiny world, with a model of random weights."""

import json

import pytest
import torch

from vilax.config.schema.data import MicroWorld
from vilax.config.schema.evaluation import Evaluation
from vilax.evaluation.evaluate import evaluate
from vilax.evaluation.subject import Subject
from vilax.micro import corpora
from vilax.micro.tokenizer import build_tokenizer
from vilax.models.encoder import TimmEncoder
from vilax.models.llm import LanguageModel
from vilax.models.projector import LinearProjector
from vilax.models.vlm import VisionLanguageModel

TASKS = {
    "open_answer": {"kind": "open_answer", "items": 6, "shots": [0, 2], "max_new_tokens": 3},
    "caption": {"kind": "caption", "items": 4, "shots": [0], "max_new_tokens": 4},
    "classify": {"kind": "classify", "items": 6, "shots": [0]},
    "relation": {"kind": "relation", "items": 8, "shots": [0, 2]},
    "binding": {"kind": "binding", "items": 4, "shots": [2]},
    "text_relation": {"kind": "relation", "items": 8, "shots": [2], "modality": "text"},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("world") / "w"
    world = MicroWorld(
        concepts=30, views=1, image_size=64, pages=9, pairs=9, instructions=9,
        text_instructions=9, texts=20, workers=1,
    )  # fmt: skip
    corpora.build(world, folder)
    return folder / "evaluation"


@pytest.fixture(scope="module")
def subject() -> Subject:
    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    sizes = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 32,
        "max_position_embeddings": 256, "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    llm = LanguageModel.scratch("llama", sizes, "sdpa", torch.device("cpu"))
    encoder = TimmEncoder("tf_efficientnet_lite0", "random", 64, layer=-1, grid=2)
    model = VisionLanguageModel(encoder, LinearProjector(encoder.width, 32), llm).eval()

    def features(pictures) -> torch.Tensor:
        seeds = [sum(data) for data in pictures]
        return torch.stack(
            [torch.randn(4, 1280, generator=torch.Generator().manual_seed(s)) for s in seeds]
        )

    return Subject(model, tokenizer, features)


def run(subject: Subject, data, folder, batch: int) -> tuple[dict, list[dict]]:
    folder.mkdir()
    settings = Evaluation(tasks=TASKS, batch=batch)
    report = evaluate(subject, settings, list(TASKS), data, 0, folder, "stage")
    lines = (folder / "predictions.jsonl").read_text().splitlines()
    return report, [json.loads(line) for line in lines]


def test_every_item_is_kept_and_nothing_depends_on_the_batch(subject, data, tmp_path) -> None:
    report, rows = run(subject, data, tmp_path / "a", batch=64)
    other, others = run(subject, data, tmp_path / "b", batch=1)
    for row, same in zip(rows, others, strict=True):
        likely = row.pop("log_likelihoods", {})
        assert likely == pytest.approx(same.pop("log_likelihoods", {}), abs=1e-4)
    assert rows == others
    assert report["tasks"] == other["tasks"]
    assert len(rows) == 6 * 2 + 4 + 6 + 8 * 2 + 4 + 8
    for row in rows:
        assert row.keys() - {"raw"} == {
            "task", "k", "seed", "id", "subject", "prompt", "answer", "reference", "score", "shots",
        }  # fmt: skip
        assert row["prompt"].count("<image>") == (
            0 if row["task"] == "text_relation" else row["k"] + 1
        )
        assert len(row["shots"]) == row["k"]
        assert 0 <= row["score"] <= 1
    for task, facts in report["tasks"].items():
        for k, mean in facts["scores"].items():
            values = [r["score"] for r in rows if r["task"] == task and str(r["k"]) == k]
            assert mean == pytest.approx(sum(values) / len(values))
            assert len(values) == facts["items"]
    assert report["tasks"]["classify"]["chance"] == pytest.approx(1 / 8)


def test_a_text_only_model_is_not_shown_pictures(subject, data, tmp_path) -> None:
    blind = Subject(subject.model, subject.tokenizer, None)
    tmp_path.joinpath("t").mkdir()
    settings = Evaluation(tasks=TASKS)
    evaluate(blind, settings, ["text_relation"], data, 0, tmp_path / "t", "stage")
    with pytest.raises(ValueError, match="text-only model"):
        evaluate(blind, settings, ["relation"], data, 0, tmp_path / "t", "stage")
