"""``vilax evaluate``: scores of a model at every number of shots."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from vilax.artifacts.files import write_text
from vilax.artifacts.store import Entry
from vilax.cli.overrides import Request, combined, multirun, parse, print_help, shown
from vilax.config.compose import compose_run, compose_task
from vilax.config.describe import choices
from vilax.config.errors import ConfigError
from vilax.config.locate import outputs_dir
from vilax.config.schema.run import Run

WHAT = """\
Evaluate a trained result, or train or reuse a recipe and evaluate its last stage.

  vilax evaluate MODEL suite=NAME      a stage's result: its folder, or the first digits of its
                                       identity (vilax store list), asked a suite of benchmarks
  vilax evaluate MODEL task=A,B        the same, asked single tasks; a YAML file is a task too
  vilax evaluate KEY=VALUE ...         a recipe's last stage (until=STAGE: that stage)
  vilax evaluate -m KEY=A,B ...        every combination, side by side in the report as well
  --limit N                            ask N items a task, drawn by a fixed seed: a quick look

Benchmarks are read under evaluation.benchmarks (data/benchmarks); what is missing there is listed
with its source, place and licence before anything is loaded. A killed evaluation goes on from the
answers that it has written when the same command is given again. evaluation.processes=N shares the
items among N processes; torchrun does so over GPUs."""


def main(argv: Sequence[str]) -> int:
    """Compose, validate, evaluate; prints a table of scores and the folder."""
    words, limit = _limit(argv)
    request = parse(words)
    if request.help:
        print_help("evaluate", WHAT, request.config_dir)
        print("\ntask=")
        for name, line in choices("task", request.config_dir).items():
            print(f"  {name:20} {line}")
        return 0
    named, request.overrides = _ours(request)
    if limit is not None:
        request.overrides.append(f"evaluation.limit={limit}")
    models = named.pop("model", None)
    if models is not None:
        _evaluate_model(models, request, named.get("task"))
        return 0
    if request.multirun:
        if "task" in named:
            raise ConfigError("task=... with -m: expected suite=NAME, or no -m")
        _multirun(request)
        return 0
    run = compose_run(request.overrides, request.config_dir, _tasks(request, named.get("task")))
    if request.show:
        print(shown(run), end="")
        return 0
    evaluate(run)
    return 0


def _limit(argv: Sequence[str]) -> tuple[list[str], int | None]:
    """Take ``--limit N`` out of a command line."""
    words, found, rest = list(argv), None, []
    while words:
        word = words.pop(0)
        name, _, value = word.partition("=")
        if name != "--limit":
            rest.append(word)
            continue
        value = value or (words.pop(0) if words else "")
        if not value.isdigit() or int(value) < 1:
            raise ConfigError(f"--limit {value}: expected a whole number, at least 1")
        found = int(value)
    return rest, found


def _ours(request: Request) -> tuple[dict[str, str], list[str]]:
    """The model, suite and tasks of a command line, and its other overrides."""
    named: dict[str, str] = {}
    rest: list[str] = []
    for word in request.overrides:
        key, equals, value = word.partition("=")
        if not equals:
            key, value = "model", word
        if key == "suite":
            rest.append(f"evaluation={value}")
        elif key in ("model", "task"):
            if key in named:
                raise ConfigError(f"{word}: {key} {named[key]!r} is given already, expected one")
            named[key] = value
        else:
            rest.append(word)
    return named, rest


def _tasks(request: Request, names: str | None) -> Mapping[str, Mapping[str, Any]] | None:
    if names is None:
        return None
    return dict(compose_task(name, request.config_dir) for name in names.split(","))


def _evaluate_model(model: str, request: Request, tasks: str | None) -> None:
    from vilax.ablation.subject import find_result

    if request.multirun:
        raise ConfigError("-m evaluates recipes: give each MODEL a call of its own")
    allowed = ("evaluation", "trainer", "store")
    for word in request.overrides:
        if word.partition("=")[0].split(".")[0] not in allowed:
            raise ConfigError(
                f"{word}: {model} is trained already; expected suite=, task=, or keys of"
                f" {', '.join(allowed)}"
            )
    trained, stage, entry = find_result(model)
    scale = [f"scale={trained.scale}"] if trained.scale in choices("scale") else []
    composed = compose_run([*scale, *request.overrides], request.config_dir, _tasks(request, tasks))
    settings = {name: getattr(composed, name) for name in allowed}
    run = trained.model_copy(update=settings)
    if request.show:
        print(shown(run), end="")
        return
    _show(_shared(run, stage, entry))


def _multirun(request: Request) -> None:
    """Evaluate every combination; what came of them joins the report, also where one failed."""
    from vilax.ablation.ad_hoc import collect_ad_hoc, resolve_ad_hoc
    from vilax.ablation.graph import store_lookup
    from vilax.cli.compare import publish

    made = combined(request)
    words = request.again(request.overrides)
    resolved = resolve_ad_hoc(words, made.chosen)
    try:
        multirun(made, job)
    finally:
        command = shlex.join(["vilax", "evaluate", "-m", *words])
        collected = collect_ad_hoc(resolved, store_lookup(), command)
        if collected is not None:
            print(publish([collected], resolved.scale))


def job(run: Run, words: Sequence[str]) -> None:
    """One run of several."""
    evaluate(run)


def evaluate(run: Run) -> None:
    """Train or reuse a recipe, evaluate its last stage and print the scores."""
    from vilax.training.recipe import run_recipe, stages_of

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "evaluate of a recipe under torchrun: train it first, then name the result:"
            " vilax evaluate MODEL"
        )
    entries = run_recipe(run)
    _show(_shared(run, stages_of(run)[-1], entries[-1]))


def _shared(run: Run, stage: str, trained: Entry) -> Entry:
    """Evaluate here, or in as many processes of this machine as the settings say."""
    from vilax.ablation.nodes import evaluate_entry, find_evaluation

    found = find_evaluation(run, stage, trained.identity)
    if found is not None:
        return found
    processes = run.evaluation.processes
    if processes > 1 and "WORLD_SIZE" not in os.environ:
        settings = outputs_dir() / "multirun" / f"evaluation-{trained.identity}-{os.getpid()}.yaml"
        write_text(settings, json.dumps(run.evaluation.model_dump(mode="json")))
        try:
            _launch(processes, [str(trained.folder), f"evaluation={settings}"], run)
        finally:
            settings.unlink(missing_ok=True)
        found = find_evaluation(run, stage, trained.identity)
        assert found is not None
        return found
    return evaluate_entry(run, stage, trained, visible=True)


def _launch(processes: int, words: Sequence[str], run: Run) -> None:
    """Start the same evaluation in several processes.

    Raises:
        ConfigError: they failed; what they said stands on stderr.
    """
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    ours = ["-m", "vilax.cli.main", "evaluate", *words, f"store.trust={run.store.trust}"]
    command = [*torchrun, f"--nproc-per-node={processes}", *ours]
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)  # noqa: S603
    if done.returncode:
        raise ConfigError(f"{processes} processes of vilax evaluate failed: see above")


def _show(entry: Entry) -> None:
    if int(os.environ.get("RANK", "0")):
        return
    results = read_json(entry.folder / "results.json")
    timing = read_json(entry.folder / "timing.json")
    shots = sorted({int(k) for task in results["tasks"].values() for k in task["scores"]})
    table = Table(title=f"evaluation of {entry.meta['name']}, seed {results['seed']}")
    headings = ("task", "figure", *(f"{k} shots" for k in shots), "chance", "items", "ms/item")
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("task", "figure") else "right")
    for name, task in results["tasks"].items():
        cells = [_cell(task, str(k)) for k in shots]
        chance = "" if task["chance"] is None else f"{100 * task['chance']:.1f}"
        times = [part["seconds_per_item"] for part in timing[name].values()]
        each = f"{1000 * sum(times) / len(times):.1f}"
        table.add_row(name, task["primary"], *cells, chance, str(task["items"]), each)
    console = Console()
    console.print(table)
    for name, task in results["tasks"].items():
        for note in task["notes"]:
            print(f"{name}: {note}", file=sys.stderr)
    print(f"{entry.identity} {entry.folder}")


def _cell(task: Mapping[str, Any], k: str) -> str:
    share = task["scores"].get(k)
    if share is None:
        return "" if k not in task["scores"] else "unscored"
    scale, interval = float(task["scale"]), task["interval"].get(k)
    shown = f"{scale * share:.1f}"
    return (
        shown
        if interval is None
        else f"{shown} [{scale * interval[0]:.1f}, {scale * interval[1]:.1f}]"
    )


def read_json(path: Path) -> Any:
    """Content of a JSON file that this project wrote."""
    return json.loads(path.read_text(encoding="utf-8"))
