"""Proof of an export: what lies on disk, loaded anew, answers as the model that was written."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vilax.config.errors import ConfigError
from vilax.interop import reload
from vilax.interop.model import Exported
from vilax.models.decoding import generate
from vilax.models.vlm import IMAGE_TOKEN, VisionLanguageModel
from vilax.training.build import build_transform

TOLERANCE = 1e-4
"""Largest difference of fp32 logits."""
STEPS = 3
"""Largest difference of the processor's pixels, in steps of 1/255: kernels of resizing round
differently."""
NEW_TOKENS = reload.NEW_TOKENS


@dataclass(frozen=True)
class Proof:
    """How far a reloaded model is from the one that was written.

    Attributes:
        logits: largest difference of logits, on text and on a picture.
        pixels: largest difference of the picture after preprocessing, in steps of 1/255.
        tokens: greedy tokens that were compared, all of them equal.
    """

    logits: float
    pixels: float
    tokens: int


def prove(exported: Exported, folder: Path, layout: str) -> Proof:
    """Compare logits on text and on a picture, and greedy answers to both.

    The layout of transformers is loaded by transformers alone, in a process of its own; the others
    by vilax's readers.

    Raises:
        ConfigError: they differ.
    """
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        picture = place / "picture.png"
        _draw(picture)
        transform = build_transform(exported.run.encoder, _encoder(exported.model))
        pixels = transform(picture.read_bytes())[None]
        cases = _cases(exported, pixels)
        save_file(cases, place / "cases.safetensors")
        ours = answer(exported.model, cases)
        if layout == "hf-llava":
            theirs = _fresh(folder, place, picture)
            scale = 255 * torch.tensor(transform.std).view(1, 3, 1, 1)
            difference = float(((theirs["pixels"] - pixels).abs() * scale).max())
        else:
            theirs, difference = answer(_reloaded(folder, layout, exported), cases), 0.0
    if difference > STEPS:
        raise ConfigError(
            f"the exported processor's pixels differ by {difference:.1f} of 255: nothing is written"
        )
    worst, count = 0.0, 0
    for name in ("text", "image"):
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
    return Proof(worst, difference, count)


def _hint(exported: Exported) -> str:
    cap = getattr(exported.model.llm.net.config, "final_logit_softcapping", None)
    return f"; it leaves out the LLM's final_logit_softcapping={cap}" if cap else ""


def _encoder(model: VisionLanguageModel):  # type: ignore[no-untyped-def]
    assert model.encoder is not None
    return model.encoder


def _draw(path: Path) -> None:
    """A picture that is not square, smooth enough for kernels of resizing to agree."""
    rows, columns = np.mgrid[0:90, 0:140]
    waves = [np.sin(rows / 17 + k) + np.cos(columns / 23 - k) for k in range(3)]
    levels = np.stack([127.5 + 60 * wave for wave in waves], -1)
    PIL.Image.fromarray(levels.astype(np.uint8)).save(path)


def _cases(exported: Exported, pixels: Tensor) -> dict[str, Tensor]:
    words = exported.tokenizer("question : what is this ? answer :", add_special_tokens=False)
    ids = list(words["input_ids"])
    bos = exported.tokenizer.bos_token_id
    start = [] if bos is None else [bos]
    image = [IMAGE_TOKEN] * exported.model.tokens_per_image
    return {
        "text.tokens": torch.tensor([[*start, *ids]]),
        "image.tokens": torch.tensor([[*start, *ids[:2], *image, *ids[2:]]]),
        "image.pixels": pixels,
    }


def answer(model: VisionLanguageModel, cases: dict[str, Tensor]) -> dict[str, Tensor]:
    """Logits and a greedy answer of each case."""
    found = {}
    model.eval()
    for name in ("text", "image"):
        tokens = cases[f"{name}.tokens"]
        pixels = cases.get(f"{name}.pixels")
        with torch.no_grad():
            features = None if pixels is None else model.features(pixels)
            positions = torch.arange(tokens.shape[1])[None]
            hidden = model.llm(model.embed(tokens, features), positions)
            found[f"{name}.logits"] = model.llm.logits(hidden)
        new = generate(model, tokens.tolist(), [features], NEW_TOKENS, (), 0)
        found[f"{name}.answer"] = torch.tensor(new)
    return found


def _fresh(folder: Path, place: Path, picture: Path) -> dict[str, Tensor]:
    out = place / "answers.safetensors"
    cases = place / "cases.safetensors"
    words = [sys.executable, "-I", str(reload.__file__), *map(str, (folder, cases, out, picture))]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    done = subprocess.run(  # noqa: S603
        words, capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-3:])
        raise ConfigError(f"transformers cannot reload the export: {last}")
    return load_file(out)


def _reloaded(folder: Path, layout: str, exported: Exported) -> VisionLanguageModel:
    from vilax.artifacts.store import read_entry
    from vilax.config.start import config_in
    from vilax.config.validate import validate
    from vilax.interop.folder import import_model
    from vilax.interop.layouts import read_source
    from vilax.training.load import load_result

    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".reload.") as temporary:
        native = folder
        if layout != "vilax":
            native = Path(temporary) / "model"
            import_model(read_source(folder)[1], str(folder), native)
        run = validate(type(exported.run), config_in(native))
        return load_result(run, read_entry(native), run.order[-1])[0].float()
