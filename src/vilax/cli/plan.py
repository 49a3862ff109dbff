"""``vilax plan``: what a recipe or a comparison will take."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vilax.cli import sweep_table
from vilax.cli.overrides import Request, parse, print_help, shown
from vilax.cli.sweep_table import KINDS, PAPER, stage_record
from vilax.config.comparisons import comparison_names
from vilax.config.compose import compose_run
from vilax.config.errors import ConfigError

if TYPE_CHECKING:
    from vilax.ablation.comparison import Resolved
    from vilax.planning.plan import Machine, StagePlan

WHAT = """\
Say what a recipe or the arms of comparisons will take: parameters, memory by kind, FLOPs,
GPU-hours, cost, bytes of checkpoints, stages that are shared. No GPU, no weights and no network are
used.

  vilax plan recipe=vila llm=llama2_7b gpus=8 gpu=h100-80g
  vilax plan freezing corpus --seeds 0,1,2
  vilax plan main gpus=64 gpu=a100-80g price=1.5

Of comparisons every distinct stage, evaluation and measure stands once, in the order in which it
would run, with the arms that need it and whether the store has it; times come from the planner on
GPUs, at the other scales from what the store has measured. vilax compare NAME --plan is the same.

  gpus=N       devices; without scale=NAME the scale is then paper's, sharded over all of them
               (not given: the trainer's own)
  gpu=NAME     a100-40g a100-80g h100-80g h200-141g b200-180g l40s-48g rtx4090-24g (h100-80g)
  price=X      US dollars per GPU-hour, in place of a round figure
  used=SHARE   share of the data sheet's FLOPs that training reaches (0.4)
  --json       figures as JSON on stdout
  --scale NAME the same as scale=NAME
  --seeds 0,1  seeds of comparisons (their own)

Exit code 1 if a stage does not fit; the smallest changes that make it fit are tried and named."""

OURS = ("gpus", "gpu", "price", "used")


def main(argv: Sequence[str]) -> int:
    """Plan and print.

    Raises:
        ConfigError: a bad request.
    """
    words, seeds = _options(argv)
    request = parse(words)
    if request.help:
        print_help("plan", WHAT, request.config_dir)
        return 0
    own, names = _own(request)
    gpus = _number(own, "gpus", int, 1)
    scale, words = _sized(request, names, gpus, "gpus" in own)
    resolved: list[Resolved] = []
    if names:
        from vilax.ablation.comparison import resolve_all
        from vilax.cli.compare import read_seeds

        resolved = resolve_all(names, read_seeds(seeds), scale, words, request.config_dir)
        run = resolved[0].runs[0].run
    else:
        run = compose_run([f"scale={scale}", *words], request.config_dir)
    if request.show:
        print(shown(run), end="")
        return 0

    # Architectures are packaged, or lie in folders or the hub's cache.
    os.environ["HF_HUB_OFFLINE"] = "1"
    from vilax.planning.hardware import USED, USUAL, find_gpu

    gpu = find_gpu(own.get("gpu", USUAL))
    price, used = _number(own, "price", float, gpu.price), _number(own, "used", float, USED)
    if not 0 < used <= 1 or price < 0:
        raise ConfigError(f"used={used} price={price}: expected a share of (0, 1], a price from 0")
    if names and "gpus" not in own and scale != PAPER:
        return _comparisons(resolved, None, price if "price" in own else None, "--json" in argv)
    from vilax.planning.plan import Machine, plan_run

    if not names and "gpus" not in own:
        gpus = run.trainer.devices * run.trainer.nodes
    machine = Machine(gpus, gpu, price, used)
    if names:
        return _comparisons(resolved, machine, price, "--json" in argv)
    plan = plan_run(run, machine)
    if "--json" in argv:
        print(json.dumps(_record(plan, machine), indent=1))
    else:
        _print(plan, machine)
    return 0 if all(one.fits for one in plan) else 1


def _options(argv: Sequence[str]) -> tuple[list[str], str | None]:
    """The words without options that only plans have, and the text of ``--seeds``."""
    words: list[str] = []
    seeds = None
    rest = [word for word in argv if word != "--json"]
    while rest:
        name, _, value = (word := rest.pop(0)).partition("=")
        if name not in ("--scale", "--seeds"):
            words.append(word)
            continue
        if not value and not rest:
            raise ConfigError(f"{name} needs a value")
        value = value or rest.pop(0)
        if name == "--scale":
            words.append(f"scale={value}")
        else:
            seeds = value
    return words, seeds


def _comparisons(
    resolved: "Sequence[Resolved]", machine: "Machine | None", price: float | None, as_json: bool
) -> int:
    """Print what comparisons will take; 1 where a stage does not fit its GPU."""
    from vilax.ablation.control import require
    from vilax.cli.compare import cpus

    for one in resolved:
        require(one)
    found = sweep_table.sweep(resolved, cpus(), 0, machine)
    if as_json:
        print(json.dumps(sweep_table.record(found, price), indent=1))
    else:
        sweep_table.show(found, price)
    if machine is None:
        return 0
    distinct = {id(plan): (key, plan) for key, plan in reversed(found.plans.items())}
    if not as_json:
        for key, plan in reversed(distinct.values()):
            if not plan.fits:
                identity = key.partition(":")[2][:8]
                print(_verdict(replace(plan, name=f"{plan.name} {identity}"), machine))
        _print_sources([plan for _, plan in distinct.values()])
    return 0 if all(plan.fits for _, plan in distinct.values()) else 1


def _own(request: Request) -> tuple[dict[str, str], list[str]]:
    own: dict[str, str] = {}
    names: list[str] = []
    rest: list[str] = []
    for word in request.overrides:
        key, equals, value = word.partition("=")
        if not equals:
            names.append(word)
        elif key in OURS:
            own[key] = value
        else:
            rest.append(word)
    request.overrides = rest
    if names:
        known = comparison_names(request.config_dir)
        for name in names:
            if name not in known:
                from vilax.config.errors import unknown

                raise unknown("comparison", name, known)
    return own, names


def _number(own: dict[str, str], key: str, kind: Any, default: Any) -> Any:
    try:
        value = kind(own.get(key, default))
    except ValueError as error:
        raise ConfigError(f"{key}={own[key]}: expected a number") from error
    if kind is int and value < 1:
        raise ConfigError(f"{key}={value}: expected at least 1")
    return value


def _sized(request: Request, names: list[str], gpus: int, is_sized: bool) -> tuple[str, list[str]]:
    """The scale that is planned, and all overrides but that."""
    scale = next((w for w in request.overrides if w.startswith("scale=")), "")
    words = [w for w in request.overrides if not w.startswith("scale=")]
    name = scale.partition("=")[2]
    if not name:
        name = PAPER if is_sized else _only_scale(names, request.config_dir)
    if is_sized and not any(w.startswith("trainer=") for w in words):
        nodes = -(-gpus // 8)
        sized = ["trainer=fsdp"] if gpus > 1 else []
        sized += [f"trainer.devices={gpus // nodes}", f"trainer.nodes={nodes}"]
        words = [*sized, "trainer.precision=bf16", *words]
    return name, words


def _only_scale(names: list[str], config_dir: Path | None) -> str:
    """Micro, or the only scale at which all comparisons run."""
    from vilax.config.comparisons import load_comparison

    scales = [load_comparison(name, config_dir).scales for name in names]
    shared = set(scales[0]).intersection(*scales[1:]) if scales else set()
    return shared.pop() if len(shared) == 1 else "micro"


def _record(stages: list["StagePlan"], machine: "Machine") -> dict[str, Any]:
    hours = sum(one.hours for one in stages)
    return {
        "stages": {"": [stage_record(one) for one in stages]},
        "gpu_hours": hours,
        "cost": hours * machine.price,
    }


def _print(stages: list["StagePlan"], machine: "Machine") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=machine.name)
    table.add_column("")
    for one in stages:
        table.add_column(one.name, justify="right")
    for label, cells in _rows(stages, machine):
        table.add_row(label, *cells)
    Console(width=max(120, Console().width)).print(table)
    for one in stages:
        print(_verdict(one, machine))
    hours = sum(one.hours for one in stages)
    print(f"all: {hours:,.1f} GPU-hours, {hours * machine.price:,.0f} USD")
    _print_sources(stages)


def _print_sources(stages: list["StagePlan"]) -> None:
    print(f"rows: {'; '.join(sorted({one.mix.source for one in stages}))}", file=sys.stderr)


def _rows(stages: list["StagePlan"], machine: "Machine") -> list[tuple[str, list[str]]]:
    from vilax.planning.verdict import sized

    rows: list[tuple[str, list[str]]] = []
    for part in ("encoder", "projector", "llm"):
        found = [one.counts.parts.get(part) for one in stages]
        if any(found):
            cells = ["-" if f is None else f"{f[1]:,} of {f[0]:,}" for f in found]
            rows.append((f"{part}: trained of all", cells))
    rows.append(("tokens a document", [f"{one.mix.document:,.0f}" for one in stages]))
    rows.append(("supervised share", [f"{one.mix.supervised:.1%}" for one in stages]))
    rows.append(("rows a forward pass", [f"{one.setting.rows}" for one in stages]))
    for kind in KINDS:
        rows.append((kind, [sized(getattr(one.memory, kind)) for one in stages]))
    rows.append(("peak", [sized(one.memory.peak) for one in stages]))
    rows.append(("host memory a rank", [sized(one.memory.host) for one in stages]))
    rows.append(("GFLOPs a token", [f"{one.flops / 1e9:,.1f}" for one in stages]))
    rows.append(("tokens", [f"{one.tokens:,.3g}" for one in stages]))
    rows.append(("GPU-hours", [f"{one.hours:,.2f}" for one in stages]))
    rows.append(("USD", [f"{one.hours * machine.price:,.0f}" for one in stages]))
    rows.append(("result", [sized(one.storage[0]) for one in stages]))
    rows.append(("resume checkpoint", [sized(one.storage[1]) for one in stages]))
    return rows


def _verdict(one: "StagePlan", machine: "Machine") -> str:
    from vilax.planning.verdict import verdict

    fixes = None if one.fits else one.fixes
    return verdict(one.name, one.setting, one.memory, machine.gpu.memory, fixes)
