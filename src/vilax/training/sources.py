"""Where the corpora of a run lie, and what identifies their content; no torch in here."""

from pathlib import Path
from typing import Any

from vilax.artifacts.identity import science_dump
from vilax.config.errors import ConfigError
from vilax.config.schema.data import Corpus
from vilax.config.schema.run import Run
from vilax.config.schema.stage import Stage
from vilax.data.document import Document
from vilax.data.formats import Reader, open_corpus
from vilax.data.prompt import PromptEncoder
from vilax.data.selection import Selected, select
from vilax.data.storage import place
from vilax.micro import corpora as micro_corpora

MICRO = "micro:"


def corpus_path(run: Run, path: str) -> Path:
    """Where a corpus lies; a micro corpus is built when it is first asked for."""
    if path.startswith(MICRO):
        return micro_corpora.path(run.micro, path.removeprefix(MICRO))
    found: Path = place(path)
    return found


def corpus_config(run: Run, name: str) -> Corpus:
    """The corpus of a name in a blend: a key of ``corpora``, or itself a path."""
    return run.corpora.get(name) or Corpus(path=name)


def open_reader(run: Run, name: str, encoder: PromptEncoder | None = None) -> Reader:
    """The documents of a corpus that its selection leaves.

    Args:
        run: the configuration.
        name: a corpus in a blend.
        encoder: counts tokens, where a selection is by tokens.

    Raises:
        ConfigError: the corpus does not exist or cannot be told, or its selection asks for what it
            has not; naming the key.
    """
    corpus = corpus_config(run, name)
    images = None if corpus.images is None else place(corpus.images)
    reader = open_corpus(name, corpus_path(run, corpus.path), corpus.format, images)

    def tokens(document: Document) -> int:
        assert encoder is not None
        return len(encoder.document(document, corpus.template).tokens)

    if encoder is None:
        return select(reader, corpus.select)
    by = f"{corpus.template} {encoder.fingerprint()} {encoder.counting}"
    return select(reader, corpus.select, tokens, by)


def shows_videos(reader: Reader) -> bool:
    """Whether the pictures of a corpus are frames of videos."""
    from vilax.data.formats.video import VideoReader

    return isinstance(reader.reader if isinstance(reader, Selected) else reader, VideoReader)


def held_out_path(run: Run, name: str) -> str | None:
    """Where a corpus's held-out documents lie; None where there are none."""
    corpus = run.corpora.get(name)
    if corpus is None:
        return None
    if corpus.held_out is None and corpus.path.startswith(MICRO):
        return f"{MICRO}{micro_corpora.HELD_OUT}/{corpus.path.removeprefix(MICRO)}"
    return corpus.held_out


def open_held_out(run: Run, name: str) -> Reader:
    """The documents of a corpus that nothing is trained on.

    Raises:
        ConfigError: the corpus has none, naming the key.
    """
    path = held_out_path(run, name)
    if path is None:
        raise ConfigError(f"corpora.{name}.held_out is not given: expected a file or folder")
    corpus = corpus_config(run, name)
    images = None if corpus.images is None else place(corpus.images)
    return open_corpus(name, corpus_path(run, path), corpus.format, images)


def held_out_print(run: Run, name: str) -> str:
    """Fingerprint of a corpus's held-out documents."""
    path = held_out_path(run, name)
    if path is not None and path.startswith(MICRO):
        return f"{path} {micro_corpora.fingerprint(run.micro)}"
    return open_held_out(run, name).fingerprint()


def corpus_settings(run: Run, stage: Stage) -> dict[str, Any]:
    """What is done with each corpus of a stage, but not where it lies."""
    settings = {}
    for name in stage.blend.corpora:
        settings[name] = science_dump(corpus_config(run, name))
        for where in ("path", "format", "images", "select"):
            # The content's fingerprint stands for these.
            del settings[name][where]
    return settings


def data_fingerprint(run: Run, stage: Stage) -> dict[str, str]:
    """Fingerprint of each corpus of a stage; a micro corpus's is known before it is built."""
    prints: dict[str, str] = {}
    for name in stage.blend.corpora:
        corpus = corpus_config(run, name)
        if corpus.path.startswith(MICRO) and not corpus.select.model_dump(exclude_defaults=True):
            prints[name] = f"{corpus.path} {micro_corpora.fingerprint(run.micro)}"
        else:
            prints[name] = open_reader(run, name).fingerprint()
    return prints
