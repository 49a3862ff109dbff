"""What a person sees of a stage: the table of parts, and a progress bar."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from vilax.models.freeze import PartPlan, parts_of
from vilax.models.vlm import VisionLanguageModel

CONSOLE = Console(stderr=True)


def parts_table(
    name: str, model: VisionLanguageModel, plan: dict[str, PartPlan], attention: tuple[str, str]
) -> Table:
    """Part, what happens to it, parameters, trained parameters, learning rate, adapter."""
    table = Table(title=f"stage {name}", caption=f"attention: {attention[0]} ({attention[1]})")
    for heading in ("part", "policy", "parameters", "trained", "rate", "adapter"):
        numeric = heading in ("parameters", "trained", "rate")
        table.add_column(heading, justify="right" if numeric else "left")
    for part, module in parts_of(model).items():
        policy = plan[part]
        every = sum(p.numel() for p in module.parameters())
        trained = sum(p.numel() for p in module.parameters() if p.requires_grad)
        lora = policy.adapter
        table.add_row(
            part,
            policy.mode,
            f"{every:,}",
            f"{trained:,}",
            "-" if policy.mode == "frozen" else f"{policy.rate:g}",
            "-" if lora is None else f"LoRA r={lora.rank} alpha={lora.alpha:g}",
        )
    return table


class StageBar:
    """A bar over the stage's budget: loss, tokens/s, data wait, broken documents, time left."""

    def __init__(self, name: str, visible: bool) -> None:
        self.bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("loss {task.fields[loss]:.3f}"),
            TextColumn("{task.fields[speed]:.0f} supervised tokens/s"),
            TextColumn("data wait {task.fields[wait]:.0%}"),
            TextColumn("{task.fields[bad]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=CONSOLE,
            disable=not visible,
        )
        self.task = self.bar.add_task(
            name, total=1.0, loss=float("nan"), speed=0.0, wait=0.0, bad=""
        )

    def __enter__(self) -> "StageBar":
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.stop()

    def update(self, share: float, loss: float, speed: float, wait: float, bad: int) -> None:
        """Show the state after an optimizer step; ``bad`` documents were set aside so far."""
        named = f"[red]{bad} set aside" if bad else ""
        self.bar.update(self.task, completed=share, loss=loss, speed=speed, wait=wait, bad=named)


@contextmanager
def picture_bar(total: int) -> Iterator[Callable[[int], None]]:
    """A bar over pictures to encode; the value is called with the number just done."""
    columns = (
        TextColumn("[bold]encoding pictures"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=CONSOLE, disable=not CONSOLE.is_terminal) as bar:
        task = bar.add_task("encode", total=total)
        yield lambda number: bar.advance(task, number)
