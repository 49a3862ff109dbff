"""Proof of an export: what lies on disk, loaded anew, answers as the model that was written."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import PIL.Image
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vilax.config.errors import ConfigError
from vilax.interop import reload, reload_own, reload_peft
from vilax.interop.answers import answer, weights_hash
from vilax.interop.conversations import compare_conversations, write_conversations
from vilax.interop.model import Exported
from vilax.models.llm import LOGIT_FACTORS
from vilax.models.vlm import IMAGE_TOKEN, VisionLanguageModel
from vilax.training.build import build_transform, image_tokens

TOLERANCE = 1e-4
"""Largest difference of fp32 logits."""
SIZE = (140, 90)
"""Width and height of the picture."""
STEPS = 3
"""Largest difference of the processor's pixels, in steps of 1/255: kernels of resizing round
differently."""


@dataclass(frozen=True)
class Proof:
    """How far a reloaded model is from the one that was written.

    Attributes:
        logits: largest difference of logits, on text and on a picture.
        pixels: largest difference of the picture after preprocessing, in steps of 1/255.
        tokens: greedy tokens that were compared, all of them equal.
        rendered: tokens of conversations that the exported chat template wrote, all of them equal
            to those of vilax's own prompts; 0 where the layout has no chat template.
    """

    logits: float
    pixels: float
    tokens: int
    rendered: int = 0


def prove(exported: Exported, folder: Path, layout: str) -> Proof:
    """Compare logits on text and on a picture, greedy answers to both, and the token ids that the
    chat template of transformers' layout gives to conversations.

    Each time in a process of its own: the layout of transformers is loaded by transformers alone,
    an adapter by peft, the others by vilax's readers, and their weights are equal bit by bit.

    Raises:
        ConfigError: they differ.
    """
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        picture = place / "picture.png"
        _draw(picture)
        transform = build_transform(exported.run.encoder, _encoder(exported.model))
        pixels = transform(picture.read_bytes())
        tokens = image_tokens(transform, exported.model.tokens_per_view)
        if isinstance(tokens, int):
            pixels = pixels[None]
            cases = _cases(exported, pixels, tokens)
        else:
            order = torch.from_numpy(tokens.order(SIZE).copy())
            cases = _cases(exported, pixels, len(order)) | {"image.order": order}
        difference, rendered = 0.0, 0
        save_file(cases, place / "cases.safetensors")
        ours = answer(exported.model, cases)
        if layout == "hf-llava":
            talks = place / "conversations.json"
            write_conversations(talks, picture)
            theirs = _fresh(reload, folder, place, str(picture), str(talks))
            rendered = compare_conversations(exported, picture.read_bytes(), theirs)
            scale = 255 * torch.tensor(transform.std).view(1, 3, 1, 1)
            difference = float(((theirs["pixels"] - pixels).abs() * scale).max())
        elif layout == "peft":
            cases |= _embedded(exported.model, cases)
            save_file(cases, place / "cases.safetensors")
            theirs = _fresh(reload_peft, folder, place)
        else:
            theirs = _fresh(reload_own, folder, place, layout)
            if not torch.equal(theirs["weights"], weights_hash(exported.model)):
                raise ConfigError("the exported weights are not the model's: nothing is written")
    if difference > STEPS:
        raise ConfigError(
            f"the exported processor's pixels differ by {difference:.1f} of 255: nothing is written"
        )
    worst, count = 0.0, 0
    if layout == "peft" and "features" in theirs:
        worst = _features_apart(exported.model, cases["image.pixels"], theirs["features"])
    for name in ("text", "image"):
        if layout == "peft" and f"{name}.logits" not in theirs:
            # The encoder alone is adapted: the LLM is the published one.
            continue
        mine = ours[f"{name}.logits"]
        yours = theirs[f"{name}.logits"][..., : mine.shape[-1]]
        worst = max(worst, float((mine - yours).abs().max()))
        if not worst <= TOLERANCE:
            raise ConfigError(
                f"the exported model's logits differ by {worst:.2g} ({name}), more than"
                f" {TOLERANCE}: nothing is written{_hint(exported)}"
            )
        if not torch.equal(ours[f"{name}.answer"], theirs[f"{name}.answer"]):
            raise ConfigError(f"the exported model answers otherwise ({name}): nothing is written")
        count += int(ours[f"{name}.answer"].numel())
    return Proof(worst, difference, count, rendered)


def _hint(exported: Exported) -> str:
    config = exported.model.llm.net.config
    for key in ("final_logit_softcapping", "logits_scaling", *LOGIT_FACTORS):
        if value := getattr(config, key, None):
            return f"; it leaves out the LLM's {key}={value}"
    return ""


def _encoder(model: VisionLanguageModel):  # type: ignore[no-untyped-def]
    assert model.encoder is not None
    return model.encoder


def _draw(path: Path) -> None:
    """A picture that is not square, smooth enough for kernels of resizing to agree."""
    rows, columns = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    waves = [np.sin(rows / 17 + k) + np.cos(columns / 23 - k) for k in range(3)]
    levels = np.stack([127.5 + 60 * wave for wave in waves], -1)
    PIL.Image.fromarray(levels.astype(np.uint8)).save(path)


def _cases(exported: Exported, pixels: Tensor, tokens: int) -> dict[str, Tensor]:
    words = exported.tokenizer("question : what is this ? answer :", add_special_tokens=False)
    ids = list(words["input_ids"])
    bos = exported.tokenizer.bos_token_id
    start = [] if bos is None else [bos]
    image = [IMAGE_TOKEN] * tokens
    return {
        "text.tokens": torch.tensor([[*start, *ids]]),
        "image.tokens": torch.tensor([[*start, *ids[:2], *image, *ids[2:]]]),
        "image.pixels": pixels,
    }


def _embedded(model: VisionLanguageModel, cases: dict[str, Tensor]) -> dict[str, Tensor]:
    """What the LLM is given of each case."""
    with torch.no_grad():
        features = model.features(cases["image.pixels"])
        return {
            "image.embeddings": model.embed(cases["image.tokens"], features),
        }


def _features_apart(model: VisionLanguageModel, pixels: Tensor, theirs: Tensor) -> float:
    """Largest difference of the encoder's features.

    Raises:
        ConfigError: it is more than the tolerance.
    """
    with torch.no_grad():
        ours = model.features(pixels)
    worst = float((ours - theirs[:, theirs.shape[1] - ours.shape[1] :]).abs().max())
    if not worst <= TOLERANCE:
        raise ConfigError(
            f"the exported encoder's features differ by {worst:.2g}, more than {TOLERANCE}:"
            " nothing is written"
        )
    return worst


def _fresh(script: ModuleType, folder: Path, place: Path, *more: str) -> dict[str, Tensor]:
    out = place / "answers.safetensors"
    cases = place / "cases.safetensors"
    # What knows nothing of vilax runs as a file, away from all that is importable here.
    is_own = script is reload_own
    called = ["-P", "-m", script.__name__] if is_own else ["-I", str(script.__file__)]
    words = [sys.executable, *called, *map(str, (folder, cases, out)), *more]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    done = subprocess.run(  # noqa: S603
        words, capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-3:])
        raise ConfigError(f"a fresh process cannot reload the export: {last}")
    return load_file(out)
