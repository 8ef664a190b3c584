"""The `hirescam` command."""

import sys
from importlib import import_module
from importlib.metadata import version
from typing import Annotated

import typer

from hirescam.errors import HirescamError

COMMANDS = {
    "explain": "hirescam.cli.explain",
    "audit": "hirescam.cli.audit",
    "series": "hirescam.cli.series",
    "segment": "hirescam.cli.segment",
    "label": "hirescam.cli.label",
    "label-audit": "hirescam.cli.label_audit",
    "vocabulary": "hirescam.cli.vocabulary",
    "regions": "hirescam.cli.regions",
    "simulate": "hirescam.cli.simulate",
    "prepare": "hirescam.cli.prepare",
    "train": "hirescam.cli.train",
    "evaluate": "hirescam.cli.evaluate",
    "evidence": "hirescam.cli.evidence",
    "experiments": "hirescam.cli.experiments",
    "view": "hirescam.cli.view",
    "info": "hirescam.cli.info",
    "demo": "hirescam.cli.demo",
}

app = typer.Typer(
    name="hirescam",
    help="Explain what a network sees in a CT scan, and where. Research only, no diagnosis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for name, module in COMMANDS.items():
    command = import_module(module)
    app.command(name, help=command.__doc__)(command.run)


def _tell_version(asked: bool) -> bool:
    if asked:
        print(version("hirescam"))
        raise typer.Exit
    return asked


@app.callback()
def whole(
    asked: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="print it")
    ] = False,
) -> None:
    """What the command has besides its commands."""


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 refused with a reason, 2 not understood."""
    try:
        app(arguments)
    except HirescamError as error:
        sys.exit(f"hirescam: {error}")
