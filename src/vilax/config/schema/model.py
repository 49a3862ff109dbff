"""Schema of the model: encoder, projector, LLM, and which parts of them a stage trains."""

from typing import Annotated, Literal

from pydantic import Field

from vilax.config.schema.base import Node, added, execution

Grid = tuple[Annotated[int, Field(ge=1, le=16)], Annotated[int, Field(ge=1, le=16)]]
"""Rows and columns of tiles."""

LLAVA_NEXT: tuple[Grid, ...] = ((1, 2), (2, 1), (2, 2), (3, 1), (1, 3))
"""Grids of LLaVA-NeXT's releases, in their order."""


class EncoderBase(Node):
    """Keys that image encoders of every kind share."""

    layer: int = -2
    """Which block's output is used, counted from the end as in Python (-1: the last)."""
    mean: tuple[float, float, float] | None = None
    """Subtracted per channel, in 0..1; null: what the weights were made with."""
    std: tuple[float, float, float] | None = None
    """Divided by per channel; null: what the weights were made with."""
    scales: tuple[int, ...] = ()
    """S2: the picture is also read at these sides, in pixels, in tiles of the encoder's own, and
    all are joined on channels. The smallest is the encoder's own size. Empty: one scale."""
    class_token: bool = False
    """Keep the class token as the first visual token, where the encoder has one."""
    grid: int | None = Field(None, ge=1, le=64)
    """Average-pool the feature grid to grid x grid tokens; null keeps the encoder's own."""
    image_policy: Literal["pad", "resize", "crop", "anyres", "internvl"] = "pad"
    """How a picture becomes square: padded with the mean colour, stretched, or cropped. Or in tiles
    of the encoder's size: anyres (LLaVA-NeXT), internvl."""
    pinpoints: tuple[Grid, ...] = added(LLAVA_NEXT, min_length=1, max_length=64)
    """Of ``anyres``: grids that a picture may be cut into, each [rows, columns]; of two that fit as
    well the first is taken."""
    max_tiles: int = added(12, ge=1, le=64)
    """Of ``internvl``: tiles of a picture, at most; the whole picture comes on top."""


class TimmEncoder(EncoderBase):
    """An image encoder of timm, convolutional or transformer."""

    kind: Literal["timm"] = "timm"
    """Where the architecture comes from."""
    name: str = "vit_large_patch14_clip_224.openai"
    """timm's architecture name, with its weight tag where timm's own weights are used."""
    weights: str = ""
    """Empty: timm's weights for that name; else a .safetensors/.pth file, or ``package:NAME``."""
    image_size: int | None = Field(None, ge=16, le=4096)
    """Side of the square input, in pixels; null: what the weights were made with."""


class TransformersEncoder(EncoderBase):
    """An image encoder of transformers (CLIP, SigLIP and kin)."""

    kind: Literal["transformers"] = "transformers"
    """Where the architecture comes from."""
    source: str = "openai/clip-vit-large-patch14"
    """Hub id or local folder in ``from_pretrained`` layout."""
    image_size: int | None = Field(None, ge=16, le=4096)
    """Side of the square input, in pixels; null: what the weights were made with."""


class FusedEncoder(Node):
    """Several encoders that see the same picture, joined on channels (prismatic's DINO+SigLIP)."""

    kind: Literal["fused"] = "fused"
    """Their grids must be equal; the first one's input size and normalisation are the picture's."""
    members: tuple[
        Annotated[TimmEncoder | TransformersEncoder, Field(discriminator="kind")], ...
    ] = Field(min_length=2, max_length=4)
    """The encoders; their ``image_policy`` is not read."""
    grid: int | None = Field(None, ge=1, le=64)
    """Average-pool the feature grid to grid x grid tokens; null keeps the encoders' own."""
    image_policy: Literal["pad", "resize", "crop"] = "resize"
    """How a picture becomes square: padded with the mean colour, stretched, or cropped."""

    @property
    def class_token(self) -> bool:
        """Whether a class token is kept."""
        return any(member.class_token for member in self.members)


Encoder = Annotated[TimmEncoder | TransformersEncoder | FusedEncoder, Field(discriminator="kind")]


class LinearProjector(Node):
    """One linear layer (paper section 3.1)."""

    kind: Literal["linear"] = "linear"
    """Linear(encoder width, llm width), with bias."""


class MlpProjector(Node):
    """LLaVA-1.5's projector, ``mlp{N}x_gelu``."""

    kind: Literal["mlp"] = "mlp"
    """Linear, then depth - 1 times GELU and Linear, all at the LLM's width after the first."""
    depth: int = Field(2, ge=1, le=8)
    """Number of linear layers."""


class FusedMlpProjector(Node):
    """Prismatic's projector of joined encoders, ``fused-gelu-mlp``."""

    kind: Literal["fused_mlp"] = "fused_mlp"
    """Linear to four times the encoder's width, GELU, Linear to the LLM's, GELU, Linear."""


class TransformerProjector(Node):
    """The paper's Transformer projector; its size is not published, ours is documented here."""

    kind: Literal["transformer"] = "transformer"
    """Pre-norm blocks at the encoder's width, then Linear; the token count is kept."""
    blocks: int = Field(1, ge=1, le=12)
    """Number of blocks."""
    heads: int = Field(8, ge=1, le=64)
    """Attention heads; must divide the width of the blocks."""
    width: int | None = Field(None, ge=8)
    """Width of the blocks; null: the narrower of encoder and LLM. Not the encoder's: one more
    Linear in front."""


class DownsampleProjector(Node):
    """Paper section 4.4: neighbouring tokens joined on channels, then one linear layer."""

    kind: Literal["downsample"] = "downsample"
    """factor x factor tokens are concatenated; odd grids get zero rows and columns."""
    factor: int = Field(2, ge=2, le=8)
    """Tokens joined along each side."""


class MlpDownsampleProjector(Node):
    """VILA-1.5's ``mlp_downsample``: join, LayerNorm, Linear, GELU, Linear."""

    kind: Literal["mlp_downsample"] = "mlp_downsample"
    """factor x factor tokens are concatenated; odd grids get zero rows and columns."""
    factor: int = Field(2, ge=2, le=8)
    """Tokens joined along each side."""


class PixelShuffleProjector(Node):
    """InternVL's projector: space to depth, LayerNorm, Linear, GELU, Linear."""

    kind: Literal["pixel_shuffle"] = "pixel_shuffle"
    """factor x factor tokens become one; the factor must divide the grid."""
    factor: int = Field(2, ge=2, le=8)
    """Tokens joined along each side."""


class AveragePoolProjector(Node):
    """Means of neighbouring tokens, then LLaVA-1.5's two-layer MLP."""

    kind: Literal["average_pool"] = "average_pool"
    """factor x factor tokens become one."""
    factor: int = Field(2, ge=2, le=8)
    """Tokens averaged along each side."""


class ResamplerProjector(Node):
    """Flamingo's Perceiver resampler."""

    kind: Literal["resampler"] = "resampler"
    """Learned queries read the features; the token count does not depend on the grid."""
    queries: int = Field(64, ge=1, le=4096)
    """Visual tokens of a picture."""
    blocks: int = Field(6, ge=1, le=24)
    """Number of blocks, as wide as the encoder's features."""
    heads: int = Field(16, ge=1, le=64)
    """Attention heads; must divide the encoder's width."""


class IdentityProjector(Node):
    """Features as they are, for encoders as wide as the LLM."""

    kind: Literal["identity"] = "identity"
    """Nothing to learn."""


Projector = Annotated[
    LinearProjector
    | MlpProjector
    | FusedMlpProjector
    | TransformerProjector
    | DownsampleProjector
    | MlpDownsampleProjector
    | PixelShuffleProjector
    | AveragePoolProjector
    | ResamplerProjector
    | IdentityProjector,
    Field(discriminator="kind"),
]


class PretrainedLlm(Node):
    """A causal LLM loaded by ``AutoModelForCausalLM.from_pretrained``."""

    kind: Literal["pretrained"] = "pretrained"
    """Weights and tokenizer come from one source."""
    source: str = "meta-llama/Llama-2-7b-hf"
    """Hub id or local folder."""


class ScratchLlm(Node):
    """A causal LLM of random weights, for a recipe that begins with a ``text`` stage."""

    kind: Literal["scratch"] = "scratch"
    """Built by ``AutoModelForCausalLM.from_config``."""
    architecture: str = "llama"
    """A ``model_type`` of transformers."""
    tokenizer: str = "micro"
    """``micro`` (the micro world's word-level tokenizer), a hub id, or a local folder."""
    hidden_size: int = Field(128, ge=8)
    """Width; must be a multiple of ``num_attention_heads``."""
    num_hidden_layers: int = Field(4, ge=1)
    """Blocks."""
    num_attention_heads: int = Field(4, ge=1)
    """Attention heads."""
    intermediate_size: int = Field(384, ge=8)
    """Width of the MLP."""
    max_position_embeddings: int = Field(1024, ge=16)
    """Longest sequence."""


Llm = Annotated[PretrainedLlm | ScratchLlm, Field(discriminator="kind")]


class Lora(Node):
    """A low-rank adapter through peft."""

    method: Literal["lora", "dora"] = "lora"
    """dora: direction by the low-rank update, length of each row learned apart."""

    rank: int = Field(64, ge=1, le=1024)
    """Rank of the update (paper Table 9: 64)."""
    alpha: float = Field(16.0, gt=0)
    """Scale of the update is alpha / rank."""
    dropout: float = Field(0.05, ge=0, lt=1)
    """Dropout in front of the adapter."""
    targets: tuple[str, ...] = ("all-linear",)
    """Suffixes of module names that get an adapter; ``all-linear`` means every Linear."""


class PartPolicy(Node):
    """What a stage does with one part of the model."""

    mode: Literal["frozen", "trained", "adapted", "expert"] = "frozen"
    """frozen: bit-identical afterwards; trained: its weights; adapted: a LoRA or DoRA on it;
    expert: weights for visual tokens alone, added to the LLM where it has none (Table 8)."""
    only: tuple[str, ...] = ()
    """Where ``mode`` is ``trained``, the weights that are; empty: all. ``layers[24:]`` (a slice of
    the blocks), ``norms``, ``embeddings``, ``head``, or a pattern of names such as ``*.bias``."""
    lora: Lora = Lora()
    """The adapter; read where ``mode`` is ``adapted``."""


class Freeze(Node):
    """Which parts of the model a stage trains."""

    encoder: PartPolicy = PartPolicy()
    """Image encoder."""
    projector: PartPolicy = PartPolicy(mode="trained")
    """Projector."""
    llm: PartPolicy = PartPolicy()
    """Language model, with its embeddings and head."""


class Kernels(Node):
    """How the model computes; results agree up to rounding."""

    attention: Literal["auto", "flash", "flex", "sdpa", "eager"] = execution("auto")
    """auto takes flash-attn's varlen on CUDA where installed, else flex, else torch's sdpa."""
    loss_chunk: int = execution(4096, ge=16)
    """Supervised positions whose logits exist at one time."""
