"""Time of an evaluation on a GPU: FLOPs against torch's counter, bytes by hand."""

from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tests.planning.test_plan import tiny
from vilax.config.compose import compose_run
from vilax.config.schema.benchmark import BenchmarkTask
from vilax.config.schema.run import Run
from vilax.planning.asking import (
    ANSWER,
    ITEMS,
    SHORT_QUESTION,
    evaluation_seconds,
    prompts_of,
)
from vilax.planning.hardware import GIB, Gpu
from vilax.training.build import build_model


def asked(run: Run, **task: object) -> Run:
    one = compose_run(["evaluation=paper_full"]).evaluation.tasks["textvqa_ocr"]
    assert isinstance(one, BenchmarkTask)
    changed = one.model_copy(update=task)
    evaluation = run.evaluation.model_copy(update={"tasks": {"one": changed}, "batch": 1})
    return run.model_copy(update={"evaluation": evaluation})


def gpu(flops: float = 1e30, bandwidth: float = 1e30) -> Gpu:
    return Gpu(80 * GIB, flops, 1.0, bandwidth)


def test_reading_takes_the_flops_that_torch_counts(tmp_path: Path) -> None:
    run = asked(tiny(tmp_path, "llama"), shots=(0,), count=1)
    model, _ = build_model(run, ("encoder", "projector", "llm"), 0, torch.device("cpu"))
    length = int(SHORT_QUESTION) + model.tokens_per_view
    tokens = torch.full((1, length), 7)
    tokens[:, 2 : 2 + model.tokens_per_view] = -200
    with (
        torch.no_grad(),
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
    ):
        features = model.features(torch.zeros(1, 3, 28, 28))
        embedded = model.embed(tokens, features)
        states = model.llm(embeddings=embedded, positions=torch.arange(length)[None])
        model.llm.logits(states[0, -1:])
    # The counter takes attention as whole, of which a causal one needs half: both are small here.
    expected = counter.get_total_flops()
    assert evaluation_seconds(run, "sft", gpu(flops=2.0), 0.5) == pytest.approx(expected, rel=0.1)


def test_writing_takes_the_bytes_of_weights_and_keys(tmp_path: Path) -> None:
    run = asked(tiny(tmp_path, "llama"), shots=(0,), count=3)
    model, _ = build_model(run, ("encoder", "projector", "llm"), 0, torch.device("cpu"))
    config = model.llm.net.config
    weights = sum(p.numel() for p in model.llm.parameters())
    weights -= config.vocab_size * config.hidden_size
    length = SHORT_QUESTION + model.tokens_per_view
    keys = 2 * config.num_key_value_heads * config.head_dim * config.num_hidden_layers
    expected = 3 * 5 * 4 * (weights + keys * length)
    assert evaluation_seconds(run, "sft", gpu(bandwidth=1.0), 1.0) == pytest.approx(expected)
    together = run.evaluation.model_copy(update={"batch": 3})
    batched = run.model_copy(update={"evaluation": together})
    expected = 5 * 4 * (weights + 3 * keys * length)
    assert evaluation_seconds(batched, "sft", gpu(bandwidth=1.0), 1.0) == pytest.approx(expected)


def test_prompts_of_benchmarks() -> None:
    tasks = compose_run(["evaluation=paper_full"]).evaluation.tasks
    tasks |= compose_run(["evaluation=paper_corpus"]).evaluation.tasks
    gqa = tasks["gqa"]
    assert [(p.count, p.pictures) for p in prompts_of(gqa, None)] == [(12578, 1)]
    assert prompts_of(gqa, 100)[0].count == 100
    few = prompts_of(tasks["okvqa_completion"], None)
    assert [p.pictures for p in few] == [1, 5]
    assert few[1].text == 5 * few[0].text
    # A letter is told by its likelihood: nothing is written.
    mmlu = prompts_of(tasks["mmlu"], None)[0]
    assert (mmlu.count, mmlu.pictures, mmlu.answer) == (14042, 0, 0.0)
    assert prompts_of(tasks["video_mme"], None)[0].pictures == 8
    assert prompts_of(tasks["llava_bench"], None)[0].answer == ANSWER["judged_llava_bench"]
    assert isinstance(gqa, BenchmarkTask)
    unknown = gqa.model_copy(update={"count": None})
    assert prompts_of(unknown, None)[0].count == ITEMS


def test_what_plans_assume_of_benchmarks_shapes_no_result() -> None:
    from vilax.evaluation.identity import evaluation_inputs

    run = compose_run(["evaluation=paper_full"])
    tasks = {
        name: task.model_copy(update={"count": 7}) if isinstance(task, BenchmarkTask) else task
        for name, task in run.evaluation.tasks.items()
    }
    other = run.model_copy(
        update={"evaluation": run.evaluation.model_copy(update={"tasks": tasks})}
    )
    first, second = (evaluation_inputs(one, "sft", "x", "data", True) for one in (run, other))
    assert first == second
