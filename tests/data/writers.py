"""Corpora in their published layouts, written without the code under test, and a tiny tokenizer."""

import base64
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import PIL.Image
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

WORDS = ["a", "dog", "cat", "and", "this", "what", "is", "?", "question", "answer", ":", "."]
WORDS += [f"w{n}" for n in range(200)]
SPECIAL = ["<unk>", "<s>", "</s>", "<pad>"]


def tokenizer(bos: bool = True) -> PreTrainedTokenizerFast:
    """Word-level: each word of ``WORDS`` is a token."""
    vocabulary = {word: n for n, word in enumerate([*SPECIAL, *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token="<unk>",
        bos_token="<s>" if bos else None,
        eos_token="</s>",
        pad_token="<pad>",
    )


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """Byte level without BOS: every string survives encoding and decoding."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {symbol: n for n, symbol in enumerate(["</s>", *alphabet])}
    backend = Tokenizer(models.BPE(vocabulary, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    from tokenizers import decoders

    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")


def picture(number: int = 0, form: str = "png", size: tuple[int, int] = (8, 6)) -> bytes:
    """An encoded picture, different for each number."""
    colour = (number % 251, number // 251 % 251, 90)
    file = io.BytesIO()
    PIL.Image.new("RGB", size, colour).save(file, form)
    return file.getvalue()


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """A file of a tar."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def write_pairs(path: Path, captions: Sequence[str], extension: str = "jpg") -> Path:
    """A WebDataset tar in COYO's layout."""
    path.parent.mkdir(parents=True, exist_ok=True)
    form = {"jpg": "jpeg", "tiff": "tiff"}.get(extension, extension)
    with tarfile.open(path, "w") as tar:
        for number, caption in enumerate(captions):
            key = f"{number:06d}"
            add(tar, f"{key}.{extension}", picture(number, form))
            add(tar, f"{key}.txt", caption.encode())
            add(tar, f"{key}.json", json.dumps({"id": number}).encode())
    return path


def write_lines(path: Path, records: Sequence[Any]) -> Path:
    """JSON Lines; a string is written as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in records]
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def page(
    texts: Sequence[str], pictures: Sequence[tuple[str, int]], inline: Sequence[bytes] = ()
) -> dict[str, Any]:
    """A page of MMC4; pictures as (name, index of the matched sentence)."""
    infos = [
        {
            "raw_url": f"http://example.org/{name}",
            "image_name": name,
            "matched_text_index": index,
            "matched_sim": 0.3,
            "face_detections": None,
        }
        for name, index in pictures
    ]
    for info, data in zip(infos, inline, strict=False):
        info["image_base64"] = base64.b64encode(data).decode()
    return {
        "text_list": list(texts),
        "url": "http://example.org",
        "similarity_matrix": [[0.3 for _ in texts] for _ in pictures],
        "could_have_url_duplicate": 0,
        "image_info": infos,
    }


def conversation(
    turns: Sequence[str], image: str | list[str] | None = None, id: str = "x"
) -> dict[str, Any]:
    """An object of LLaVA's JSON: question, answer, question, answer ..."""
    record: dict[str, Any] = {
        "id": id,
        "conversations": [
            {"from": "gpt" if number % 2 else "human", "value": text}
            for number, text in enumerate(turns)
        ],
    }
    return record if image is None else {**record, "image": image}


def write_pictures(folder: Path, names: Sequence[str]) -> None:
    """Picture files."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
