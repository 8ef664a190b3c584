"""Living: what a viewer needs beside numbers and pictures, in the folder and in one file."""

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int16, Shaped

from hirescam.ct.volume import Volume
from hirescam.ct.write import write_nifti
from hirescam.drawing import browser
from hirescam.drawing.colours import Scale
from hirescam.drawing.findings import Finding
from hirescam.drawing.page import Pictures, page
from hirescam.drawing.scene import (
    MAPS_FOLDERS,
    ORGANS_VIEW,
    REPORT_WORDS,
    SCAN_FILE,
    Stored,
    scene,
)
from hirescam.drawing.shrink import ORGAN_VOXELS, shrink
from hirescam.explanation import Explanation
from hirescam.export.nifti import write_map_nifti
from hirescam.organs.masks import OrganMasks

Words = Mapping[str, Sequence[Mapping[str, str]]]

MOST_BYTES = 25_000_000
"""Of a report.html: what mail still takes."""
_SCAN_VOXELS = (5_000_000, 2_500_000, 1_200_000, 600_000)  # the first that fits
_SCAN = "scan"
_TAGS = 4096  # bytes around the files, at most


def write_living(
    found: Explanation,
    files: Mapping[str, Mapping[str, str]],
    words: Words | None,
    folder: Path,
) -> None:
    """Write what `hirescam view` reads besides: the scan as the network saw it, other maps.

    `files` names each label's map. `words` of the report are written where they were asked for.
    """
    scan = found.placed
    write_nifti(folder / SCAN_FILE, _rounded(scan), scan.affine, description="hirescam scan")
    for method, maps in found.beside.items():
        for label, named in files.items():
            path = folder / MAPS_FOLDERS[method] / Path(named["map"]).name
            write_map_nifti(path, maps[found.labels.index(label)], found.affine)
    if words is not None:
        (folder / REPORT_WORDS).write_text(
            json.dumps(words, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def living_page(
    summary: Mapping[str, Any],
    found: Explanation,
    rows: Sequence[Finding],
    scale: Scale,
    pictures: Pictures,
    masks: OrganMasks | None,
    words: Words | None,
) -> str:
    """The report with its viewer inside; without, if that was never built or cannot fit."""
    told = {row["label"]: row["organs"] for row in summary["findings"]}
    places = {label: organs["sentence"] for label, organs in told.items() if organs}
    plain = page(found, rows, scale, pictures, places=places)
    if not browser.is_built():
        return plain
    frame = browser.script() + browser.style() + browser.shell()
    room = MOST_BYTES - len(plain.encode()) - len(frame.encode()) - _TAGS
    files = inline_living(summary, found, rows, masks, words, most_bytes=room)
    return page(found, rows, scale, pictures, files, places=places) if files else plain


def inline_living(
    summary: Mapping[str, Any],
    found: Explanation,
    rows: Sequence[Finding],
    organs: OrganMasks | None,
    words: Words | None,
    *,
    most_bytes: int,
) -> dict[str, str]:
    """What the viewer reads, by name, as text: with a thinned scan that fits, or none."""
    files = {"summary.json": json.dumps(summary, ensure_ascii=False, allow_nan=False)}
    chosen = [found.labels.index(row.label) for row in rows]
    maps = {found.provenance.method: found.raw_maps} | dict(found.beside)
    for method, values in maps.items():
        files[_maps_file(method)] = _packed(values[chosen])
    stored_organs = None
    if organs is not None:
        codes, affine = shrink(organs.codes, organs.affine, ORGAN_VOXELS, mean=False)
        stored_organs = Stored.whole(ORGANS_VIEW, codes, affine)
        files[ORGANS_VIEW] = _packed(codes)
    voxels = _rounded(found.placed)
    for most in _SCAN_VOXELS:
        small, affine = shrink(voxels, found.placed.affine, most)
        files[_SCAN] = _packed(small)
        told = scene(
            summary,
            scan=Stored.whole(_SCAN, small, affine),
            organs=stored_organs,
            maps={method: _offsets(rows, values, method) for method, values in maps.items()},
            words=words,
        )
        files["scene.json"] = json.dumps(told, ensure_ascii=False)
        if sum(map(len, files.values())) <= most_bytes:
            return files
    return {}


def _maps_file(method: str) -> str:
    return f"maps-{method}"


def _offsets(
    rows: Sequence[Finding], values: Float32[np.ndarray, "label slice row column"], method: str
) -> dict[str, tuple[str, int]]:
    one = values[0].nbytes
    return {row.label: (_maps_file(method), at * one) for at, row in enumerate(rows)}


def _rounded(scan: Volume) -> Int16[np.ndarray, "slice row column"]:
    """Whole Hounsfield units: all that a picture shows, and half the bytes."""
    if scan.voxels.dtype == np.int16:
        return scan.voxels
    limits = np.iinfo(np.int16)
    return np.rint(scan.voxels).clip(limits.min, limits.max).astype(np.int16)


def _packed(values: Shaped[np.ndarray, "..."]) -> str:
    """Base64 of gzip, as a browser unpacks it; the same values give the same text."""
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return base64.b64encode(gzip.compress(little.data, 6, mtime=0)).decode()
