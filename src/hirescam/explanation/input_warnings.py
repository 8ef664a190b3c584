"""Input warnings: reasons to distrust scores, whatever the maps' guarantees say.

A map can account for every bit of a score of a scan that the network cannot judge: 2 mm of CT,
an abdomen, an input that is nearly all padding. Each check here is a number of the scan, of its
organs or of the model, compared with a bound.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from hirescam.ct.validation import check_hounsfield
from hirescam.ct.volume import Volume, reorient
from hirescam.errors import GeometryError, ReadError
from hirescam.explanation.explanation import Explanation
from hirescam.organs.masks import OrganMasks

MOST_PADDING = 0.5
"""Share of the input; of real chests up to 0.40, of parts of a body 0.80 to 0.99."""
LEAST_LENGTH_MM = 120.0
"""From head to feet; the lungs of an adult take 200 to 300."""
MOST_CUT = 0.25
"""Share of the body in the scan that the input leaves out; arms and breasts take up to 0.2."""
LEAST_LUNG_ML = 500.0
"""Air-filled tissue within the body; both lungs hold 1500 to 9000."""
_BODY_HU, _LUNG_HU = -300.0, (-980.0, -500.0)
_STEP_MM = 4.0


@dataclass(frozen=True)
class InputWarning:
    """One reason: its `code` for programs, its sentence for people, the number behind it."""

    code: str
    sentence: str
    value: float | None = None


def input_warnings(
    explanation: Explanation, organs: OrganMasks | None = None
) -> tuple[InputWarning, ...]:
    """All that speaks against using these scores; empty where nothing does."""
    return (
        *_of_model(explanation),
        *_of_values(explanation.scan),
        *_of_extent(explanation.scan),
        *_of_field(explanation.scan, explanation.input_volume),
        *_of_organs(explanation.scan, organs),
    )


def _of_model(explanation: Explanation) -> Iterator[InputWarning]:
    made_by = explanation.provenance
    if re.search(r"\bsimulated\b", " ".join((made_by.trained_on, *made_by.notes)), re.I):
        yield InputWarning(
            "simulated_training",
            "This model has been trained on simulated chests only: its scores say nothing "
            "about a person.",
        )


def _of_values(scan: Volume) -> Iterator[InputWarning]:
    try:
        check_hounsfield(scan)
    except ReadError as error:
        yield InputWarning("values_doubted", f"The scan's values are doubted: it {error}.")
    except GeometryError as error:
        yield InputWarning("values_doubted", f"The scan's size is doubted: it {error}.")
    for repair in scan.repairs:
        yield InputWarning("repaired", f"Repaired while reading: {repair.rstrip('.')}.")


def _of_extent(scan: Volume) -> Iterator[InputWarning]:
    """Of the patient's three directions, how far the scan reaches from head to feet."""
    long_axis = int(np.abs(scan.affine[2, :3] / scan.spacing_mm).argmax())
    length = scan.shape[long_axis] * scan.spacing_mm[long_axis]
    if length < LEAST_LENGTH_MM:
        yield InputWarning(
            "short_scan",
            f"The scan covers only {length:.0f} mm from head to feet; a chest takes 200 mm or "
            f"more.",
            float(length),
        )


def _of_field(scan: Volume, seen: Volume) -> Iterator[InputWarning]:
    inside = _within(seen, scan)
    padding = 1 - float(inside.mean())
    if padding > MOST_PADDING:
        yield InputWarning(
            "padding",
            f"{padding:.0%} of what the network saw was padding, not scan.",
            padding,
        )
    step = _steps(scan)
    body = scan.voxels[step] > _BODY_HU
    if body.any():
        cut = 1 - float(_within(scan, seen)[body].mean())
        if cut > MOST_CUT:
            yield InputWarning(
                "field_cut",
                f"{cut:.0%} of the body in the scan lies outside the field that the network "
                f"saw.",
                cut,
            )


def _of_organs(scan: Volume, organs: OrganMasks | None) -> Iterator[InputWarning]:
    if organs is None or not organs.verdicts:
        lung_ml = _lung_ml(scan)
        if lung_ml < LEAST_LUNG_ML:
            yield InputWarning(
                "little_lung",
                f"The scan holds only {lung_ml:.0f} mL of air-filled tissue; two lungs hold "
                f"1500 mL or more. Is it a chest?",
                lung_ml,
            )
        return
    for organ, verdict in organs.verdicts.items():
        name = organ.replace("_", " ")
        if verdict.heuristic:
            yield InputWarning(
                "organ_not_found", f"The {name} was not found in the scan. Is it a chest?"
            )
        elif verdict.reasons:
            reasons = "; ".join(reason.rstrip(".") for reason in verdict.reasons)
            yield InputWarning(
                "organ_doubted", f"The mask of the {name} is doubted: {reasons}."
            )


def _steps(volume: Volume) -> tuple[slice, ...]:
    """Every nth voxel, about `_STEP_MM` apart."""
    return tuple(slice(None, None, max(1, int(_STEP_MM // mm))) for mm in volume.spacing_mm)


def _within(points: Volume, box: Volume) -> np.ndarray:
    """Which voxels of `points`, thinned by `_steps`, lie in the box of another volume."""
    index = [
        np.arange(size)[step] for size, step in zip(points.shape, _steps(points), strict=True)
    ]
    lead = np.linalg.inv(box.affine) @ points.affine
    inside = np.ones(tuple(map(len, index)), bool)
    for axis, size in enumerate(box.shape):
        at = (
            lead[axis, 0] * index[0][:, None, None]
            + lead[axis, 1] * index[1][:, None]
            + lead[axis, 2] * index[2]
            + lead[axis, 3]
        )
        inside &= (at >= -0.5 - 1e-6) & (at <= size - 0.5 + 1e-6)
    return inside


def _lung_ml(scan: Volume) -> float:
    """Lung-like tissue within the body's outline on each axial plane."""
    facing = reorient(scan, "IPL")
    step = _steps(facing)
    hu = facing.voxels[step]
    body = ndimage.binary_opening(hu > _BODY_HU, np.ones((1, 3, 3), bool))
    filled = np.stack([ndimage.binary_fill_holes(plane) for plane in body])
    inner = ndimage.binary_erosion(filled, np.ones((1, 3, 3), bool), iterations=2)
    lung = inner & (hu > _LUNG_HU[0]) & (hu < _LUNG_HU[1])
    voxel_ml = abs(np.linalg.det(facing.affine[:3, :3])) / 1000
    return float(lung.sum() * voxel_ml * np.prod([each.step for each in step]))
