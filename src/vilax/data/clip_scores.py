"""How well pictures and their texts match, by a CLIP or SigLIP model on disk."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from PIL.Image import Image as Picture
from torch import Tensor

from vilax.artifacts.files import replacing
from vilax.config.errors import ConfigError
from vilax.data.decoding import decode
from vilax.data.document import Document, Image, Text
from vilax.data.formats.files import BadSample, Reader, file_hash

FIELD = "clip_similarity"


class ClipScorer:
    """Cosine similarity of a picture and a text.

    Args:
        folder: model and processor in the layout of ``from_pretrained``; weights as safetensors.
        device: where it runs.

    Raises:
        ConfigError: the folder holds no model with a picture and a text embedding.
    """

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        from transformers import AutoModel, AutoProcessor

        try:
            model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
            self._processor: Any = AutoProcessor.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise ConfigError(f"--clip={folder} cannot be loaded: {error}") from error
        if not hasattr(model, "get_text_features"):
            kind = type(model).__name__
            raise ConfigError(f"--clip={folder} holds a {kind}; expected a CLIP or SigLIP model")
        self._model: Any = model.eval().to(device)
        self._device = device
        # SigLIP was trained with texts filled up to their full length, and has no mask for it.
        self._padding = "max_length" if model.config.model_type.startswith("siglip") else True

    @torch.inference_mode()
    def similarity(self, pictures: list[Picture], texts: list[str]) -> Float[Tensor, " pairs"]:
        """Similarity of each picture with its own text, from -1 to 1; float32 on the CPU."""
        given = self._processor(
            text=texts,
            images=pictures,
            return_tensors="pt",
            padding=self._padding,
            truncation=True,
        ).to(self._device)
        made = self._model(**given)
        seen = torch.nn.functional.normalize(made.image_embeds.float(), dim=-1)
        said = torch.nn.functional.normalize(made.text_embeds.float(), dim=-1)
        return (seen * said).sum(-1).cpu()


def matched(document: Document) -> list[tuple[bytes, str]]:
    """Pictures of a document, each with the text right behind it: on a page its first sentence."""
    found = []
    for before, after in zip(document.segments, document.segments[1:], strict=False):
        if isinstance(before, Image) and isinstance(after, Text):
            text = after.text[: after.sentence] if after.sentence else after.text
            if text.strip():
                found.append((before.data, text.strip()))
    return found


def identity(reader: Reader, folder: Path, field: str) -> str:
    """Hash of all that scores depend on: corpus, model files, name of the field."""
    files = sorted(p for p in folder.iterdir() if p.suffix in (".safetensors", ".json", ".txt"))
    facts = [reader.fingerprint(), field, *([p.name, file_hash(p)] for p in files)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def write_scores(
    reader: Reader,
    scorer: ClipScorer,
    to: Path,
    field: str,
    made_of: str,
    batch: int = 32,
    watch: Callable[[int], None] = lambda done: None,
) -> tuple[int, int]:
    """Score every document with pictures into JSON Lines of ``key`` and the field.

    A document's score is the mean over its pictures. Where it was stopped, the same call goes on;
    memory holds one batch. Documents that are broken or match no picture with a text have no line.

    Args:
        reader: the corpus.
        scorer: the model.
        to: the file; visible when whole.
        field: name of the score.
        made_of: of ``identity``; a part that was made of something else is not gone on with.
        batch: pictures scored together.
        watch: told how many documents are done.

    Returns:
        Documents that have a score, and those that have none.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(f".{to.name}.part")
    done, keep = _done(part, made_of)
    with part.open("r+b" if keep else "wb") as file:
        file.truncate(keep)
        file.seek(keep)
        if not keep:
            file.write(json.dumps({"made_of": made_of}).encode() + b"\n")
        for documents, lines in _scored(reader, done, scorer, field, batch):
            file.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
            file.flush()
            watch(documents)
    scored = 0
    with part.open(encoding="utf-8") as stored, replacing(to) as whole, whole.open("w") as out:
        next(stored)
        for stored_line in stored:
            entry = json.loads(stored_line)
            del entry["index"]
            if field in entry:
                scored += 1
                out.write(json.dumps(entry, ensure_ascii=False) + "\n")
    part.unlink()
    return scored, len(reader) - scored


def _done(part: Path, made_of: str) -> tuple[int, int]:
    """Documents that an earlier start has done, and bytes that say so."""
    try:
        with part.open("rb") as lines:
            first = next(lines, b"")
            if first != json.dumps({"made_of": made_of}).encode() + b"\n":
                return 0, 0
            done, keep = 0, len(first)
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                done, keep = json.loads(line)["index"] + 1, keep + len(line)
            return done, keep
    except FileNotFoundError:
        return 0, 0


def _scored(
    reader: Reader, start: int, scorer: ClipScorer, field: str, batch: int
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Documents done, and a line for each of a batch."""
    lines: list[dict[str, Any]] = []
    owners: list[int] = []
    pictures: list[Picture] = []
    texts: list[str] = []

    def flush() -> list[dict[str, Any]]:
        if pictures:
            values = scorer.similarity(pictures, texts).tolist()
            for place in dict.fromkeys(owners):
                own = [v for v, owner in zip(values, owners, strict=True) if owner == place]
                lines[place][field] = round(sum(own) / len(own), 6)
        ready = list(lines)
        for held in (lines, owners, pictures, texts):
            held.clear()
        return ready

    for index in range(start, len(reader)):
        lines.append({"index": index, "key": reader.key(index)})
        try:
            found = [(decode(data), text) for data, text in matched(reader[index])]
        except BadSample:
            found = []
        for picture, text in found:
            owners.append(len(lines) - 1)
            pictures.append(picture)
            texts.append(text)
        if len(pictures) >= batch or len(lines) >= 16 * batch:
            yield index + 1, flush()
    if lines:
        yield len(reader), flush()
