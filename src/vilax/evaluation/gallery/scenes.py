"""A gallery's prompts as documents, and a model's answers to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vilax.config.errors import ConfigError
from vilax.config.schema.gallery import Gallery, Scene
from vilax.data.document import Document, Image, Role, Segment, Text
from vilax.evaluation.subject import Subject
from vilax.micro.assets import EVALUATION_STYLE, drawing, load_concepts
from vilax.micro.views import encode
from vilax.models.decoding import generate

DRAWN = "micro:"
SIDE = 256
"""Side of a packaged drawing on the page and before the model, in pixels."""


@dataclass(frozen=True)
class Opened:
    """A gallery with its pictures read.

    Attributes:
        gallery: title, template and prompts.
        pictures: encoded file by the name that a prompt gives.
    """

    gallery: Gallery
    pictures: Mapping[str, bytes]

    def document(self, scene: Scene) -> Document:
        """A scene's prompt, through the same code as training documents."""
        segments: list[Segment] = []
        for part in scene.parts:
            if part.picture is not None:
                segments.append(Image(self.pictures[part.picture]))
            else:
                role: Role = "assistant" if part.answer else "user"
                segments.append(Text(str(part.text), loss=False, role=role))
        return Document(scene.title, "gallery", tuple(segments))


def open_gallery(gallery: Gallery, folder: Path) -> Opened:
    """Read a gallery's pictures.

    Args:
        gallery: the prompts.
        folder: that of the gallery's file; pictures are relative to it.

    Raises:
        ConfigError: a picture is not there.
    """
    pictures: dict[str, bytes] = {}
    for name, scene in gallery.scenes.items():
        for part in scene.parts:
            if part.picture is not None and part.picture not in pictures:
                pictures[part.picture] = _picture(part.picture, folder, f"scenes.{name}")
    return Opened(gallery, pictures)


def _picture(name: str, folder: Path, where: str) -> bytes:
    if name.startswith(DRAWN):
        concepts = {concept.name: concept for concept in load_concepts()}
        wanted = name.removeprefix(DRAWN)
        if wanted not in concepts:
            raise ConfigError(f"{where}: there is no drawing of {wanted!r}")
        return encode(drawing(EVALUATION_STYLE, concepts[wanted], SIDE), "PNG")
    path = (folder / Path(name).expanduser()).resolve()
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{where}: picture {path} cannot be read: {error.strerror}") from error


def answer_scenes(subject: Subject, opened: Opened) -> dict[str, str]:
    """A model's answer to each scene, greedy, by the scene's name.

    Raises:
        ConfigError: the model sees no pictures, or a prompt is longer than its context.
    """
    if subject.features is None:
        raise ConfigError("gallery: a text-only model cannot be shown pictures")
    found = {}
    for name, scene in opened.gallery.scenes.items():
        prompt = subject.prompts.prompt(opened.document(scene), opened.gallery.template)
        length = len(prompt.tokens) + scene.max_new_tokens
        if subject.context is not None and length > subject.context:
            raise ConfigError(
                f"scenes.{name} takes {length} tokens, answer included: the LLM's context has"
                f" {subject.context}"
            )
        features = subject.features(prompt.images).to(subject.model.device, subject.dtype)
        tokens = generate(
            subject.model,
            [prompt.tokens.tolist()],
            [features],
            scene.max_new_tokens,
            subject.prompts.stops(opened.gallery.template),
            subject.prompts.pad_id,
        )[0]
        found[name] = str(subject.tokenizer.decode(tokens, skip_special_tokens=True)).strip()
    return found
