"""Organ masks on disk: one label NIfTI on the scan's own grid, and its numbers as JSON beside.

The same JSON stands in the header of the NIfTI, so that either can travel alone.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from hirescam import __version__
from hirescam.atomic import atomic_write, refuse_overwriting
from hirescam.ct.validation import as_read_error
from hirescam.errors import ReadError, WriteError
from hirescam.organs.label_image import read_label_nifti, write_label_nifti
from hirescam.organs.masks import OrganMasks, Verdict
from hirescam.parsing import parse_json, read_json

SUFFIXES = (".nii.gz", ".nii")
DISCLAIMER = "For research, not for diagnosis."


def save_organs(masks: OrganMasks, path: str | Path) -> Path:
    """Write masks to a .nii or .nii.gz file and their numbers to a .json file of its name.

    0 is background and 1, 2, 3 … are the organs in their order; axes and affine are the scan's.
    Raises `WriteError` if the disk refuses; older files are then still whole.
    """
    path = Path(path)
    written = json.dumps(organ_record(masks), indent=2, ensure_ascii=False)
    beside = json_beside(path)
    write_label_nifti(path, masks.codes, masks.affine, note=written)
    with atomic_write(beside) as file:
        file.write(written.encode() + b"\n")
    return path


def read_organs(path: str | Path) -> OrganMasks:
    """Masks that `save_organs` wrote, from their NIfTI alone.

    Raises `ReadError` if it is damaged or another program's; `import_organs` reads those.
    """
    path = Path(path).absolute()
    image = read_label_nifti(path)
    with as_read_error(path):
        record = next((parse_json(note) for note in image.notes if note.startswith("{")), None)
        if record is None or "organs" not in record:
            raise ReadError(
                "holds no names of organs in its header, so hirescam did not write it: "
                "import it with a table of its codes"
            )
        organs: dict[str, Any] = record["organs"]
        if int(image.codes.max(initial=0)) > len(organs):
            raise ReadError(f"has codes beyond the {len(organs)} organs that its header names")
        return OrganMasks(
            image.codes.astype(np.uint8, copy=False),
            image.affine,
            method=record["method"],
            organs=tuple(organs),
            verdicts={
                organ: Verdict(tuple(facts["reasons"]), heuristic=facts["heuristic"])
                for organ, facts in organs.items()
            },
            boxes={
                organ: _box(facts["box"]) for organ, facts in organs.items() if "box" in facts
            },
        )


def organ_record(masks: OrganMasks) -> dict[str, Any]:
    """What `save_organs` writes as JSON: volumes, verdicts, method, version; no patient."""
    volumes_ml = masks.volumes_ml
    organs: dict[str, dict[str, Any]] = {}
    for code, organ in enumerate(masks.organs, start=1):
        verdict = masks.verdicts.get(organ, Verdict())
        organs[organ] = {
            "code": code,
            "volume_ml": round(volumes_ml[organ], 1),
            "trusted": verdict.trusted,
            "heuristic": verdict.heuristic,
            "reasons": list(verdict.reasons),
        }
        if organ in masks.boxes:
            organs[organ]["box"] = [[side.start, side.stop] for side in masks.boxes[organ]]
    return {
        "hirescam": __version__,
        "disclaimer": DISCLAIMER,
        "method": masks.method,
        "organs": organs,
    }


def refuse_foreign_masks(path: Path) -> None:
    """Raise `WriteError` if files are where masks would go, and `save_organs` wrote none."""
    beside = json_beside(path)
    try:
        ours = {"hirescam", "organs"} <= read_json(beside).keys()
    except (OSError, ValueError, AttributeError):
        ours = False
    for each in (path, beside):
        refuse_overwriting(each, ours=ours)


def json_beside(path: Path) -> Path:
    """The name of the JSON file that goes with a NIfTI file."""
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return path.with_name(f"{path.name[: -len(suffix)]}.json")
    raise WriteError(
        f"{path.name} is no name for organ masks: end it in {' or '.join(SUFFIXES)}"
    )


def _box(sides: list[list[int]]) -> tuple[slice, slice, slice]:
    (top, bottom), (front, back), (right, left) = sides
    return slice(top, bottom), slice(front, back), slice(right, left)
