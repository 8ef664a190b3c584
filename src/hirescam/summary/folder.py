"""Summary folder: an explanation as files that people and programs can read.

`summary.json` holds the numbers, and `summary.schema.json` describes it; report.html, pictures/
and maps/ stand beside it.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from hirescam.atomic import atomic_folder
from hirescam.ct.volume import write_nifti
from hirescam.errors import WriteError
from hirescam.explanation import Explanation, OrganOcclusion, OrganShares
from hirescam.explanation.input_warnings import InputWarning, input_warnings
from hirescam.export.dicom.source import SourceSeries
from hirescam.export.nifti import write_map_nifti
from hirescam.organs.files import organ_record, save_organs
from hirescam.organs.masks import OrganMasks
from hirescam.summary.colours import UNIT, Scale, shared_scale
from hirescam.summary.findings import DISCLAIMER, Finding, findings
from hirescam.summary.page import Pictures, data_uri
from hirescam.summary.pictures import build_stage, lesion_on_stage, montage
from hirescam.summary.viewer_data import (
    MAPS_FOLDERS,
    MASKS_FOLDER,
    Words,
    report_page,
    write_viewer_files,
)

SCHEMA_VERSION = "2.1"
_THREADS = 4


def summary_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) that every `summary.json` keeps."""
    text = files(__package__).joinpath("summary.schema.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def record(
    explanation: Explanation,
    rows: Sequence[Finding],
    scale: Scale,
    names: Mapping[str, Mapping[str, str]],
    *,
    organs: OrganMasks | None = None,
    shares: OrganShares | None = None,
    occlusions: Sequence[OrganOcclusion] = (),
    warnings: Sequence[InputWarning] = (),
) -> dict[str, Any]:
    """All numbers of a summary; `names` gives the files written for each label."""
    made_by = asdict(explanation.provenance)
    versions = {name: made_by.pop(name) for name in ("hirescam", "torch")}
    scan_sha256 = made_by.pop("scan_sha256")
    return {
        "schema_version": SCHEMA_VERSION,
        "disclaimer": DISCLAIMER,
        "versions": versions,
        "provenance": made_by,
        "scan": {
            "shape": list(explanation.scan.shape),
            "spacing_mm": list(explanation.scan.spacing_mm),
            "orientation": explanation.scan.orientation,
            "sha256": scan_sha256,
            "repairs": list(explanation.scan.repairs),
        },
        "map_grid": {
            "shape": list(explanation.raw_maps.shape[1:]),
            "affine": explanation.affine.tolist(),
            "unit": UNIT,
        },
        "colour_limit": scale.limit,
        "warnings": [asdict(warning) for warning in warnings],
        "organs": masks_record(organs, shares),
        "findings": [
            _of_one(row, explanation.provenance.method)
            | {
                "colour_limit": row.scale(scale).limit,
                "organs": shares_record(shares, row.label),
                "occluded_organs": occlusion_record(occlusions, row.label),
                "files": dict(names[row.label]),
            }
            for row in rows
        ],
    }


def _of_one(row: Finding, method: str) -> dict[str, Any]:
    verdict = row.guarantee
    return {
        "label": row.label,
        "probability": row.probability,
        "score": row.score,
        "offset": row.offset,
        "map_sum": row.map_sum,
        "positive_evidence": row.positive,
        "negative_evidence": row.negative,
        "peak": {
            "value": row.peak.value,
            "cell": list(row.peak.cell),
            "patient_mm": list(row.peak.patient_mm),
        },
        "slice_scores": None if row.slice_scores is None else row.slice_scores.tolist(),
        "guarantee": {
            "kind": verdict.kind.name.lower(),
            "gap": verdict.gap if math.isfinite(verdict.gap) else None,
            "probes": verdict.n_probes,
            "holds_for_method": verdict.holds_for(method),
            "sentence": verdict.sentence(method),
        },
    }


ORGANS_FILE = "organs.nii.gz"


def masks_record(
    organs: OrganMasks | None, shares: OrganShares | None
) -> dict[str, Any] | None:
    """The masks: their file, how they were made, how far each is trusted, how much was seen.

    `map_volume` is the share of each place that evidence spread evenly would have.
    """
    if organs is None or shares is None:
        return None
    told = organ_record(organs)
    return {
        "file": ORGANS_FILE,
        "method": told["method"],
        "masks": {
            organ: {
                **{key: facts[key] for key in ("code", "volume_ml", "trusted", "heuristic")},
                "reasons": facts["reasons"],
                "seen": shares.seen[organ],
            }
            for organ, facts in told["organs"].items()
        },
        "map_volume": dict(shares.volume),
    }


def shares_record(shares: OrganShares | None, label: str) -> dict[str, Any] | None:
    """One label's evidence by place, and the sentence that tells it."""
    if shares is None:
        return None
    return {
        "sentence": shares.sentence(label),
        "positive": shares.positive(label),
        "negative": shares.negative(label),
    }


def occlusion_record(occlusions: Sequence[OrganOcclusion], label: str) -> list[dict[str, Any]]:
    """What occluding each organ did to one label."""
    rows = [(each, each.labels.index(label)) for each in occlusions]
    return [
        {
            "organ": each.organ,
            "score": float(each.after[row]),
            "drop": float(each.drops[row]),
            "predicted_drop": float(each.predicted_drop[row]),
            "agreement": each.agreement(label).name.lower(),
            "sentence": each.sentence(label),
        }
        for each, row in rows
    ]


Files = dict[str, str]
"""The files of one finding by kind, relative to the folder."""


def write_summary(
    explanation: Explanation,
    out: Path | str,
    *,
    on_scan: bool = False,
    overwrite: bool = False,
    labels: Sequence[str] | None = None,
    pages: bool = True,
    organs: OrganMasks | None = None,
    occlusions: Sequence[OrganOcclusion] = (),
    dicom: SourceSeries | None = None,
    words: Words | None = None,
    lesions: Mapping[str, Bool[np.ndarray, "slice row column"]] | None = None,
) -> Path:
    """Write report.html, summary.json, pictures/ and maps/ into the new folder `out`.

    The folder appears whole or not at all; `overwrite` replaces an older summary once the new
    one is complete, and what the user had put into it stays. `on_scan` adds every map on the
    scan's own grid, for looking. `labels` chooses which findings are written; the colours'
    scale is that of all labels either way. Without `pages` there is no report.html, no picture
    and no scan for `hirescam view`: numbers and maps, for programs. `words` are a report's
    about each label, as `report_words` finds them, and are quoted in the pages.
    `lesions`, voxels of the scan by label, are where somebody knows a finding to lie: they are
    outlined in pictures and viewer and kept in masks/.
    `organs` of the scan add organs.nii.gz, and to each finding where its evidence lies;
    `occlusions` adds what occluding some of them did. `dicom`, the series that was explained,
    adds dicom/ with objects that name its patient; nothing else in the folder does.

    Raises `WriteError` if the disk refuses or `out` may not be replaced, `TargetError` for an
    unknown label.
    """
    rows = findings(explanation, labels)
    scale = shared_scale(explanation.raw_maps)
    shares = None if organs is None else explanation.by_organ(organs)
    known = _known_lesions(explanation, rows, lesions or {})
    names = {
        row.label: _files(row, pages=pages, on_scan=on_scan, lesion=row.label in known)
        for row in rows
    }
    warnings = input_warnings(explanation, organs)
    with atomic_folder(Path(out), "summary", overwrite=overwrite) as folder:
        _write_maps(explanation, rows, names, folder)
        _write_other_maps(explanation, names, folder)
        for label, lesion in known.items():
            write_nifti(
                folder / names[label]["lesion"],
                lesion.astype(np.uint8),
                explanation.scan.affine,
                description="hirescam known lesion",
            )
        told = record(
            explanation,
            rows,
            scale,
            names,
            organs=organs,
            shares=shares,
            occlusions=occlusions,
            warnings=warnings,
        )
        if pages:
            with ThreadPoolExecutor(_THREADS) as pool:  # what packs bytes lets others work
                living = pool.submit(write_viewer_files, explanation, words, folder)
                pictures = _write_pictures(
                    explanation, rows, scale, names, folder, known, pool.map
                )
                living.result()
            text = report_page(told, explanation, rows, scale, pictures, organs, words, known)
            (folder / "report.html").write_text(text, encoding="utf-8")
        if organs is not None:
            save_organs(organs, folder / ORGANS_FILE)
        if dicom is not None:
            _write_dicom(explanation, dicom, scale, organs, labels, folder / "dicom")
        numbers = json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False)
        (folder / "summary.json").write_text(numbers + "\n", encoding="utf-8")
    return Path(out)


def _write_dicom(
    explanation: Explanation,
    source: SourceSeries,
    scale: Scale,
    organs: OrganMasks | None,
    labels: Sequence[str] | None,
    folder: Path,
) -> None:
    from hirescam.export.dicom.objects import write_dicom  # highdicom is optional

    geometry = build_stage(
        explanation.input_volume, explanation.raw_maps.shape[1:], explanation.affine
    )

    def picture_of(label: str) -> np.ndarray:
        (finding,) = findings(explanation, [label])
        return np.asarray(montage(finding, geometry, explanation.affine, scale))

    write_dicom(
        explanation, source, folder, organs=organs, labels=labels, picture_of=picture_of
    )


def _write_maps(
    explanation: Explanation, rows: Sequence[Finding], names: Mapping[str, Files], folder: Path
) -> None:
    for row in rows:
        name = names[row.label]
        write_map_nifti(folder / name["map"], row.values, explanation.affine)
        if "map_on_scan" in name:
            write_map_nifti(
                folder / name["map_on_scan"],
                explanation.map_on_scan(row.label),
                explanation.scan.affine,
            )


def _write_other_maps(
    explanation: Explanation, names: Mapping[str, Files], folder: Path
) -> None:
    """The maps of other methods, each method in a folder of its own."""
    for method, maps in explanation.other_maps.items():
        for label, named in names.items():
            path = folder / MAPS_FOLDERS[method] / Path(named["map"]).name
            write_map_nifti(path, maps[explanation.labels.index(label)], explanation.affine)


def _write_pictures(
    explanation: Explanation,
    rows: Sequence[Finding],
    scale: Scale,
    names: Mapping[str, Files],
    folder: Path,
    lesions: Mapping[str, Bool[np.ndarray, "slice row column"]],
    each: Callable[..., Iterable[tuple[str, tuple[str, tuple[int, int]]]]],
) -> Pictures:
    stage = build_stage(
        explanation.input_volume, explanation.raw_maps.shape[1:], explanation.affine
    )
    (folder / "pictures").mkdir()

    def drawn(row: Finding) -> tuple[str, tuple[str, tuple[int, int]]]:
        lesion = lesions.get(row.label)
        if lesion is not None:
            lesion = lesion_on_stage(lesion, explanation.scan.affine, stage)
        picture = montage(row, stage, explanation.affine, scale, lesion)
        picture.save(folder / names[row.label]["picture"], compress_level=1)
        return row.label, (data_uri(picture), picture.size)

    return dict(each(drawn, rows))


def _known_lesions(
    explanation: Explanation,
    rows: Sequence[Finding],
    lesions: Mapping[str, Bool[np.ndarray, "slice row column"]],
) -> dict[str, Bool[np.ndarray, "slice row column"]]:
    """The lesions of the findings that are written. Raises `WriteError` for another grid."""
    for label, mask in lesions.items():
        if mask.shape != explanation.scan.shape:
            raise WriteError(
                f"the lesion of {label!r} has {mask.shape} voxels, but the scan has "
                f"{explanation.scan.shape}: give it on the scan's grid"
            )
    return {row.label: lesions[row.label] for row in rows if row.label in lesions}


def _files(row: Finding, *, pages: bool, on_scan: bool, lesion: bool) -> Files:
    """Where each file of a finding lies in the folder."""
    written = {
        "picture": (pages, f"pictures/{row.stem}.png"),
        "map": (True, f"maps/{row.stem}.nii.gz"),
        "map_on_scan": (on_scan, f"maps_on_scan/{row.stem}.nii.gz"),
        "lesion": (lesion, f"{MASKS_FOLDER}/{row.stem}.nii.gz"),
    }
    return {kind: name for kind, (is_written, name) in written.items() if is_written}
