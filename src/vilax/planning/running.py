"""Peak memory of forward and backward, by running them on fake tensors.

Nothing is computed and nothing allocated, but every operation's inputs and outputs are accounted as
the allocator would see them. Of a deep LLM a few blocks are run, and one more: the difference is
what each further block adds.
"""

import copy
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from vilax.config.schema.model import Encoder as EncoderConfig
from vilax.config.schema.run import Run
from vilax.config.schema.stage import Stage
from vilax.models.freeze import PartPlan, apply_freeze
from vilax.models.llm import LanguageModel
from vilax.models.vlm import VisionLanguageModel
from vilax.planning.blank import blank_llm, llm_config, meta_encoder, shallow
from vilax.training.build import build_projector
from vilax.training.features import ENCODE_BATCH

WHOLE = 8
"""LLMs of so many blocks or fewer are run whole."""
MOVE = "_move_adapter_to_device_of_base_layer"
FEW = (2, 3)
"""Of larger ones so many are run; with fewer, other things than blocks would make the peak."""


@dataclass(frozen=True)
class Load:
    """What a rank runs at one time.

    Attributes:
        rows: rows of a forward pass.
        length: tokens of a row.
        images: pictures of a forward pass, of pictures in tiles their views.
        supervised: tokens with loss of a forward pass.
        chunk: supervised tokens whose logits exist at one time.
        checkpointing: blocks are computed again in backward.
        bf16: matrix products in bf16.
        halved: weights are cast when they are gathered (FSDP), not one by one (autocast).
    """

    rows: int
    length: int
    images: int
    supervised: int
    chunk: int
    checkpointing: bool
    bf16: bool
    halved: bool


@dataclass(frozen=True)
class Peaks:
    """Bytes beside weights, gradients and optimizer.

    Attributes:
        activations: what backward needs, and the largest operation's temporaries.
        encoder: the same of the image encoder, or its temporaries where it is frozen.
        logits: of one chunk, with its loss and gradient.
    """

    activations: int
    encoder: int
    logits: int


def peaks(run: Run, stage: Stage, plan: dict[str, PartPlan], load: Load) -> Peaks:
    """Run a stage's forward and backward on fake tensors.

    Raises:
        ConfigError: a part cannot be built.
    """
    config = llm_config(run.llm)
    depth = int(config.num_hidden_layers)
    # A policy that tells blocks apart is not linear in their number.
    uneven = any("layers" in p or "." in p for p in plan["llm"].only)
    if depth <= WHOLE or uneven:
        activations = _llm(config, run, stage, plan, load)
    else:
        some, more = (_llm(shallow(config, n), run, stage, plan, load) for n in FEW)
        activations = some + (depth - FEW[0]) * (more - some)
    return Peaks(activations, _encoder(run, stage, plan, load), _logits(config, run, plan, load))


@contextmanager
def _faked(load: Load) -> Iterator[None]:
    usual = torch.get_default_dtype()
    with FakeTensorMode(allow_non_fake_inputs=True):
        if load.bf16 and load.halved:
            torch.set_default_dtype(torch.bfloat16)
        try:
            yield
        finally:
            torch.set_default_dtype(usual)


def _cast(forward: Callable[[], Tensor], load: Load) -> Callable[[], Tensor]:
    if not load.bf16 or load.halved:
        return forward

    def within() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return forward()

    return within


def _llm(config: Any, run: Run, stage: Stage, plan: dict[str, PartPlan], load: Load) -> int:
    with _faked(load):
        llm = blank_llm(config)
        projector: nn.Module | None = None
        width = tokens = 0
        if "encoder" in stage.parts:
            encoder = meta_encoder(run.encoder)
            width, tokens = encoder.width, encoder.tokens
            policy = run.encoder.image_policy
            projector = build_projector(run.projector, width, llm.width, policy)
        model = _Halves(projector, llm)
        _freeze(model, plan)
        if load.checkpointing:
            llm.checkpoint_activations()
            llm.train()

        def forward() -> Tensor:
            text = llm.embedding(torch.zeros(load.rows, load.length, dtype=torch.long))
            if projector is not None and load.images:
                visual = projector(torch.zeros(load.images, tokens, width)).flatten(0, 1)
                places = torch.zeros(load.rows, load.length, 1, dtype=torch.bool)
                text = text.masked_scatter(places, visual.to(text.dtype))
                if llm.has_experts:
                    every = torch.arange(load.rows * load.length)
                    llm.route.place(every[load.images * tokens :], every[: load.images * tokens])
            out = llm.decoder(inputs_embeds=text, use_cache=False)
            return out.last_hidden_state  # type: ignore[no-any-return]

        return _peak(model, _cast(forward, load))


class _Halves(VisionLanguageModel):
    """Projector and LLM of a stage whose encoder is planned apart."""

    def __init__(self, projector: Any, llm: LanguageModel) -> None:
        nn.Module.__init__(self)
        self.encoder = None
        self.projector = projector
        self.llm = llm


def _freeze(model: VisionLanguageModel, plan: dict[str, PartPlan]) -> None:
    # Fake tensors cannot be moved in place, and are where they should be: peft need not move them.
    kept = [(LoraLayer, MOVE, getattr(LoraLayer, MOVE)), (nn.Module, "to", nn.Module.to)]
    setattr(LoraLayer, MOVE, lambda *given, **named: None)
    setattr(nn.Module, "to", lambda self, *given, **named: self)  # noqa: B010
    try:
        apply_freeze(model, plan)
    except ValueError as error:
        if "trains nothing" not in str(error):
            raise
    finally:
        for owner, name, usual in kept:
            setattr(owner, name, usual)


def _encoder(run: Run, stage: Stage, plan: dict[str, PartPlan], load: Load) -> int:
    if "encoder" not in stage.parts or not load.images:
        return 0
    trained = plan["encoder"].mode != "frozen"
    # Features that are kept are computed ahead of the step, in fp32.
    ahead = run.features.cache and not trained
    images = pictures_at_once(run, plan, load.images)
    bf16, halved = load.bf16 and not ahead, load.halved and not ahead
    one, two = (_pictures(run.encoder, trained, n, bf16, halved) for n in (1, 2))
    return one + (images - 1) * (two - one)


def pictures_at_once(run: Run, plan: dict[str, PartPlan], images: int) -> int:
    """Pictures that the encoder takes in one pass, of so many in a forward pass of the model."""
    is_kept = run.features.cache and plan["encoder"].mode == "frozen"
    return ENCODE_BATCH if is_kept else images


@cache
def _pictures(config: EncoderConfig, trained: bool, images: int, bf16: bool, halved: bool) -> int:
    """Peak of an encoder on so many pictures."""
    load = Load(1, 1, images, 1, 1, False, bf16, halved)
    encoder = copy.deepcopy(meta_encoder(config))
    with _faked(load):
        _put_on_cpu(encoder, torch.bfloat16 if bf16 and halved else torch.float32)
        encoder.requires_grad_(trained)
        size = encoder.image_size

        def forward() -> Tensor:
            with torch.set_grad_enabled(trained):
                out: Tensor = encoder(torch.zeros(images, 3, size, size))
            return out

        return _peak(encoder, _cast(forward, load))


def _put_on_cpu(module: nn.Module, dtype: torch.dtype) -> None:
    """Give a module of the meta device tensors of the mode that is set."""
    made: dict[nn.Parameter, nn.Parameter] = {}
    for child in module.modules():
        for name, own in list(child.named_parameters(recurse=False)):
            if own not in made:
                made[own] = nn.Parameter(torch.empty(own.shape, dtype=dtype, device="cpu"))
            child.register_parameter(name, made[own])
        for name, buffer in list(child.named_buffers(recurse=False)):
            child.register_buffer(name, torch.empty_like(buffer, device="cpu"))


def _logits(config: Any, run: Run, plan: dict[str, PartPlan], load: Load) -> int:
    rows = min(load.chunk, max(1, load.supervised))
    with _faked(load):
        llm = blank_llm(shallow(config, 1))
        llm.requires_grad_(plan["llm"].mode == "trained")
        # Backward goes on into the hidden states whatever is trained of the LLM.
        states = torch.zeros(rows, llm.width, requires_grad=True)

        def forward() -> Tensor:
            targets = torch.zeros(rows, dtype=torch.long)
            return nn.functional.cross_entropy(llm.logits(states), targets, reduction="sum")

        return _peak(llm, _cast(forward, load))


def _peak(module: nn.Module, forward: Callable[[], Tensor]) -> int:
    """Largest number of bytes beside weights and their gradients."""
    live = LiveBytes()
    for tensor in (*module.parameters(), *module.buffers()):
        live.ignore(tensor)
    with live:
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(live.leave_out)
        out = forward()
        if out.requires_grad:
            out.backward(torch.zeros_like(out))
    return live.peak


class LiveBytes(TorchDispatchMode):
    """Counts bytes of storages that operations make, while they are alive.

    Attributes:
        now: bytes that are alive.
        peak: the most that were alive at one time.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run the operation and account for its outputs."""
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                self._add(tensor.untyped_storage())
        return out

    def ignore(self, tensor: Tensor) -> None:
        """Do not count a tensor that was there before, nor views of it."""
        self._known[tensor.untyped_storage()] = 0

    def _add(self, storage: Any) -> None:
        if storage in self._known:
            return
        size = int(storage.nbytes())
        self._known[storage] = size
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._drop, size)

    def _drop(self, size: int) -> None:
        self.now -= size

    def leave_out(self, parameter: nn.Parameter) -> None:
        """Gradients of weights are counted elsewhere."""
        assert parameter.grad is not None
        storage = parameter.grad.untyped_storage()
        size = self._known.get(storage, 0)
        if size:
            self._known[storage] = 0
            self.now -= size
            # What its end takes off is put back beforehand.
            weakref.finalize(storage, self._drop, -size)
