"""Find lungs and mediastinum in a scan, or in each scan of a folder; no learned weights."""

import json
import sys
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from hirescam.cli.jobs import Job, list_jobs
from hirescam.cli.options import JsonOption
from hirescam.cli.progress import steps
from hirescam.cli.reading import Leniency, SeriesOption, reading
from hirescam.cli.spread import spread
from hirescam.errors import HirescamError

if TYPE_CHECKING:
    from hirescam.ct.volume import Volume
    from hirescam.export.dicom.source import SourceSeries


class Method(StrEnum):
    """How organs are found."""

    robust = "robust"
    published = "published"
    published_as_printed = "published-as-printed"


@spread
def run(
    scan: Annotated[Path, Argument(help="one scan, or a folder of scans if --out is a folder")],
    out: Annotated[
        Path, Option("--out", "-o", help=".nii.gz file for one scan, folder for many")
    ] = Path("organs.nii.gz"),
    method: Annotated[Method, Option(help="how organs are found")] = Method.robust,
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
    leniency: Leniency,
    as_json: JsonOption = False,
) -> None:
    """Segment each scan; one that fails does not stop the rest."""
    results: dict[str, dict[str, Any]] = {}
    failures: dict[str, str] = {}
    read = partial(reading(leniency, any_values=True).read, series=series)
    with steps() as step:
        jobs = list_jobs(scan, out, preview=preview, masks=external)
        for number, job in enumerate(jobs, start=1):
            step(f"segmenting {job.scan.name} ({number} of {len(jobs)})")
            try:
                source = _source(job, series) if dicom else None
                results[str(job.out)] = _segment(job, read, method.value, table, source)
            except HirescamError as error:
                failures[job.scan.name] = str(error)
            except Exception as error:
                if len(jobs) == 1:
                    raise
                failures[job.scan.name] = _unexpected(job, error)
    if as_json:
        print(json.dumps({"segmented": results, "failed": failures}, indent=2))
    else:
        for path, record in results.items():
            print("\n".join([path, *_told(record)]))
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
    from hirescam.organs.segment import segment_organs
    from hirescam.organs.steps import keep_steps

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


def _source(job: Job, series: str | None) -> "SourceSeries":
    """The series behind a scan, read before any work is done."""
    from hirescam.export.dicom.source import read_source

    return read_source(job.scan, series=series)


def _unexpected(job: Job, error: Exception) -> str:
    """A fault of ours: its words may quote the scan, so that only its kind is told."""
    return (
        f"{job.scan.name}: {type(error).__name__}, which should not happen: segment it "
        f"alone to see where, and report it"
    )


def _asked_for() -> str:
    from hirescam.organs.mask_table import TABLES

    raise HirescamError(
        f"masks are numbers without a meaning: say what they stand for with --table, one of "
        f"{', '.join(TABLES)}, or a .toml or .json file"
    )


def _told(record: dict[str, Any]) -> list[str]:
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
        print(*failures.values(), sep="\n", file=sys.stderr)
        raise HirescamError(f"{len(failures)} of {of} scans failed: {', '.join(failures)}")
