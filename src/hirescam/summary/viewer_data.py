"""Viewer data: what the viewer reads besides numbers, in the folder and in one file."""

import base64
import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, cast

import nibabel as nib
import numpy as np
from jaxtyping import Bool, Float32, Float64, Int16, Shaped

from hirescam.anatomy import LIES_IN
from hirescam.ct.volume import Volume, write_nifti
from hirescam.explanation import Explanation
from hirescam.methods.map_methods import OUTPUT_LEVEL
from hirescam.organs.masks import OrganMasks
from hirescam.regions.allowed import organs_of
from hirescam.summary import browser
from hirescam.summary.colours import (
    LOWERED,
    MOST_OPAQUE,
    RAISED,
    Scale,
    window_name,
    window_presets,
)
from hirescam.summary.findings import Finding
from hirescam.summary.page import Pictures, page
from hirescam.summary.report_quotes import label_synonyms

ORGAN_VOXELS = 5_000_000
"""About 2 mm for a chest: finer than outlines need."""


def shrink(
    voxels: Shaped[np.ndarray, "slice row column"],
    affine: Float64[np.ndarray, "4 4"],
    most: int,
    *,
    mean: bool = True,
) -> tuple[
    Shaped[np.ndarray, "fewer_slice fewer_row fewer_column"], Float64[np.ndarray, "4 4"]
]:
    """At most `most` voxels, each the mean over a block of old ones, nearly a cube.

    Without `mean` each is the one at its block's middle, for codes that never mix.
    """
    factors = _factors(voxels.shape, np.linalg.norm(affine[:3, :3], axis=0), most)
    sizes = [size // factor for size, factor in zip(voxels.shape, factors, strict=True)]
    whole = tuple(slice(size * factor) for size, factor in zip(sizes, factors, strict=True))
    blocks = voxels[whole].reshape(*chain(*zip(sizes, factors, strict=True)))
    if mean:
        small = np.rint(blocks.mean(axis=(1, 3, 5), dtype=np.float32)).astype(voxels.dtype)
        middle = (np.array(factors) - 1) / 2
    else:
        middle = np.array(factors) // 2
        small = blocks[:, middle[0], :, middle[1], :, middle[2]]
    moved = affine.copy()
    moved[:3, :3] *= factors
    moved[:3, 3] += affine[:3, :3] @ middle
    return np.ascontiguousarray(small), moved


def _factors(
    shape: tuple[int, ...], spacing_mm: Float64[np.ndarray, "3"], most: int
) -> tuple[int, int, int]:
    """Voxels of a block along each axis: the finest axis is thinned first."""
    factors = np.ones(3, int)
    while np.prod(np.array(shape) // factors) > most:
        can = np.where(np.array(shape) // (factors + 1) > 0, spacing_mm * factors, np.inf)
        factors[can.argmin()] += 1
    first, second, third = factors.tolist()
    return first, second, third


SCAN_FILE = "scan.nii.gz"
MAPS_FOLDERS = {name: f"maps_{name}" for name in OUTPUT_LEVEL}
"""Where maps of each method lie that were made beside those asked for."""
MASKS_FOLDER = "masks"
REPORT_WORDS = "report.json"
ORGANS_VIEW = "organs"


@dataclass(frozen=True)
class Stored:
    """A grid's numbers within a file, in C order; `affine` leads from their index to RAS mm."""

    file: str
    offset: int
    dtype: str
    shape: tuple[int, ...]
    affine: list[list[float]]

    @classmethod
    def whole(
        cls,
        file: str,
        values: Shaped[np.ndarray, "slice row column"],
        affine: Float64[np.ndarray, "4 4"],
    ) -> "Stored":
        """A grid whose numbers fill a file."""
        return cls(file, 0, str(values.dtype), values.shape, affine.tolist())


def stored_nifti(path: Path, file: str) -> Stored:
    """Where the numbers lie in a NIfTI file whose axes are column, row, slice, as we write."""
    image = nib.Nifti1Image.from_filename(path)
    return Stored(
        file=file,
        offset=int(cast(nib.arrayproxy.ArrayProxy, image.dataobj).offset),
        dtype=str(image.get_data_dtype()),
        shape=image.shape[::-1],
        affine=image.affine[:, [2, 1, 0, 3]].tolist(),
    )


def scene(
    summary: Mapping[str, Any],
    *,
    scan: Stored,
    organs: Stored | None,
    maps: Mapping[str, Mapping[str, tuple[str, int]]],
    words: Mapping[str, Any] | None = None,
    masks: Iterable[tuple[Stored, str | None]] = (),
) -> dict[str, Any]:
    """The scene of a `summary.json`; `maps` gives file and offset by method and label.

    `words` are a report's own about each label, where there is a report. `masks` are outlined,
    each for the label that it is of, or for all.
    """
    labels = [finding["label"] for finding in summary["findings"]]
    grid = summary["map_grid"]
    return {
        "scan": asdict(scan),
        "organs": organs and asdict(organs) | {"names": _names(summary)},
        "map_grid": {"shape": grid["shape"], "affine": grid["affine"], "dtype": "float32"},
        "maps": {
            method: {label: {"file": file, "offset": at} for label, (file, at) in of.items()}
            for method, of in maps.items()
        },
        "windows_hu": window_presets(),
        "window_of": {label: window_name(label) for label in labels},
        "colours": {
            "raised": RAISED.tolist(),
            "lowered": LOWERED.tolist(),
            "most_opaque": MOST_OPAQUE,
        },
        "allowed": {label: organs_of(label) for label in labels},
        "groups": {label: _group(label) for label in labels},
        "synonyms": label_synonyms(tuple(labels)),
        "methods": {name: OUTPUT_LEVEL[name].title for name in maps if name in OUTPUT_LEVEL},
        "masks": [asdict(mask) | {"label": label} for mask, label in masks],
        "words": words,
    }


def _group(label: str) -> str:
    """The organ under which a label is listed."""
    return next((place for place in LIES_IN if label.startswith(f"{place}_")), "other")


def _names(summary: Mapping[str, Any]) -> dict[int, str]:
    """The organ behind each code of the masks."""
    return {facts["code"]: organ for organ, facts in summary["organs"]["masks"].items()}


Words = Mapping[str, Sequence[Mapping[str, str]]]
Lesions = Mapping[str, Bool[np.ndarray, "slice row column"]]
"""Voxels of the scan where a label's finding is known to lie."""

MOST_BYTES = 25_000_000
"""Of a report.html: what mail still takes."""
_SCAN_VOXELS = (5_000_000, 2_500_000, 1_200_000, 600_000)  # the first that fits
_SCAN = "scan"
_TAGS = 4096  # bytes around the files, at most


def write_viewer_files(explanation: Explanation, words: Words | None, folder: Path) -> None:
    """Write what `hirescam view` reads besides: the scan as the network saw it.

    `words` of the report are written where they were asked for.
    """
    scan = explanation.input_volume
    write_nifti(folder / SCAN_FILE, _rounded(scan), scan.affine, description="hirescam scan")
    if words is not None:
        (folder / REPORT_WORDS).write_text(
            json.dumps(words, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def report_page(
    summary: Mapping[str, Any],
    explanation: Explanation,
    rows: Sequence[Finding],
    scale: Scale,
    pictures: Pictures,
    masks: OrganMasks | None,
    words: Words | None,
    lesions: Lesions,
) -> str:
    """The report with its viewer inside; without, if that was never built or cannot fit."""
    told = {row["label"]: row["organs"] for row in summary["findings"]}
    places = {label: organs["sentence"] for label, organs in told.items() if organs}
    warnings = [warning["sentence"] for warning in summary["warnings"]]
    write = partial(
        page,
        explanation,
        rows,
        scale,
        pictures,
        places=places,
        warnings=warnings,
        lesions=lesions,
    )
    plain = write()
    if not browser.is_built():
        return plain
    frame = browser.script() + browser.style() + browser.shell()
    room = MOST_BYTES - len(plain.encode()) - len(frame.encode()) - _TAGS
    files = inline_viewer_files(
        summary, explanation, rows, masks, words, lesions=lesions, most_bytes=room
    )
    if not files:
        return plain
    return write(files)


def inline_viewer_files(
    summary: Mapping[str, Any],
    explanation: Explanation,
    rows: Sequence[Finding],
    organs: OrganMasks | None,
    words: Words | None,
    *,
    lesions: Lesions | None = None,
    most_bytes: int,
) -> dict[str, str]:
    """What the viewer reads, by name, as text: with a thinned scan that fits, or none."""
    maps = {explanation.provenance.method: explanation.raw_maps} | dict(explanation.other_maps)
    chosen = [explanation.labels.index(row.label) for row in rows]
    grids = {_maps_file(method): values[chosen] for method, values in maps.items()}
    stored_organs = None
    if organs is not None:
        codes, affine = shrink(organs.codes, organs.affine, ORGAN_VOXELS, mean=False)
        stored_organs = Stored.whole(ORGANS_VIEW, codes, affine)
        grids[ORGANS_VIEW] = codes
    stored_lesions: list[tuple[Stored, str]] = []
    for label, lesion in (lesions or {}).items():
        inside, affine = lesion.astype(np.uint8), explanation.scan.affine
        codes, affine = shrink(inside, affine, ORGAN_VOXELS, mean=False)
        stored_lesions.append(
            (Stored.whole(f"lesion-{len(stored_lesions)}", codes, affine), label)
        )
        grids[stored_lesions[-1][0].file] = codes
    voxels = _rounded(explanation.input_volume)
    files = {"summary.json": json.dumps(summary, ensure_ascii=False, allow_nan=False)}
    for most in _SCAN_VOXELS:
        grids[_SCAN], affine = shrink(voxels, explanation.input_volume.affine, most)
        scan = Stored.whole(_SCAN, grids[_SCAN], affine)
        with ThreadPoolExecutor() as pool:  # gzip lets others work
            files |= zip(grids, pool.map(_packed, grids.values()), strict=True)
        grids.clear()  # but for the scan they stay as they are
        told = scene(
            summary,
            scan=scan,
            organs=stored_organs,
            maps={method: _offsets(rows, values, method) for method, values in maps.items()},
            words=words,
            masks=stored_lesions,
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
