"""``vilax harness``: evaluate by the tasks and scores of lm-eval or lmms-eval."""

import argparse
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

from vilax.cli.harness_plugin import alone
from vilax.config.errors import ConfigError, unknown
from vilax.config.locate import outputs_dir
from vilax.config.schema.data import Template

LM_EVAL = "pip install 'lm-eval>=0.4.13'"
PACKAGES = {
    "lm-eval": ("lm_eval", LM_EVAL),
    # What it asks for cannot lie beside hydra (antlr4 4.7) and us (av, wandb); its core needs less.
    "lmms-eval": (
        "lmms_eval",
        f"{LM_EVAL} loguru tenacity && pip install --no-deps 'lmms-eval>=0.7'",
    ),
}
"""Harness to its package, and what installs it."""

OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")

CALL = ("tasks", "shots", "limit", "template", "frames", "gen_kwargs")
"""What of a call changes the figures."""

TEACHING = """\
The harness owns the tasks: their data, words, shots and scores. Prompts become tokens, pictures
features and tokens answers by the code of vilax evaluate, always greedily. Nothing is fetched
without --online: data sets must lie in the cache of the datasets library, or be named by the YAML
of a task of your own (--include-path).

  vilax harness lm-eval MODEL --tasks mmlu --shots 5 --online
  vilax harness lmms-eval MODEL --tasks pope_full,gqa --online
  vilax harness lmms-eval MODEL --tasks mine --include-path my_tasks

lmms-eval's own command knows every result too:
  lmms-eval --model vilax --model_args model=MODEL,template=vicuna_v1 --tasks pope
"""


def main(argv: Sequence[str]) -> int:
    """Evaluate by a harness; prints its table and the folder of results and samples.

    Raises:
        ConfigError: a bad request, or the harness is not installed.
    """
    words = _parser().parse_args(list(argv))
    alone()
    if words.shots is not None and words.harness == "lmms-eval":
        # It would put the shots' text before the prompt, but not their pictures.
        raise ConfigError("--shots: lmms-eval shows no pictures of shots; use vilax evaluate")
    if not words.online:
        os.environ.update(dict.fromkeys(OFFLINE, "1"))
    package, command = PACKAGES[words.harness]
    if importlib.util.find_spec(package) is None:
        raise ConfigError(f"{words.harness} is not installed: {command}")
    from vilax.ablation.subject import find_result
    from vilax.evaluation.harness.results import write_results

    run, stage, entry = find_result(words.model)
    default = "raw" if words.harness == "lm-eval" else "vicuna_v1"
    words.template = words.template or default
    facts = {
        "model": {"run": run.name, "stage": stage, "identity": entry.identity},
        "harness": {"name": words.harness, "version": importlib.metadata.version(words.harness)},
        "call": {name: getattr(words, name) for name in CALL},
    }
    folder = Path(words.to).expanduser() if words.to else _folder(facts)
    try:
        found = (_lm_eval if words.harness == "lm-eval" else _lmms_eval)(words, folder)
    except (ConnectionError, FileNotFoundError) as error:
        raise ConfigError(
            f"{words.harness} cannot read a task's data: {error}; expected them in the cache of"
            " the datasets library, in files that the task's YAML names, or --online"
        ) from error
    write_results(folder, found, facts)
    if words.limit is not None:
        print(f"vilax: --limit {words.limit}: figures of a part of each task", file=sys.stderr)
    print(folder)
    return 0


def _lm_eval(words: argparse.Namespace, folder: Path) -> dict[str, Any]:
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager
    from lm_eval.utils import make_table

    from vilax.ablation.subject import open_subject
    from vilax.evaluation.harness.lm_eval import VilaxLM

    manager, tasks = _find(words, TaskManager)
    found: dict[str, Any] = simple_evaluate(
        model=VilaxLM(open_subject(words.model), words.template, words.batch, visible=True),
        tasks=tasks,
        num_fewshot=words.shots,
        limit=words.limit,
        gen_kwargs=words.gen_kwargs,
        task_manager=manager,
    )
    print(make_table(found))
    return found


def _lmms_eval(words: argparse.Namespace, folder: Path) -> dict[str, Any]:
    import lmms_eval.models  # noqa: F401  (sets up a log on stdout, which gives way to ours)
    from lmms_eval.evaluator import simple_evaluate
    from lmms_eval.tasks import TaskManager
    from lmms_eval.utils import make_table
    from loguru import logger
    from tenacity import RetryError

    from vilax.ablation.subject import open_subject
    from vilax.evaluation.harness.lmms_eval import VilaxLmms

    logger.remove()
    logger.add(sys.stderr, level="WARNING", format="{name}: {message}")
    manager, tasks = _find(words, partial(TaskManager, model_name="vilax"))
    model = VilaxLmms(
        open_subject(words.model), words.template, words.batch, words.frames, visible=True
    )
    try:
        found: dict[str, Any] = simple_evaluate(
            model=model,
            tasks=tasks,
            limit=words.limit,
            gen_kwargs=words.gen_kwargs,
            task_manager=manager,
            # What its command would hand on: tasks write files for evaluation servers to the
            # path (the working folder without it), and score without decoding pictures again.
            cli_args=SimpleNamespace(
                output_path=str(folder), process_with_media=False, log_samples_suffix="vilax"
            ),
        )
    except RetryError as error:
        # It tries again whatever went wrong; what that was is inside.
        raise error.last_attempt.exception() or error from None
    print(make_table(found))
    return found


def _find(words: argparse.Namespace, index: Callable[..., Any]) -> tuple[Any, list[str]]:
    """The harness's index with every task that is asked for, and their names."""
    names: list[str] = words.tasks.split(",")
    if words.include_path is not None:
        if not Path(words.include_path).is_dir():
            raise ConfigError(f"--include-path {words.include_path}: there is no such folder")
        # To look through a harness's own tasks takes many seconds.
        own = index(include_path=words.include_path, include_defaults=False)
        if set(names) <= set(own.all_tasks):
            return own, names
    every = index(include_path=words.include_path)
    for name in names:
        if name not in every.all_tasks:
            raise unknown("task", name, every.all_tasks)
    return every, names


def _folder(facts: Mapping[str, Any]) -> Path:
    """A folder of its own for each model, harness and call."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]
    name = f"{facts['harness']['name']}-{facts['model']['identity'][:12]}-{digest}"
    return outputs_dir() / "harness" / name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vilax harness",
        description="Evaluate a result by the tasks and scores of lm-eval or lmms-eval.",
        epilog=TEACHING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("harness", choices=sorted(PACKAGES), help="lm-eval: text; lmms-eval: all")
    parser.add_argument(
        "model", metavar="MODEL", help="a result's folder, or digits of its identity"
    )
    parser.add_argument("--tasks", required=True, metavar="A,B", help="names of its tasks")
    parser.add_argument("--include-path", metavar="DIR", help="folder of your own tasks' YAML")
    parser.add_argument("--shots", type=_count, metavar="K", help="lm-eval: examples in a prompt")
    parser.add_argument("--limit", type=_count, metavar="N", help="first items of each task alone")
    parser.add_argument(
        "--template",
        choices=get_args(Template),
        help="how a request becomes a prompt (lm-eval: raw, lmms-eval: vicuna_v1)",
    )
    parser.add_argument(
        "--frames", type=_count, default=8, metavar="N", help="lmms-eval: of a video (8)"
    )
    parser.add_argument(
        "--batch", type=_count, default=16, metavar="N", help="prompts computed together (16)"
    )
    parser.add_argument(
        "--gen-kwargs", metavar="K=V,..", help="in the place of a task's own generation settings"
    )
    parser.add_argument("--to", metavar="DIR", help="folder of results (outputs/harness/...)")
    parser.add_argument("--online", action="store_true", help="fetch data sets from their hub")
    return parser


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise ValueError(text)
    return count
