"""Progress on a terminal; silent where the output is not one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from hirescam.cohort.run import Tally


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """Name each step of a command as it begins."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda name: bar.update(task, description=name)


@contextmanager
def counter() -> Iterator[Callable[[str, int, int], None]]:
    """Show how many of how many are done, one line for each thing that is counted."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<32}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        tasks = {}

        def show(name: str, done: int, of: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=of)
            bar.update(tasks[name], completed=done)

        yield show


@contextmanager
def tallying(name: str) -> Iterator[Callable[["Tally"], None]]:
    """Show how many scans are through, how many of them failed, and when the end will come."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=None, failed="")

        def show(tally: "Tally") -> None:
            lost = tally.failed + tally.killed
            bar.update(
                task,
                total=tally.todo,
                completed=tally.done + lost,
                failed=f"{lost} failed" if lost else "",
            )

        yield show
