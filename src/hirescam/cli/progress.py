"""Progress on a terminal; silent where the output is not one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from hirescam.printable import printable

if TYPE_CHECKING:
    from hirescam.cohort.run import Tally


def say(*parts: object, sep: str = " ", file: Any = None, flush: bool = False) -> None:
    """Print a line; codes that a terminal would obey are spelled out."""
    print(printable(sep.join(map(str, parts))), file=file, flush=flush)


def plain(text: str) -> str:
    """Text of others in a progress line: no codes, and no markup of Rich."""
    return escape(printable(text))


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """Name each step of a command as it begins."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda name: bar.update(task, description=plain(name))


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
                tasks[name] = bar.add_task(plain(name), total=of)
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
        task = bar.add_task(plain(name), total=None, failed="")

        def show(tally: "Tally") -> None:
            lost = tally.failed + tally.killed
            bar.update(
                task,
                total=tally.todo,
                completed=tally.done + lost,
                failed=f"{lost} failed" if lost else "",
            )

        yield show
