"""Commands simulate, demo and experiments: chests with known truth, and what they show."""

import json
import math
import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from hirescam.cli.options import JobsOption, JsonOption
from hirescam.cli.progress import counter, say
from hirescam.experiments.registry import EXPERIMENTS


class Size(StrEnum):
    """Spacing of the voxels."""

    small = "small"
    medium = "medium"
    full = "full"


class Format(StrEnum):
    """How scans are kept."""

    nifti = "nifti"
    npz = "npz"


def simulate(
    n: Annotated[int, Option("--n", "-n", help="how many chests", min=1)] = 100,
    out: Annotated[Path, Option("--out", "-o", help="folder of the data set")] = Path("data"),
    size: Annotated[
        Size, Option(help="voxels of 3 mm, of 1.5 × 1.5 × 2 mm, or of 0.8 mm")
    ] = Size.small,
    format: Annotated[
        Format, Option(help="NIfTI, or NPZ as in RAD-ChestCT (size full only)")
    ] = Format.nifti,
    seed: Annotated[int, Option(help="another seed, other chests", min=0)] = 0,
    jobs: JobsOption = 1,
    prevalence: Annotated[
        list[str] | None, Option(help="LABEL=SHARE of chests with it (repeatable)")
    ] = None,
    only: Annotated[
        bool, Option("--only", help="no other findings than those with a --prevalence")
    ] = False,
    co_occurrence: Annotated[
        float, Option(help="how much findings go together; 0: not at all", min=0, max=1)
    ] = 1.0,
    shortcut: Annotated[
        list[str] | None,
        Option(
            help="NAME=STRENGTH or NAME:LABEL=STRENGTH: marker, rod, body_fat or bed_pattern"
        ),
    ] = None,
    prone: Annotated[
        float, Option(help="share of chests that lie on their front", min=0, max=1)
    ] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Simulate a data set: chest CT scans with reports, labels, masks and splits."""
    with counter() as show:
        from hirescam.simulation.dataset import SIZES, Plan, make_dataset, parse_shares
        from hirescam.simulation.shortcuts import parse_planting

        plan = Plan(
            count=n,
            seed=seed,
            spacing_mm=SIZES[size.value],
            prevalence=parse_shares(prevalence or []),
            only=only,
            co_occurrence=co_occurrence,
            plantings=tuple(parse_planting(each) for each in shortcut or []),
            format=format.value,
            prone=prone,
        )
        folder = make_dataset(out, plan, jobs=jobs, on_progress=show)
    say(json.dumps({"folder": str(folder), "chests": n}) if as_json else folder)


def demo(
    out: Annotated[Path, Option("--out", "-o", help="folder for the reports")] = Path("demo"),
    held_out: Annotated[
        int, Option("--n", "-n", "--held-out", help="chests to measure on", min=1)
    ] = 24,
    train: Annotated[
        bool, Option("--train", help="train a model first; minutes instead of seconds")
    ] = False,
    training: Annotated[int, Option(help="chests to train on", min=1)] = 600,
    epochs: Annotated[int, Option(help="times that each chest is seen", min=1)] = 7,
    seed: Annotated[int, Option(help="another seed, other chests", min=0)] = 0,
) -> None:
    """Explain simulated chests that no model was trained on, with the truth outlined."""
    with counter() as show:
        from hirescam.experiments.demo import run_demo

        demo = run_demo(
            out,
            held_out=held_out,
            train=train,
            training=training,
            epochs=epochs,
            seed=seed,
            on_progress=show,
        )
    measured = demo.measured
    say(f"{held_out} simulated chests that the model {demo.model.name} was not trained on:")
    say(f"  {'finding':<32} AUROC  peak of the map on the lesion, or one cell beside it")
    for column, (label, value) in enumerate(measured.aurocs().items()):
        hits = measured.hits[:, column]
        told = int((hits == 1).sum()), int((hits >= 0).sum())
        area = "  – " if math.isnan(value) else f"{value:.2f}"
        say(f"  {label:<32} {area:>5}  in {told[0]} of {told[1]}")
    for report in demo.reports:
        say(f"report  {report}")
    say(f"view    {command_line()} view {demo.reports[0].parent}")
    say(f"next    {command_line()} explain YOUR-SCAN --out explained")


def command_line() -> str:
    """How this command was called, as the same shell can call it again."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{sys.executable} -m hirescam"
    return "hirescam" if shutil.which("hirescam") == str(called) else str(called)


Name = StrEnum("Name", list(EXPERIMENTS))  # type: ignore[misc]  # mypy wants the names spelt


def experiments(
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
    """Repeat an experiment of the paper, or of ours, by one command: data, training, table."""
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
    say(json.dumps(list(table.rows)) if as_json else as_markdown(table))
