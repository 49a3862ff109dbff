"""What comparisons will take, as ``vilax plan`` and ``vilax compare --plan`` print it."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from vilax.ablation.comparison import Resolved
from vilax.ablation.elsewhere import planning_lookup
from vilax.ablation.forecast import Forecast, Time, Timer, forecast, measured_timer
from vilax.ablation.graph import Node, build
from vilax.ablation.progress import FEW, clock, users
from vilax.artifacts.store import Store
from vilax.config.locate import store_dir

if TYPE_CHECKING:
    from vilax.planning.plan import Machine, StagePlan
    from vilax.planning.pricing import Pricing

KINDS = ("weights", "gradients", "optimizer", "activations", "encoder", "logits", "buffers")
PAPER = "paper"
"""The scale that is planned on GPUs whether these are here or not."""

SOURCES = {
    "measured": "measured: took that long",
    "pace": "pace: as stored results of its kind took by their budgets",
    "planned": "planned: FLOPs by the share of the data sheet's that training reaches",
    "assumed": "assumed: as on two other cores, for nothing like it is stored yet",
}


@dataclass(frozen=True)
class Sweep:
    """Comparisons as they are planned.

    Attributes:
        forecast: their graph with times.
        room: what it runs on, in words.
        pricing: plans on GPUs; None: it is planned for the CPUs of this machine.
    """

    forecast: Forecast
    room: str
    pricing: "Pricing | None"

    @property
    def plans(self) -> dict[str, "StagePlan"]:
        """Key of each stage to its plan on GPUs; none where it is planned for CPUs."""
        if self.pricing is None:
            return {}
        nodes = self.forecast.graph.nodes.values()
        return {n.key: self.pricing.stage(n.run, n.stage) for n in nodes if n.kind == "stage"}


def sweep(
    resolved: Sequence[Resolved], threads: int, gpus: int, machine: "Machine | None"
) -> Sweep:
    """The graph of comparisons with times.

    Args:
        resolved: the comparisons.
        threads: CPU threads of this machine to use.
        gpus: GPUs of this machine to use.
        machine: GPUs that it is planned for; None: times are taken from what the store has.
    """
    graph = build(resolved, planning_lookup())
    timer = measured_timer(graph, Store(store_dir()).entries())
    if machine is None:
        room = f"{threads} threads" + (f" and {gpus} GPUs" if gpus else "")
        return Sweep(forecast(graph, timer, threads, gpus), room, None)
    from vilax.planning.pricing import Pricing

    pricing = Pricing(machine)
    planned = _planned(pricing, timer)
    stderr = Console(stderr=True)
    nodes = list(graph.nodes.values())
    for node in track(nodes, "planning", console=stderr, disable=not stderr.is_terminal):
        # Pricing remembers it.
        planned(node)
    found = forecast(graph, planned, None, machine.gpus)
    return Sweep(found, machine.name, pricing)


def _planned(pricing: "Pricing", otherwise: Timer) -> Timer:
    def time(node: Node) -> Time | None:
        if node.entry is not None:
            took = float(node.entry.meta.get("seconds", 0.0))
            return Time(took, "measured", node.run.trainer.nodes * node.gpus)
        if node.kind == "stage":
            gpus = node.run.trainer.devices * node.run.trainer.nodes
            hours = pricing.stage(node.run, node.stage).hours
            return Time(3600 * hours / gpus, "planned", gpus)
        if node.kind == "evaluation":
            return Time(pricing.evaluation(node.run, node.stage), "planned", 1)
        if node.kind == "measures":
            return Time(pricing.measures(node.run, node.stage), "planned", 1)
        return otherwise(node)

    return time


def show(one: Sweep, price: float | None) -> None:
    """Print the nodes in their order, and the totals.

    Args:
        one: what is planned.
        price: US dollars per GPU-hour, or per hour of this machine; None: nothing is paid.
    """
    found, pricing, plans = one.forecast, one.pricing, one.plans
    console = Console(width=max(140, Console().width), highlight=False)
    table = Table(box=None, pad_edge=False, title=f"on {one.room}", title_justify="left")
    headings = ["", "node", "state", "starts at", "time", "by"]
    headings += ["GPU-hours", "peak, GiB"] if pricing is not None else []
    headings += ["USD"] if price is not None else []
    for heading in (*headings, "needed by"):
        is_text = heading in ("node", "state", "by", "needed by")
        table.add_column(heading, justify="left" if is_text else "right")
    for number, (key, node) in enumerate(found.graph.nodes.items(), start=1):
        time = found.times.get(key)
        cells = [str(number), f"{node.title} {key.partition(':')[2][:8]}"]
        cells.append("to do" if node.entry is None else "stored")
        cells.append(clock(found.starts[key]) if key in found.starts else "-")
        cells += ["?", ""] if time is None else [clock(time.seconds), time.source]
        if pricing is not None:
            cells.append("?" if time is None else f"{time.gpu_hours:,.2f}")
            cells.append(_peak(plans.get(key)))
        if price is not None:
            cells.append("?" if time is None else f"{price * _hours(time):,.2f}")
        table.add_row(*cells, users(node))
    console.print(table)
    if plans:
        console.print(_memory(one))
    for line in lines(found, one.room, pricing is not None, price):
        print(line)


def _memory(one: Sweep) -> Table:
    """Bytes by kind, of stages that are planned alike once."""
    table = Table(box=None, pad_edge=False, title_justify="left")
    table.title = "GiB on the fullest device"
    for heading in ("stage", *KINDS, "peak", ""):
        table.add_column(heading, justify="left" if heading in ("stage", "") else "right")
    alike: dict[int, tuple[StagePlan, list[Node]]] = {}
    for key, plan in one.plans.items():
        alike.setdefault(id(plan), (plan, []))[1].append(one.forecast.graph.nodes[key])
    for plan, nodes in alike.values():
        sizes = [*(getattr(plan.memory, kind) for kind in KINDS), plan.memory.peak]
        names = ", ".join(node.key.partition(":")[2][:8] for node in nodes[:FEW])
        more = f" and {len(nodes) - FEW} more" if len(nodes) > FEW else ""
        cells = [f"{size / 2**30:,.2f}" for size in sizes]
        table.add_row(f"{plan.name} {names}{more}", *cells, "" if plan.fits else "does NOT fit")
    return table


def _peak(plan: "StagePlan | None") -> str:
    if plan is None:
        return ""
    return f"{plan.memory.peak / 2**30:,.1f}{'' if plan.fits else ' NO'}"


def _hours(time: Time) -> float:
    """Hours that are paid: of GPUs, else of the machine."""
    return time.gpu_hours if time.gpus else time.seconds / 3600


def lines(found: Forecast, room: str, on_gpus: bool, price: float | None) -> list[str]:
    """The totals: what is to do, what the store has, what sharing saves."""
    graph = found.graph
    wall = "" if found.wall is None else f", about {clock(found.wall)} on {room}"
    said = [
        f"to do: {len(graph.pending)} of {len(graph.nodes)} nodes, {clock(found.left)} of"
        f" work{wall}; the store has the others"
    ]
    wanted = [key for keys in graph.stages.values() for key in keys]
    said.append(
        f"{len(wanted)} stages of all arms and seeds are {len({*wanted})} distinct ones; with"
        f" evaluations and measures {_saved(found, (), on_gpus, price)}"
    )
    bases = {graph.nodes[key].stage for key in graph.controls.values()}
    if bases:
        names = ", ".join(sorted(bases))
        said.append(f"stage {names} left out: {_saved(found, bases, on_gpus, price)}")
    if found.unknown:
        said.append(
            f"nobody can tell the time of {len(found.unknown)} nodes, so they are in no sum: gpus=N"
            " plans them on GPUs, and a run teaches their pace"
        )
    used = dict.fromkeys(time.source for time in found.times.values())
    return [*said, f"times: {'; '.join(SOURCES[one] for one in used)}"]


def _saved(found: Forecast, without: Collection[str], on_gpus: bool, price: float | None) -> str:
    both = found.savings(lambda time: time.gpu_hours if on_gpus else time.seconds, without)
    saved = both.apart - both.shared

    def words(amount: float) -> str:
        return f"{amount:,.1f} GPU-hours" if on_gpus else clock(amount)

    share = 100 * saved / both.apart if both.apart else 0.0
    money = ""
    if price is not None:
        rate = price if on_gpus else price / 3600
        money = (
            f" ({rate * both.shared:,.0f} USD in place of {rate * both.apart:,.0f},"
            f" {rate * saved:,.0f} saved)"
        )
    return (
        f"{both.distinct} results in place of {both.wanted}: {words(both.shared)} with sharing,"
        f" {words(both.apart)} without; sharing saves {words(saved)}, {share:.0f} %{money}"
    )


def stage_record(plan: "StagePlan") -> dict[str, Any]:
    """A stage's plan for scripts."""
    fixes = [asdict(setting) | {"peak": memory.peak} for setting, memory in plan.fixes]
    return asdict(plan) | {"peak": plan.memory.peak, "fixes": fixes}


def record(one: Sweep, price: float | None) -> dict[str, Any]:
    """The same for scripts.

    Args:
        one: what is planned.
        price: as of ``show``.
    """
    found, plans = one.forecast, one.plans
    graph = found.graph
    nodes = []
    for key, node in graph.nodes.items():
        time = found.times.get(key)
        nodes.append(
            {
                "kind": node.kind,
                "stage": node.stage,
                "identity": key.partition(":")[2],
                "stored": node.entry is not None,
                "starts": found.starts.get(key),
                "seconds": None if time is None else time.seconds,
                "source": None if time is None else time.source,
                "gpu_hours": None if time is None else time.gpu_hours,
                "needed_by": node.users,
            }
        )
    hours = found.savings(lambda time: time.gpu_hours)
    unit = _hours if one.pricing is None else lambda time: time.gpu_hours
    paid = found.savings(unit)
    wanted = [key for keys in graph.stages.values() for key in keys]
    return {
        "nodes": nodes,
        "to_do": len(graph.pending),
        "wall_seconds": found.wall,
        "seconds": vars(found.savings(lambda time: time.seconds)),
        "gpu_hours": hours.shared,
        "cost": None if price is None else price * paid.shared,
        "cost_saved": None if price is None else price * (paid.apart - paid.shared),
        "shared": {
            "stages": len(wanted),
            "distinct": len({*wanted}),
            "results": hours.wanted,
            "distinct_results": hours.distinct,
            "gpu_hours_saved": hours.apart - hours.shared,
        },
        "stages": {
            f"{name}:{arm}/{seed}": [stage_record(plans[key]) for key in keys]
            for (name, arm, seed), keys in graph.stages.items()
            if plans
        },
    }
