"""The `hirescam` command."""

import os
import sys
from importlib import import_module
from importlib.metadata import version
from typing import Annotated

import typer

from hirescam.cli.progress import say
from hirescam.errors import HirescamError

COMMANDS = {
    "explain": "explain:explain",
    "audit": "models:audit_network",
    "import": "models:import_model",
    "series": "scans:series",
    "segment": "scans:segment",
    "label": "label:label",
    "label-audit": "label:label_audit",
    "vocabulary": "label:vocabulary",
    "regions": "train:regions",
    "simulate": "simulate:simulate",
    "prepare": "train:prepare",
    "train": "train:train_model",
    "evaluate": "evaluate:evaluate",
    "evidence": "evaluate:evidence",
    "experiments": "simulate:experiments",
    "view": "explain:view",
    "study": "explain:study",
    "listen": "hospital:listen",
    "info": "models:info",
    "demo": "simulate:demo",
}
"""Each command's function; its docstring is the help text."""

START = """\
Three things to do with hirescam:

  hirescam demo                          explain simulated chests; nothing else is needed
  hirescam explain SCAN --out explained  explain a scan: DICOM folder, NIfTI, NRRD …
  hirescam view explained                look at it in the browser

hirescam --help lists every command, hirescam COMMAND -h its options.
Research only, no diagnosis."""

app = typer.Typer(
    name="hirescam",
    help="Explain what a network sees in a CT scan, and where. Research only, no diagnosis.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
for name, where in COMMANDS.items():
    module, _, function = where.partition(":")
    command = getattr(import_module(f"hirescam.cli.{module}"), function)
    app.command(name, help=command.__doc__)(command)


def _tell_version(asked: bool) -> bool:
    if asked:
        say(version("hirescam"))
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
    """Run one command and exit: 0 done, 1 refused with a reason, 2 not understood.

    Without any command, it says where to begin.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments and "_HIRESCAM_COMPLETE" not in os.environ:
        say(START)
        return
    try:
        app(arguments)
    except HirescamError as error:
        sys.exit(f"hirescam: {error}")
