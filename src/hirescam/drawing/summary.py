"""Summary: an explanation as a folder that people and programs can read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from hirescam.atomic import atomic_folder
from hirescam.drawing.colours import Scale, shared_scale
from hirescam.drawing.findings import Finding, findings
from hirescam.drawing.living import Words, living_page, write_living
from hirescam.drawing.montage import montage
from hirescam.drawing.organ_record import ORGANS_FILE
from hirescam.drawing.page import Pictures, data_uri
from hirescam.drawing.record import record
from hirescam.drawing.stage import build_stage
from hirescam.explanation import Explanation, HiddenOrgan
from hirescam.export.dicom.folder import write_dicom
from hirescam.export.dicom.source import SourceSeries
from hirescam.export.nifti import write_map_nifti
from hirescam.organs.files import save_organs
from hirescam.organs.masks import OrganMasks

Files = dict[str, str]
"""The files of one finding by kind, relative to the folder."""


def write_summary(
    found: Explanation,
    out: Path | str,
    *,
    on_scan: bool = False,
    overwrite: bool = False,
    labels: Sequence[str] | None = None,
    pages: bool = True,
    organs: OrganMasks | None = None,
    hidden: Sequence[HiddenOrgan] = (),
    dicom: SourceSeries | None = None,
    words: Words | None = None,
) -> Path:
    """Write report.html, summary.json, pictures/ and maps/ into the new folder `out`.

    The folder appears whole or not at all; `overwrite` replaces an older summary once the new
    one is complete, and what the user had put into it stays. `on_scan` adds every map on the
    scan's own grid, for looking. `labels` chooses which findings are written; the colours'
    scale is that of all labels either way. Without `pages` there is no report.html, no picture
    and no scan for `hirescam view`: numbers and maps, for programs. `words` are a report's
    about each label, as `report_words` finds them, and are quoted in the pages.
    `organs` of the scan add organs.nii.gz, and to each finding where its evidence lies;
    `hidden` adds what hiding some of them did. `dicom`, the series that was explained, adds
    dicom/ with objects that name its patient; nothing else in the folder does.

    Raises `WriteError` if the disk refuses or `out` may not be replaced, `TargetError` for an
    unknown label.
    """
    rows = findings(found, labels)
    scale = shared_scale(found.raw_maps)
    shares = None if organs is None else found.by_organ(organs)
    names = {row.label: _files(row, pages=pages, on_scan=on_scan) for row in rows}
    with atomic_folder(Path(out), "summary", overwrite=overwrite) as folder:
        _write_maps(found, rows, names, folder)
        told = record(found, rows, scale, names, organs=organs, shares=shares, hidden=hidden)
        if pages:
            write_living(found, names, words, folder)
            pictures = _write_pictures(found, rows, scale, names, folder)
            text = living_page(told, found, rows, scale, pictures, organs, words)
            (folder / "report.html").write_text(text, encoding="utf-8")
        if organs is not None:
            save_organs(organs, folder / ORGANS_FILE)
        if dicom is not None:
            write_dicom(found, dicom, folder / "dicom", organs=organs, labels=labels)
        numbers = json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False)
        (folder / "summary.json").write_text(numbers + "\n", encoding="utf-8")
    return Path(out)


def _write_maps(
    found: Explanation, rows: Sequence[Finding], names: Mapping[str, Files], folder: Path
) -> None:
    for row in rows:
        name = names[row.label]
        write_map_nifti(folder / name["map"], row.values, found.affine)
        if "map_on_scan" in name:
            write_map_nifti(
                folder / name["map_on_scan"], found.on_scan(row.label), found.scan.affine
            )


def _write_pictures(
    found: Explanation,
    rows: Sequence[Finding],
    scale: Scale,
    names: Mapping[str, Files],
    folder: Path,
) -> Pictures:
    stage = build_stage(found.placed, found.raw_maps.shape[1:], found.affine)
    pictures = {}
    (folder / "pictures").mkdir()
    for row in rows:
        picture = montage(row, stage, found.affine, scale)
        picture.save(folder / names[row.label]["picture"], compress_level=3)
        pictures[row.label] = data_uri(picture), picture.size
    return pictures


def _files(row: Finding, *, pages: bool, on_scan: bool) -> Files:
    """Where each file of a finding lies in the folder."""
    written = {
        "picture": (pages, f"pictures/{row.stem}.png"),
        "map": (True, f"maps/{row.stem}.nii.gz"),
        "map_on_scan": (on_scan, f"maps_on_scan/{row.stem}.nii.gz"),
    }
    return {kind: name for kind, (is_written, name) in written.items() if is_written}
