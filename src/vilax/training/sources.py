"""Where the corpora of a run lie, and what identifies their content; no torch in here."""

from pathlib import Path

from vilax.config.schema.data import Corpus
from vilax.config.schema.run import Run
from vilax.config.schema.stage import Stage
from vilax.data.formats import open_corpus
from vilax.micro import corpora as micro_corpora

MICRO = "micro:"


def corpus_path(run: Run, path: str) -> Path:
    """Where a corpus lies; a micro corpus is built when it is first asked for."""
    if path.startswith(MICRO):
        return micro_corpora.path(run.micro, path.removeprefix(MICRO))
    return Path(path).expanduser()


def corpus_config(run: Run, name: str) -> Corpus:
    """The corpus of a name in a blend: a key of ``corpora``, or itself a path."""
    return run.corpora.get(name) or Corpus(path=name)


def data_fingerprint(run: Run, stage: Stage) -> dict[str, str]:
    """Fingerprint of each corpus of a stage; a micro corpus's is known before it is built."""
    prints: dict[str, str] = {}
    for name in stage.blend.corpora:
        path = corpus_config(run, name).path
        if path.startswith(MICRO):
            world = micro_corpora.fingerprint(run.micro)
            prints[name] = f"{path} {world}"
        else:
            corpus = corpus_config(run, name)
            prints[name] = open_corpus(name, corpus_path(run, path), corpus.format).fingerprint()
    return prints
