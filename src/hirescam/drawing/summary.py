"""Summary: an explanation as a folder that people and programs can read."""

import json
from collections.abc import Sequence
from pathlib import Path

from hirescam.drawing.colours import shared_scale
from hirescam.drawing.findings import Finding, findings
from hirescam.drawing.folder import whole_folder
from hirescam.drawing.montage import montage
from hirescam.drawing.page import data_uri, page
from hirescam.drawing.record import record
from hirescam.drawing.stage import build_stage
from hirescam.explanation import Explanation
from hirescam.export.nifti import write_map_nifti


def write_summary(
    found: Explanation,
    out: Path | str,
    *,
    on_scan: bool = False,
    overwrite: bool = False,
    labels: Sequence[str] | None = None,
) -> Path:
    """Write report.html, summary.json, pictures/ and maps/ into the new folder `out`.

    The folder appears whole or not at all; `overwrite` replaces an older summary once the new
    one is complete. `on_scan` adds every map on the scan's own grid, for looking. `labels`
    chooses which findings are written; the colours' scale is that of all labels either way.

    Raises `WriteError` if the disk refuses or `out` may not be replaced, `TargetError` for an
    unknown label.
    """
    rows = findings(found, labels)
    stage = build_stage(found.placed, found.raw_maps.shape[1:], found.affine)
    scale = shared_scale(found.raw_maps)
    names = {row.label: _files(row, on_scan=on_scan) for row in rows}
    pictures = {}
    with whole_folder(Path(out), overwrite=overwrite) as folder:
        for kind in ("pictures", "maps", *(["maps_on_scan"] if on_scan else [])):
            (folder / kind).mkdir()
        for row in rows:
            name = names[row.label]
            picture = montage(row, stage, found.affine, scale)
            picture.save(folder / name["picture"], compress_level=3)
            pictures[row.label] = data_uri(picture), picture.size
            write_map_nifti(folder / name["map"], row.values, found.affine)
            if on_scan:
                write_map_nifti(
                    folder / name["map_on_scan"], found.on_scan(row.label), found.scan.affine
                )
        (folder / "report.html").write_text(
            page(found, rows, scale, pictures), encoding="utf-8"
        )
        numbers = json.dumps(
            record(found, rows, scale, names), indent=1, ensure_ascii=False, allow_nan=False
        )
        (folder / "summary.json").write_text(numbers + "\n", encoding="utf-8")
    return Path(out)


def _files(row: Finding, *, on_scan: bool) -> dict[str, str]:
    """Where each file of a finding lies in the folder."""
    written = {"picture": f"pictures/{row.stem}.png", "map": f"maps/{row.stem}.nii.gz"}
    return written | ({"map_on_scan": f"maps_on_scan/{row.stem}.nii.gz"} if on_scan else {})
