"""What ``vilax data inspect`` is asked to look at: a stage, a blend, or a path."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from vilax.config.compose import compose_run
from vilax.config.describe import choices
from vilax.config.errors import ConfigError, unknown
from vilax.config.schema.run import Run

DEFAULT_STAGE = "pretrain"
"""The stage that looks at a blend or a path, where the recipe has it; else its last."""


def requested(words: Sequence[str], seed: int | None, config_dir: Path | None) -> tuple[Run, str]:
    """The run that words ask for, and the stage to look at.

    Raises:
        ConfigError: they name no stage, blend or path, or more than one.
    """
    named = [word for word in words if "=" not in word or Path(word).expanduser().exists()]
    overrides = [word for word in words if word not in named]
    if len(named) > 1:
        raise ConfigError(
            f"{' '.join(named)}: expected one stage, blend or path; a stage with another blend is"
            f" written {named[0]} blend={named[1]}"
        )
    of_blend = [word for word in overrides if re.match(r"blend[.=]", word)]
    of_run = [word for word in overrides if word not in of_blend]
    if seed is not None:
        of_run.append(f"seed={seed}")
    what = named[0] if named else None
    blends = choices("blend", config_dir)
    try:
        run = compose_run(of_run, config_dir)
    except ConfigError:
        # Settings of the corpus that a path stands for have no place without it.
        if what is None or not _is_path(what):
            raise
        run = compose_run([*_corpus(what), *of_run], config_dir)
    stage = what if what in run.order else _default_stage(run)
    if what is not None and what != stage:
        if what in blends and "/" not in what:
            of_blend = [f"blend={what}", *of_blend]
        elif _is_path(what):
            of_run = [*_corpus(what), *of_run]
            of_blend.append(f"blend.corpora={{{_corpus_name(what)}: 1.0}}")
        else:
            raise unknown("stage or blend", what, [*run.order, *blends])
    if what != stage:
        print(f"vilax: as stage {stage} of {', '.join(run.order)}", file=sys.stderr)
    if of_blend:
        run = compose_run([*of_run, *(f"stages.{stage}.{word}" for word in of_blend)], config_dir)
    own = run.stages[stage].seed
    if seed is not None and own is not None and own != seed:
        raise ConfigError(
            f"--seed {seed}: stage {stage} has a seed of its own, stages.{stage}.seed={own};"
            f" expected stages.{stage}.seed={seed} instead"
        )
    return run, stage


def _default_stage(run: Run) -> str:
    return DEFAULT_STAGE if DEFAULT_STAGE in run.order else run.order[-1]


def _is_path(word: str) -> bool:
    return "/" in word or Path(word).expanduser().exists()


def _corpus(place: str) -> list[str]:
    """The override that makes a path a corpus."""
    return [f"corpora.{_corpus_name(place)}={Path(place).expanduser()}"]


def _corpus_name(place: str) -> str:
    stem = place.rstrip("/").rpartition("/")[2].partition(".")[0]
    return re.sub(r"\W+", "_", stem).strip("_") or "corpus"
