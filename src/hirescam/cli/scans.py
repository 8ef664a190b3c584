"""Commands series and segment: what scans a folder holds, and the organs in each."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from hirescam.cli.options import (
    AnyValuesOption,
    JsonOption,
    ReadOptions,
    SeriesOption,
    reading,
    spread,
)
from hirescam.cli.progress import say, steps
from hirescam.errors import HirescamError, ReadError, WriteError

if TYPE_CHECKING:
    from hirescam.ct.dicom.selection import Series
    from hirescam.ct.volume import Volume
    from hirescam.export.dicom.source import SourceSeries


def series(
    path: Annotated[Path, Argument(help="folder with all folders within it, zip, or file")],
    as_json: JsonOption = False,
) -> None:
    """List the DICOM series of a folder, zip or file; say which one is the scan, and why."""
    from hirescam.ct.dicom.read import survey

    all_series, others = survey(path)
    if as_json:
        say(json.dumps([*map(asdict, all_series)], indent=2))
        return
    lines = [_described(each) for each in all_series]
    say("\n".join([*lines, f"passed over: files, {others}"] if others else lines))


def _described(series: "Series") -> str:
    size = " × ".join(map(str, (series.slices, *(series.size or ()))))
    spacing = " × ".join(f"{mm:.3g}" for mm in series.spacing_mm or ())
    return (
        f"{'scan' if series.chosen else '':<5}{series.kind:<10}{size:<18}"
        f"{f'{spacing} mm' if spacing else '':<24}{series.reason}\n"
        f"     {series.uid or 'no valid UID'}"
    )


# Formats that keep a scan in one file; a folder is taken for a DICOM series.
SCANS = (".nii.gz", ".nii", ".npz", ".nrrd", ".nhdr", ".mha", ".mhd")
MASKS = (".nii.gz", ".nii", ".dcm", "")
_NO_FOLDERS = (*SCANS[2:], ".dcm", ".gz", ".jpg", ".json", ".png")


@dataclass(frozen=True)
class Job:
    """One scan, the files to make of it, and the masks that another program made of it."""

    scan: Path
    out: Path
    preview: Path | None = None
    masks: Path | None = None


def list_jobs(
    scan: Path, out: Path, *, preview: Path | None = None, masks: Path | None = None
) -> list[Job]:
    """One job if `out` is a NIfTI file; if it is a folder, one for each scan within `scan`.

    For many scans `preview` and `masks` are folders too; files there are named after the scans.
    """
    inside = _scans_inside(scan)
    if out.name.lower().endswith((".nii", ".nii.gz")):
        if any(path.is_file() for path in inside):
            raise WriteError(
                f"{scan} holds {len(inside)} scans, which one file cannot hold: give a folder "
                f"as --out"
            )
        return [Job(scan, out, preview, masks)]
    if out.name.lower().endswith(_NO_FOLDERS):
        raise WriteError(
            f"masks are written as .nii.gz: end {out.name} so, or give a folder as --out"
        )
    if out.absolute() == scan.absolute():
        raise WriteError(f"{out} is where the scans are: give another folder as --out")
    scans = inside or [scan]
    names = _names(scans)
    return [
        Job(
            path,
            out / f"{name}.nii.gz",
            preview / f"{name}.png" if preview else None,
            _masks_of(name, masks) if masks and inside else masks,
        )
        for path, name in zip(scans, names, strict=True)
    ]


def _scans_inside(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    visible = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(path for path in visible if path.is_dir() or _suffix(path))


def _suffix(scan: Path) -> str:
    return next((suffix for suffix in SCANS if scan.name.lower().endswith(suffix)), "")


def _names(scans: list[Path]) -> list[str]:
    """Names without suffixes, or with them where two scans would share one."""
    whole = [scan.absolute().name for scan in scans]
    bare = [
        name[: len(name) - len(_suffix(scan))] for name, scan in zip(whole, scans, strict=True)
    ]
    return bare if len(set(bare)) == len(bare) else whole


def _masks_of(name: str, folder: Path) -> Path:
    candidates = [folder / f"{name}{suffix}" for suffix in MASKS]
    found = next((path for path in candidates if path.exists()), None)
    if found is None:
        raise ReadError(
            f"{folder} holds no masks of {name}: name them after the scans, as "
            f"{candidates[0].name}"
        )
    return found


class SegmentMethod(StrEnum):
    """How organs are found."""

    robust = "robust"
    published = "published"
    published_as_printed = "published-as-printed"


@spread
def segment(
    scan: Annotated[Path, Argument(help="one scan, or a folder of scans if --out is a folder")],
    out: Annotated[
        Path, Option("--out", "-o", help=".nii.gz file for one scan, folder for many")
    ] = Path("organs.nii.gz"),
    method: Annotated[
        SegmentMethod, Option(help="how organs are found")
    ] = SegmentMethod.robust,
    external: Annotated[
        Path | None,
        Option(help="take another program's masks: NIfTI, DICOM SEG or a folder of NIfTI"),
    ] = None,
    table: Annotated[
        str | None,
        Option(help="what those masks mean: totalsegmentator, lungmask …, a TOML or JSON file"),
    ] = None,
    preview: Annotated[
        Path | None, Option(help="draw the organs too: .png file for one scan, folder for many")
    ] = None,
    dicom: Annotated[
        bool,
        Option("--dicom", help="write a DICOM Segmentation, which names the patient, beside"),
    ] = False,
    series: SeriesOption = None,
    *,
    read_options: ReadOptions,
    any_values: AnyValuesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find lungs and mediastinum in a scan, or in each scan of a folder; no learned weights."""
    results: dict[str, dict[str, Any]] = {}
    failures: dict[str, str] = {}
    read = partial(reading(read_options, any_values=any_values).read, series=series)
    with steps() as step:
        jobs = list_jobs(scan, out, preview=preview, masks=external)
        for number, job in enumerate(jobs, start=1):
            step(f"segmenting {job.scan.name} ({number} of {len(jobs)})")
            try:
                source = _source(job, series, read_options.acquisition) if dicom else None
                results[str(job.out)] = _segment(job, read, method.value, table, source)
            except HirescamError as error:
                failures[job.scan.name] = str(error)
            except Exception as error:
                if len(jobs) == 1:
                    raise
                failures[job.scan.name] = _unexpected(job, error)
    if as_json:
        say(json.dumps({"segmented": results, "failed": failures}, indent=2))
    else:
        for path, record in results.items():
            say("\n".join([path, *_organ_lines(record)]))
    _refuse(failures, of=len(jobs))


def _segment(
    job: Job,
    read: Callable[[Path], "Volume"],
    method: str,
    table: str | None,
    source: "SourceSeries | None",
) -> dict[str, Any]:
    """Read, segment and write one scan; its record."""
    from hirescam.atomic import refuse_overwriting
    from hirescam.organs.external import import_organs
    from hirescam.organs.files import (
        json_beside,
        organ_record,
        refuse_foreign_masks,
        save_organs,
    )
    from hirescam.organs.masks import keep_steps
    from hirescam.organs.segment import segment_organs

    refuse_foreign_masks(job.out)
    if job.preview and job.preview.exists():
        from hirescam.figures.output import is_our_png

        refuse_overwriting(job.preview, ours=is_our_png(job.preview))
    volume = read(job.scan)
    kept: dict[str, Any] = {}
    observe = keep_steps(kept) if job.preview else None
    if job.masks:
        masks = import_organs(job.masks, volume, table or _asked_for())
    else:
        masks = segment_organs(volume, method, observe=observe)
    save_organs(masks, job.out)
    if source is not None:
        from hirescam.export.dicom.objects import write_organ_segmentation

        path = json_beside(job.out).with_suffix(".dcm")
        write_organ_segmentation(masks, volume, source, path)
    if job.preview:
        from hirescam.figures.organ_preview import write_preview

        write_preview(job.preview, volume, masks, kept)
    return organ_record(masks)


def _source(job: Job, series: str | None, acquisition: str | None) -> "SourceSeries":
    """The series behind a scan, read before any work is done."""
    from hirescam.export.dicom.source import read_source

    return read_source(job.scan, series=series, acquisition=acquisition)


def _unexpected(job: Job, error: Exception) -> str:
    """A fault of ours: its words may quote the scan, so that only its kind is told."""
    return (
        f"{job.scan.name}: {type(error).__name__}, which should not happen: segment it "
        f"alone to see where, and report it"
    )


def _asked_for() -> str:
    from hirescam.organs.external import TABLES

    raise HirescamError(
        f"masks are numbers without a meaning: say what they stand for with --table, one of "
        f"{', '.join(TABLES)}, or a .toml or .json file"
    )


def _organ_lines(record: dict[str, Any]) -> list[str]:
    """One line for each organ, and one for each reason to doubt it."""
    lines = []
    for organ, facts in record["organs"].items():
        verdict = (
            "trusted" if facts["trusted"] else "heuristic" if facts["heuristic"] else "doubtful"
        )
        lines.append(
            f"  {organ.replace('_', ' '):<14} {facts['volume_ml']:>7.0f} mL  {verdict}"
        )
        lines += [f"    {reason}" for reason in facts["reasons"]]
    return lines


def _refuse(failures: dict[str, str], *, of: int) -> None:
    """End with the reason, or with one line for each of many."""
    if failures and of == 1:
        raise HirescamError(*failures.values())
    if failures:
        say(*failures.values(), sep="\n", file=sys.stderr)
        raise HirescamError(f"{len(failures)} of {of} scans failed: {', '.join(failures)}")
