"""make_dataset: a folder of simulated chests with reports, labels, masks and splits.

    scans/chest-000000.nii.gz   what a scanner would give
    truth/chest-000000.npz      masks of organs, labels and shortcuts: `read_truth`
    records/chest-000000.json   what is known of it in words; written last, so a proof
    reports.csv labels.csv shortcuts.csv splits.csv     one row for each chest
    manifest.json               the plan and the versions that made all this

The same plan gives the same bytes. A second run makes what is missing.
"""

import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import MISSING, asdict, dataclass, field, fields
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from hirescam.atomic import claim_folder
from hirescam.ct.volume import Volume
from hirescam.errors import HirescamError, WriteError
from hirescam.parsing import read_json
from hirescam.simulation import stream
from hirescam.simulation.chest import SimulatedChest, simulate
from hirescam.simulation.dataset_files import (
    Truth,
    write_json,
    write_nifti,
    write_npz,
    write_tables,
    write_truth,
)
from hirescam.simulation.occurrence import draw_findings, with_prevalence
from hirescam.simulation.report import labels_of
from hirescam.simulation.shapes import Number
from hirescam.simulation.shortcuts import Planting, base_rates, check_plantings, plant

OnProgress = Callable[[str, int, int], None]

SIZES = {"small": (3.0, 3.0, 3.0), "medium": (2.0, 1.5, 1.5), "full": (0.8, 0.8, 0.8)}
SPLITS = {"train": 0.7, "valid": 0.15, "test": 0.15}
FORMATS: dict[str, tuple[str, Callable[[Path, Volume], None]]] = {
    "nifti": (".nii.gz", write_nifti),
    "npz": (".npz", write_npz),
}
_NPZ_SPACING_MM = (0.8, 0.8, 0.8)
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Plan:
    """All that a data set follows from.

    `prevalence` replaces that of some findings, or with `only` of all; `co_occurrence` scales
    how strongly findings go together; `prone` is the share of those who do not lie supine. A
    chest is the same in a larger data set of its seed.
    """

    count: int
    seed: int = 0
    spacing_mm: tuple[Number, Number, Number] = SIZES["small"]
    prevalence: Mapping[str, Number] = field(default_factory=dict)
    only: bool = False
    co_occurrence: Number = 1.0
    plantings: Sequence[Planting] = ()
    format: str = "nifti"
    prone: Number = 0.0


def make_dataset(
    out: Path | str,
    plan: Plan,
    *,
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Path:
    """Simulate what `plan` says into the folder `out`, in several processes if asked.

    Raises `HirescamError` if the plan cannot be, `WriteError` if `out` holds another data
    set or the disk refuses. What was written until then is whole and is kept.
    """
    _check(plan)
    out = Path(out)
    claim_folder(
        out, "simulated data set", older=("manifest.json", "reports.csv", "splits.csv")
    )
    for folder in ("scans", "truth", "records"):
        _make(out / folder)
    _claim(out / "manifest.json", plan)
    todo = [index for index in range(plan.count) if not _is_done(out, index)]
    done = plan.count - len(todo)
    for _ in _mapped(partial(_make_one, out, plan), todo, jobs):
        done += 1
        on_progress("simulating chests", done, plan.count)
    records = [json.loads(_record(out, index).read_text()) for index in range(plan.count)]
    write_tables(out, records)
    return out


def chest_id(index: int) -> str:
    """The name of one chest in every file."""
    return f"chest-{index:06d}"


def split_of(index: int) -> str:
    """Its split, spread so evenly that every beginning of a data set is balanced."""
    place, upper = (index * _GOLDEN + 0.5) % 1, 0.0
    for name, share in SPLITS.items():
        upper += share
        if place < upper:
            return name
    return name


def simulate_planned(plan: Plan, index: int) -> SimulatedChest:
    """One chest of a data set."""
    number = int(np.random.SeedSequence([plan.seed, index]).generate_state(1)[0])
    rows = with_prevalence(plan.prevalence, only=plan.only)
    drawn = draw_findings(
        1, stream(number, "findings"), rows=rows, co_occurrence=plan.co_occurrence
    )
    findings = [label for label, has in drawn.items() if has[0]]
    rates = base_rates(plan.plantings, rows, plan.co_occurrence) if plan.plantings else {}
    shortcuts = plant(plan.plantings, findings, rates, number)
    turned = stream(number, "position").uniform() < plan.prone
    return simulate(
        number,
        findings=findings,
        spacing_mm=plan.spacing_mm,
        shortcuts=shortcuts,
        position="prone" if turned else "supine",
    )


def parse_shares(texts: Sequence[str]) -> dict[str, float]:
    """Prevalences from LABEL=SHARE, as on the command line."""
    shares = {}
    for text in texts:
        label, _, share = text.partition("=")
        try:
            shares[label] = float(share)
        except ValueError:
            raise HirescamError(
                f"cannot read the prevalence {text!r}: write LABEL=SHARE, such as "
                f"lung_nodule=0.5"
            ) from None
    return shares


def _make_one(out: Path, plan: Plan, index: int) -> None:
    chest, name = simulate_planned(plan, index), chest_id(index)
    suffix, write = FORMATS[plan.format]
    write(out / "scans" / f"{name}{suffix}", chest.volume)
    truth = Truth(chest.volume.affine, chest.organs, chest.masks, chest.shortcut_masks)
    write_truth(out / "truth" / f"{name}.npz", truth)
    record = {
        "id": name,
        "split": split_of(index),
        "report": chest.report,
        "labels": labels_of(chest.cells),
        "cells": sorted(f"{what}*{where}" for what, where in chest.cells),
        "sides": chest.sides,
        "shortcuts": chest.shortcuts,
    }
    write_json(_record(out, index), record)


def _mapped(work: Callable[[int], None], indices: Sequence[int], jobs: int) -> Iterator[None]:
    if jobs == 1:
        yield from map(work, indices)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, indices)


def _record(out: Path, index: int) -> Path:
    return out / "records" / f"{chest_id(index)}.json"


def _is_done(out: Path, index: int) -> bool:
    return _record(out, index).exists()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(
            f"cannot make the folder {folder}: {error.strerror}; choose another place"
        ) from error


def _claim(manifest: Path, plan: Plan) -> None:
    """State the plan; go on with a data set only if it has the same one, count apart."""
    stated = {
        "made_by": f"hirescam {version('hirescam')}",
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "plan": json.loads(json.dumps(asdict(plan))),
    }
    if manifest.exists():
        try:
            same = _without_count(read_json(manifest)) == _without_count(stated)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WriteError(
                f"{manifest} cannot be read ({error}): restore it, or choose another folder"
            ) from error
        if not same:
            raise WriteError(
                f"{manifest.parent} holds a data set of another plan or version: choose "
                f"another folder, or repeat the options in its manifest.json"
            )
    write_json(manifest, stated)


def _without_count(manifest: Mapping) -> dict:
    """A manifest from before there was some option has that option's default."""
    usual = {each.name: each.default for each in fields(Plan) if each.default is not MISSING}
    plan = {name: value for name, value in manifest["plan"].items() if name != "count"}
    return {**manifest, "plan": usual | plan}


def _check(plan: Plan) -> None:
    with_prevalence(plan.prevalence, only=plan.only)
    check_plantings(plan.plantings)
    if plan.format not in FORMATS:
        raise HirescamError(f"no format is named {plan.format}: use {', '.join(FORMATS)}")
    if plan.format == "npz" and tuple(plan.spacing_mm) != _NPZ_SPACING_MM:
        raise HirescamError(
            f"npz as in RAD-ChestCT holds 0.8 mm cubes, not {plan.spacing_mm} mm: "
            f"ask for size full, or for nifti"
        )
    if not 0 <= plan.prone <= 1:
        raise HirescamError(f"{plan.prone} cannot lie prone: give a share from 0 to 1")
    if plan.count < 1 or plan.seed < 0:
        raise HirescamError(
            f"cannot simulate {plan.count} chests of seed {plan.seed}: give at least one chest "
            f"and a seed of 0 or more"
        )
