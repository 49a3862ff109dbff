"""Bytes beside the shards: the formula against what torch's tracker sees of a real FSDP2 step."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.distributed._tools.fsdp2_mem_tracker import FSDPMemTracker
from torch.distributed.device_mesh import init_device_mesh
from torch.testing._internal.distributed.fake_pg import FakeStore

from vilax.models.encoder import TimmEncoder
from vilax.models.llm import LanguageModel
from vilax.models.projector import LinearProjector
from vilax.models.sharding import shard
from vilax.models.vlm import IMAGE_TOKEN, VisionLanguageModel
from vilax.planning.gathering import gathered_bytes
from vilax.planning.setting import Setting

RANKS = 8
CPU = torch.device("cpu")
SIZES = {
    "vocab_size": 4000,
    "hidden_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "intermediate_size": 700,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
BESIDE = ("Unsharded Param", "Unsharded Grad", "All Gather", "Reduce Scatter")
WHOLE = Setting(2, 2, False, "fsdp", RANKS, 0, False, False)


@pytest.fixture
def ranks() -> Iterator[None]:
    """Eight ranks, of which one is here; what the others send is left as it was."""
    dist.init_process_group("fake", rank=0, world_size=RANKS, store=FakeStore())
    yield
    dist.destroy_process_group()


def build(kind: str) -> VisionLanguageModel:
    torch.manual_seed(0)
    sizes = SIZES | {"tie_word_embeddings": kind == "tied"}
    llm = LanguageModel.scratch("llama", sizes, "sdpa", CPU)
    if kind != "pictures":
        model = VisionLanguageModel(None, None, llm)
    else:
        encoder = TimmEncoder("vit_tiny_patch16_224", "random", 32)
        model = VisionLanguageModel(encoder, LinearProjector(encoder.width, 256), llm)
        encoder.requires_grad_(False)
    if kind == "upper blocks":
        model.requires_grad_(False)
        for block in list(llm.blocks())[1:]:
            block.requires_grad_(True)
    return model


def step(model: VisionLanguageModel) -> None:
    tokens = torch.randint(3, 100, (2, 32))
    given = {}
    if model.encoder is not None:
        tokens[:, : model.tokens_per_view] = IMAGE_TOKEN
        given = {"pixels": torch.zeros(2, 3, 32, 32)}
    labels = tokens.where(tokens != IMAGE_TOKEN, -100)
    model(tokens, torch.arange(32).expand(2, 32), labels, **given).backward()


def sharded(kind: str, bf16: bool) -> VisionLanguageModel:
    model = build(kind)
    shard(model, init_device_mesh("cpu", (RANKS,)), bf16)
    return model


def snapshots(tracker: FSDPMemTracker) -> Iterator[dict[Any, int]]:
    for seen in tracker.memory_tracking.values():
        for some in seen.snapshots.values():
            yield from (snapshot[CPU] for snapshot in some if CPU in snapshot)


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("kind", ["text", "tied", "upper blocks", "pictures"])
def test_buffers_are_what_the_tracker_sees(ranks: None, kind: str, bf16: bool) -> None:
    model = sharded(kind, bf16)
    tracker = FSDPMemTracker(model)
    with tracker:
        step(model)
    most = max(snapshots(tracker), key=lambda seen: sum(seen[kind] for kind in BESIDE))
    found = sum(most[kind] for kind in BESIDE)
    plain = build(kind)
    head = plain.llm.head.weight
    if head.requires_grad:
        # It waits for the end of backward among the tracker's temporaries.
        size = head.numel() * (2 if bf16 else 4)
        assert most["Temp"] >= size
        found += size
    assert gathered_bytes(plain, WHOLE, bf16) == pytest.approx(found, rel=0.02)


def test_whole_gradients_are_held_where_they_are_reduced_once(ranks: None) -> None:
    held = {}
    for reduces in (True, False):
        model = sharded("text", True)
        model.set_requires_gradient_sync(reduces)  # type: ignore[operator]
        tracker = FSDPMemTracker(model)
        with tracker:
            step(model)
            seen = tracker.get_tracker_snapshot("current")[CPU]
        held[reduces] = seen["Total"] - seen["Sharded Grad"]
    plain = build("text")
    once = replace(WHOLE, rows=1, reduce_once=True)
    planned = gathered_bytes(plain, once, True) - gathered_bytes(plain, WHOLE, True)
    assert planned == pytest.approx(held[False] - held[True], rel=0.02)
