"""Groups of options: dataclasses in code, single options on the command line."""

from dataclasses import dataclass
from typing import Annotated

import pytest
from typer import Argument, Option, Typer
from typer.testing import CliRunner

from hirescam.cli.options import spread


@dataclass(frozen=True)
class Size:
    """How large."""

    width: Annotated[int, Option("--width", "-w", min=1)] = 3
    names: Annotated[list[str] | None, Option("--name")] = None


@pytest.fixture
def called():
    """A command with a group between two options, and what it was called with."""
    calls = []

    @spread
    def run(
        scan: Annotated[str, Argument()],
        *,
        first: Annotated[bool, Option("--first")] = False,
        size: Size,
        last: Annotated[str, Option()] = "z",
    ) -> None:
        calls.append((scan, first, size, last))

    app = Typer()
    app.command()(run)
    return lambda *words: (CliRunner().invoke(app, words), calls)


def test_a_group_is_made_of_the_options_that_were_given(called):
    done, calls = called("it", "-w", "7", "--name", "a", "--name", "b", "--last", "y")
    assert done.exit_code == 0, done.output
    assert calls == [("it", False, Size(7, ["a", "b"]), "y")]


def test_a_group_that_nobody_names_has_its_defaults(called):
    _, calls = called("it")
    assert calls == [("it", False, Size(), "z")]


def test_help_lists_the_options_of_a_group_in_their_place(called):
    done, _ = called("--help")
    found = [done.output.index(f"--{name}") for name in ("first", "width", "name", "last")]
    assert found == sorted(found)


def test_what_a_group_refuses_is_refused(called):
    done, calls = called("it", "--width", "0")
    assert done.exit_code == 2
    assert not calls
