"""Simulate a data set: chest CT scans with reports, labels, masks and splits."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from typer import Option

from hirescam.cli.options import JobsOption, JsonOption
from hirescam.cli.progress import counter


class Size(StrEnum):
    """Spacing of the voxels."""

    small = "small"
    medium = "medium"
    full = "full"


class Format(StrEnum):
    """How scans are kept."""

    nifti = "nifti"
    npz = "npz"


def run(
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
        Option(help="NAME=STRENGTH or NAME:LABEL=STRENGTH: marker, body_fat or bed_pattern"),
    ] = None,
    prone: Annotated[
        float, Option(help="share of chests that lie on their front", min=0, max=1)
    ] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Simulate what is missing in the folder, and name the folder."""
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
    print(json.dumps({"folder": str(folder), "chests": n}) if as_json else folder)
