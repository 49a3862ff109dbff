"""Bytes of a stage on its fullest rank, by kind, under any setting."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from vilax.config.schema.run import Run
from vilax.models.freeze import PartPlan
from vilax.models.vlm import VisionLanguageModel
from vilax.planning.counting import Counts, buffers, count
from vilax.planning.gathering import gathered_bytes
from vilax.planning.running import Load, Peaks, peaks, pictures_at_once
from vilax.planning.setting import Setting
from vilax.planning.work import Mix


@dataclass(frozen=True)
class Memory:
    """Bytes on the fullest rank.

    Attributes:
        weights: of all parts, and their buffers.
        gradients: of what is trained.
        optimizer: AdamW's state.
        activations: what the LLM's backward needs, and the largest operation's temporaries.
        encoder: the same of the image encoder, or its temporaries where it is frozen.
        logits: of one chunk.
        buffers: what is gathered and reduced (FSDP2), or DDP's buckets.
        peak: the largest sum of kinds that can be there at one time: an upper bound.
        host: bytes in host memory for a rank: the whole weights while they are loaded; with
            offloading the shards, gradients and optimizer.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    encoder: int
    logits: int
    buffers: int
    peak: int
    host: int


class MemoryPlanner:
    """Memory of a stage under one setting and another; forward passes are run once each.

    Args:
        run: the configuration.
        name: the stage.
        model: its model on the meta device, after the freeze policy.
        policy: the freeze policy.
        mix: what rows hold.
    """

    def __init__(
        self,
        run: Run,
        name: str,
        model: VisionLanguageModel,
        policy: dict[str, PartPlan],
        mix: Mix,
    ) -> None:
        self.run, self.stage, self.model = run, run.stages[name], model
        self.policy, self.mix = policy, mix
        self._ran: dict[Load, Peaks] = {}

    def memory(self, setting: Setting) -> Memory:
        """Bytes on the fullest rank."""
        found = self._peaks(setting)
        counts = count(self.model, setting.shards)
        state = counts.weights + counts.gradients + counts.optimizer
        # The optimizer's step makes one more tensor of each trained weight's size (foreach AdamW).
        step = counts.gradients
        whole = 4 * sum(every for every, _ in counts.parts.values())
        kept = Counts({}, buffers(self.model), 0, 0) if setting.offload else counts
        host = max(whole, state + step) if setting.offload else whole
        beside = self._beside(setting)
        # A frozen encoder is done, and its temporaries freed, when the LLM begins.
        is_kept = self.policy["encoder"].mode != "frozen"
        llm = found.activations + found.logits + (found.encoder if is_kept else 0)
        running = max(llm, found.encoder) + beside
        return Memory(
            weights=kept.weights,
            gradients=kept.gradients,
            optimizer=kept.optimizer,
            activations=found.activations,
            encoder=found.encoder,
            logits=found.logits,
            buffers=beside,
            peak=kept.weights
            + kept.gradients
            + kept.optimizer
            + max(running, 0 if setting.offload else step),
            host=host,
        )

    def at_most(self, setting: Setting) -> int:
        """A bound on the peak that is far too high, without running anything.

        Per token each matrix leaves three times its input and output, logits six times their size;
        a frozen encoder leaves a hundred times its pictures. No bound where the encoder is trained.
        """
        encoder, tokens = self.model.encoder, setting.rows * self.stage.length
        blocks = [p for block in self.model.llm.blocks() for p in block.parameters()]
        left = 3 * tokens * _sides(blocks)
        vocabulary, width = self.model.llm.embedding.weight.shape
        left += 6 * min(tokens, self.run.kernels.loss_chunk) * vocabulary + 3 * tokens * width
        if encoder is not None and self.model.projector is not None:
            if self.policy["encoder"].mode != "frozen":
                return sys.maxsize
            images = self._images(tokens)
            left += 3 * images * encoder.tokens * _sides(list(self.model.projector.parameters()))
            images = pictures_at_once(self.run, self.policy, images)
            left += 100 * images * 3 * encoder.image_size**2
        counts = count(self.model, setting.shards)
        state = counts.weights + 2 * counts.gradients + counts.optimizer
        return state + self._beside(setting) + 4 * left

    def _images(self, tokens: int) -> int:
        """Pictures in so many tokens, of pictures in tiles their views, rounded up."""
        views = self.mix.images * self.mix.views
        return 0 if self.model.encoder is None else round(tokens * views + 0.49)

    def _peaks(self, setting: Setting) -> Peaks:
        tokens = setting.rows * self.stage.length
        load = Load(
            rows=setting.rows,
            length=self.stage.length,
            images=self._images(tokens),
            supervised=round(tokens * self.mix.supervised),
            chunk=self.run.kernels.loss_chunk,
            checkpointing=setting.checkpointing,
            bf16=self.run.trainer.precision == "bf16",
            halved=setting.strategy == "fsdp",
        )
        if load not in self._ran:
            self._ran[load] = peaks(self.run, self.stage, self.policy, load)
        return self._ran[load]

    def _beside(self, setting: Setting) -> int:
        if setting.strategy == "ddp":
            return count(self.model).gradients
        if setting.strategy == "single":
            return 0
        return gathered_bytes(self.model, setting, self.run.trainer.precision == "bf16")


def _sides(parameters: Sequence[nn.Parameter]) -> int:
    """Inputs and outputs of all matrices."""
    return sum(p.shape[0] + p.numel() // p.shape[0] for p in parameters if p.ndim > 1)
