"""``vilax evaluate``: scores of a recipe's last stage at every number of shots."""

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from vilax.cli.overrides import multirun, parse, print_help, shown
from vilax.config.compose import compose_run
from vilax.config.schema.run import Run

WHAT = "Train or reuse a recipe and evaluate its last stage (until=STAGE: that stage)."


def main(argv: Sequence[str]) -> int:
    """Compose, validate, evaluate; prints a table of scores and the folder."""
    request = parse(argv)
    if request.help:
        print_help("evaluate", WHAT, request.config_dir)
        return 0
    if request.multirun:
        multirun(request, job)
        return 0
    run = compose_run(request.overrides, request.config_dir)
    if request.show:
        print(shown(run), end="")
        return 0
    evaluate(run)
    return 0


def job(run: Run, words: Sequence[str]) -> None:
    """One run of several."""
    evaluate(run)


def evaluate(run: Run) -> None:
    """Evaluate and print the scores."""
    from vilax.ablation.nodes import evaluate_recipe

    _, entry = evaluate_recipe(run)
    results = json.loads((entry.folder / "results.json").read_text(encoding="utf-8"))
    shots = sorted({int(k) for task in results["tasks"].values() for k in task["scores"]})
    table = Table(title=f"evaluation of {entry.meta['name']}, seed {results['seed']}")
    for heading in ("task", "metric", *(f"{k} shots" for k in shots), "chance", "items"):
        table.add_column(heading, justify="left" if heading in ("task", "metric") else "right")
    for name, task in results["tasks"].items():
        scores = task["scores"]
        row = [f"{100 * scores[str(k)]:.1f}" if str(k) in scores else "" for k in shots]
        chance = "" if task["chance"] is None else f"{100 * task['chance']:.1f}"
        table.add_row(name, task["metric"], *row, chance, str(task["items"]))
    Console().print(table)
    print(f"{entry.identity} {entry.folder}")
