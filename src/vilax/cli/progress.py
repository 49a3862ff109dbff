"""Progress bars of commands that read or write files."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bytes_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, where that is a terminal; the value is told the bytes done so far.

    Args:
        what: is being done.
        total: bytes in all.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=min(done, total))


@contextmanager
def steps_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar over work of several steps, which takes no line once all is done.

    The value is told which step is at work, the bytes of it that are done, and how many there are;
    0 of 0 where they cannot be counted. What transformers shows of its own is off in the meantime.
    """
    from rich.console import Console
    from rich.filesize import decimal
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from transformers.utils import logging

    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[size]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    was_enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with Progress(
            *columns, console=console, disable=not console.is_terminal, transient=True
        ) as bar:
            steps: dict[str, TaskID] = {}

            def tell(what: str, done: int, total: int) -> None:
                if what not in steps:
                    for last in steps.values():
                        bar.update(last, visible=False)
                    steps[what] = bar.add_task(what, total=total or None, size="")
                size = f"{decimal(done)} of {decimal(total)}" if total else ""
                bar.update(steps[what], completed=done, size=size)

            yield tell
    finally:
        if was_enabled:
            logging.enable_progress_bar()


@contextmanager
def documents_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """The same over documents."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=min(done, total))
