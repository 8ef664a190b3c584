"""Check a labeller's tables: failing examples, terms that never match, overlap, spelling."""

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from hirescam.cli.options import JsonOption


class Action(StrEnum):
    """What to do with a vocabulary."""

    check = "check"


def run(
    action: Annotated[
        Action, Argument(help="check: name every flaw; exit 1 if an example fails")
    ],
    folder: Annotated[
        Path | None, Argument(help="folder of TOML rows of your own, laid over ours")
    ] = None,
    profile: Annotated[str, Option(help="default, sarle-2020 or sarle-2020-cxr")] = "default",
    as_json: JsonOption = False,
) -> None:
    """Print the flaws of a vocabulary, one a line."""
    from hirescam.reports.lint import check_vocabulary

    checked = check_vocabulary(profile, folder)
    if as_json:
        print(
            json.dumps(
                {"vocabulary": checked.version, "flaws": [asdict(f) for f in checked.flaws]}
            )
        )
    else:
        for flaw in checked.flaws:
            print(f"{flaw.kind}: {flaw.table} {flaw.row!r}: {flaw.sentence}")
        print(f"{checked.rows} rows, {len(checked.flaws)} flaws, vocabulary {checked.version}")
    if any(flaw.is_error for flaw in checked.flaws):
        raise typer.Exit(1)
