"""Repeat an experiment of the paper, or of ours, by one command: data, training, table."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from hirescam.cli.options import JobsOption, JsonOption
from hirescam.cli.progress import counter
from hirescam.experiments.registry import EXPERIMENTS

Name = StrEnum("Name", list(EXPERIMENTS))  # type: ignore[misc]  # mypy wants the names spelt


def run(
    name: Annotated[
        Name,
        Argument(help="; ".join(f"{name}: {about}" for name, about in EXPERIMENTS.items())),
    ],
    data: Annotated[
        Path | None,
        Option(help="of RAD-ChestCT, simulated chests or photographs; OUT/data by default"),
    ] = None,
    out: Annotated[Path, Option("--out", "-o", help="folder of runs and tables")] = Path(
        "experiments"
    ),
    quick: Annotated[
        bool, Option("--quick", help="few chests, few epochs: shows the way, not the result")
    ] = False,
    jobs: JobsOption = 2,
    as_json: JsonOption = False,
) -> None:
    """Do what is missing, and print the table."""
    with counter() as show:
        from hirescam.atomic import claim_folder
        from hirescam.experiments.registry import experiment
        from hirescam.experiments.tables import as_markdown, write_table

        claim_folder(out, "experiments")
        chosen = experiment(name.value)
        table = chosen.run(
            data or out / "data",
            out,
            scale=chosen.quick if quick else chosen.full,
            jobs=jobs,
            on_progress=show,
        )
        write_table(table, out)
    print(json.dumps(list(table.rows)) if as_json else as_markdown(table))
