"""``vilax plan``: what a recipe or a comparison will take."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from vilax.cli.overrides import Request, parse, print_help, shown
from vilax.config.comparisons import comparison_names
from vilax.config.compose import compose_run
from vilax.config.errors import ConfigError

if TYPE_CHECKING:
    from vilax.config.schema.run import Run
    from vilax.planning.plan import Machine, Setting, StagePlan

WHAT = """\
Say what a recipe or the arms of comparisons will take: parameters, memory by kind, FLOPs,
GPU-hours, cost, bytes of checkpoints, stages that are shared. No GPU, no weights and no network are
used.

  vilax plan recipe=vila llm=llama2_7b gpus=8 gpu=h100-80g
  vilax plan freezing gpus=128 gpu=a100-80g

  gpus=N       devices; without scale=NAME the scale is then paper's, sharded over all of them
  gpu=NAME     a100-40g a100-80g h100-80g h200-141g b200-180g l40s-48g rtx4090-24g (h100-80g)
  price=X      US dollars per GPU-hour, in place of a round figure
  used=SHARE   share of the data sheet's FLOPs that training reaches (0.4)
  --json       figures as JSON on stdout

Exit code 1 if a stage does not fit; the smallest changes that make it fit are tried and named."""

OURS = ("gpus", "gpu", "price", "used")
KINDS = ("weights", "gradients", "optimizer", "activations", "encoder", "logits", "buffers")


def main(argv: Sequence[str]) -> int:
    """Plan and print.

    Raises:
        ConfigError: a bad request.
    """
    words = [word for word in argv if word != "--json"]
    request = parse(words)
    if request.help:
        print_help("plan", WHAT, request.config_dir)
        return 0
    own, names = _own(request)
    gpus = _number(own, "gpus", int, 1)
    runs = _runs(request, names, gpus, "gpus" in own)
    if request.show:
        print(shown(next(iter(runs.values()))), end="")
        return 0

    # Architectures are packaged, or lie in folders or the hub's cache.
    os.environ["HF_HUB_OFFLINE"] = "1"
    from vilax.planning.hardware import find_gpu
    from vilax.planning.plan import Machine, plan_run

    gpu = find_gpu(own.get("gpu", "h100-80g"))
    price, used = _number(own, "price", float, gpu.price), _number(own, "used", float, 0.4)
    if not 0 < used <= 1 or price < 0:
        raise ConfigError(f"used={used} price={price}: expected a share of (0, 1], a price from 0")
    machine = Machine(gpus, gpu, price, used)
    plans = {arm: plan_run(run, machine) for arm, run in runs.items()}
    if "--json" in argv:
        print(json.dumps(_record(plans, machine), indent=1))
    else:
        _print(plans, machine, own.get("gpu", "h100-80g"))
    return 0 if all(one.fits for stages in plans.values() for one in stages) else 1


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


def _runs(request: Request, names: list[str], gpus: int, is_sized: bool) -> dict[str, "Run"]:
    scale = next((w for w in request.overrides if w.startswith("scale=")), "")
    words = [w for w in request.overrides if not w.startswith("scale=")]
    name = scale.partition("=")[2] or ("paper" if is_sized else "micro")
    if is_sized and not any(w.startswith("trainer=") for w in words):
        nodes = -(-gpus // 8)
        sized = ["trainer=fsdp"] if gpus > 1 else []
        sized += [f"trainer.devices={gpus // nodes}", f"trainer.nodes={nodes}"]
        words = [*sized, "trainer.precision=bf16", *words]
    if names:
        from vilax.ablation.comparison import resolve_all

        found = resolve_all(names, (0,), name, words, request.config_dir)
        return {
            f"{one.name} {arm}" if len(found) > 1 else arm: run
            for one in found
            for arm, run in one.arms.items()
        }
    return {"": compose_run([f"scale={name}", *words], request.config_dir)}


def _record(plans: dict[str, list["StagePlan"]], machine: "Machine") -> dict[str, Any]:
    from vilax.planning.plan import shared

    stages = {
        arm: [
            asdict(one)
            | {
                "peak": one.memory.peak,
                "fixes": [asdict(setting) | {"peak": memory.peak} for setting, memory in one.fixes],
            }
            for one in some
        ]
        for arm, some in plans.items()
    }
    every, distinct, saved = shared(list(plans.values()))
    hours = sum({o.key: o.hours for some in plans.values() for o in some}.values())
    return {
        "stages": stages,
        "gpu_hours": hours,
        "cost": hours * machine.price,
        "shared": {"stages": every, "distinct": distinct, "gpu_hours_saved": saved},
    }


def _print(plans: dict[str, list["StagePlan"]], machine: "Machine", gpu: str) -> None:
    from rich.console import Console
    from rich.table import Table

    from vilax.planning.plan import shared

    console = Console(width=max(120, Console().width))
    seen: dict[str, str] = {}
    for arm, stages in plans.items():
        title = f"{arm + ': ' if arm else ''}{machine.gpus} x {gpu}"
        table = Table(title=title)
        fresh = [one for one in stages if one.key not in seen]
        table.add_column("")
        for one in stages:
            table.add_column(one.name, justify="right")
        for label, cells in _rows(stages, machine):
            table.add_row(label, *cells)
        console.print(table)
        for one in stages:
            if one.key in seen:
                console.print(f"{one.name}: shared with {seen[one.key]}")
        for one in fresh:
            seen[one.key] = f"{arm} {one.name}".strip()
            print(_verdict(one, machine))
    every, distinct, saved = shared(list(plans.values()))
    hours = sum({o.key: o.hours for some in plans.values() for o in some}.values())
    print(f"all: {hours:,.1f} GPU-hours, {hours * machine.price:,.0f} USD", end="")
    if every > distinct:
        print(
            f"; {every} stages, {distinct} distinct: sharing saves {saved:,.1f} GPU-hours", end=""
        )
    print()
    sources = sorted({one.mix.source for some in plans.values() for one in some})
    print(f"rows: {'; '.join(sources)}", file=sys.stderr)


def _rows(stages: list["StagePlan"], machine: "Machine") -> list[tuple[str, list[str]]]:
    def gib(size: float) -> str:
        return f"{size / 2**30:,.2f}"

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
        rows.append((f"{kind}, GiB", [gib(getattr(one.memory, kind)) for one in stages]))
    rows.append(("peak, GiB", [gib(one.memory.peak) for one in stages]))
    rows.append(("GFLOPs a token", [f"{one.flops / 1e9:,.1f}" for one in stages]))
    rows.append(("tokens", [f"{one.tokens:,.3g}" for one in stages]))
    rows.append(("GPU-hours", [f"{one.hours:,.2f}" for one in stages]))
    rows.append(("USD", [f"{one.hours * machine.price:,.0f}" for one in stages]))
    rows.append(("result, GiB", [gib(one.storage[0]) for one in stages]))
    rows.append(("resume checkpoint, GiB", [gib(one.storage[1]) for one in stages]))
    return rows


def _verdict(one: "StagePlan", machine: "Machine") -> str:
    memory = machine.gpu.memory / 2**30
    peak = one.memory.peak / 2**30
    if one.fits:
        return f"{one.name}: fits, {peak:,.1f} of {memory:,.0f} GiB"
    text = f"{one.name}: does NOT fit, {peak:,.1f} of {memory:,.0f} GiB"
    if not one.fixes:
        return f"{text}; neither one row with checkpointing nor 32 times the devices would"
    ways = [f"{_words(one.setting, s)} ({m.peak / 2**30:,.1f} GiB)" for s, m in one.fixes]
    return f"{text}; fits with {', or with '.join(ways)}"


def _words(now: "Setting", then: "Setting") -> str:
    changes = []
    if then.checkpointing != now.checkpointing:
        changes.append("trainer.activation_checkpointing=true")
    if then.rows != now.rows:
        changes.append(f"trainer.micro_rows={then.rows}")
    if then.gpus != now.gpus:
        changes.append(f"gpus={then.gpus}")
    return " ".join(changes)
