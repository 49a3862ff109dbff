"""Measures while a stage trains, as a Lightning callback: rows of its metrics."""

from collections.abc import Mapping
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from vilax.ablation.measuring import read_held_out
from vilax.config.errors import ConfigError
from vilax.config.locate import cache_dir
from vilax.config.schema.run import Run
from vilax.data.tiles import TokensPerImage
from vilax.evaluation import measures
from vilax.evaluation.subject import Subject
from vilax.models.vlm import VisionLanguageModel
from vilax.training.build import build_tokenizer_of, build_transform, image_tokens
from vilax.training.features import FeatureSource
from vilax.training.module import StageModule


def measuring(run: Run) -> tuple[Callback, ...]:
    """The callbacks that a run asks for.

    Raises:
        ConfigError: it asks for measures under FSDP, where no rank holds the weights to read.
    """
    if run.measures.every_steps is None:
        return ()
    if run.trainer.strategy == "fsdp":
        raise ConfigError(
            f"measures.every_steps={run.measures.every_steps} with trainer.strategy=fsdp: expected"
            " single or ddp; vilax measure takes them at the end of any stage"
        )
    return (MeasuringCallback(run),)


class MeasuringCallback(Callback):
    """Every so many steps: held-out loss of each corpus, and alignment by layer.

    Weights, gradients and random numbers stay as they are, so a stage ends with the same weights
    with and without it.

    Args:
        run: which measures, how many documents, every how many steps.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._tokenizer = build_tokenizer_of(run.llm)
        self._corpora: list[str] = []

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Join the module's own rows."""
        assert isinstance(pl_module, StageModule)
        self._corpora = pl_module.corpora
        pl_module.measurers.append(self)

    def __call__(self, model: VisionLanguageModel, step: int) -> Mapping[str, Any]:
        """What joins the row of this step: nothing, or ``measured``."""
        every = self._run.measures.every_steps
        if every is None or step % every:
            return {}
        modes = {module: module.training for module in model.modules()}
        model.eval()
        try:
            return {"measured": self._measure(model)}
        finally:
            for module, mode in modes.items():
                module.training = mode

    @torch.no_grad()
    def _measure(self, model: VisionLanguageModel) -> dict[str, Any]:
        subject = Subject(model, self._tokenizer, *self._sees(model))
        found: dict[str, Any] = {}
        for name in self._corpora:
            documents, template = read_held_out(self._run, name)
            if self._run.measures.held_out:
                loss = measures.losses(subject, documents, template).mean
                found.setdefault("held_out", {})[name] = loss
            if self._run.measures.alignment and subject.features is not None:
                layers = measures.alignment(subject, documents, template)["values"]
                values = {str(layer): value for layer, value in enumerate(layers)}
                found.setdefault("alignment", {})[name] = values
        return found

    def _sees(self, model: VisionLanguageModel) -> tuple[FeatureSource | None, TokensPerImage]:
        if model.encoder is None:
            return None, 0
        is_frozen = not any(p.requires_grad for p in model.encoder.parameters())
        cache = cache_dir() if self._run.features.cache and is_frozen else None
        transform = build_transform(self._run.encoder, model.encoder)
        tokens = image_tokens(transform, model.tokens_per_view)
        return FeatureSource(model.encoder, transform, cache, tokens), tokens
