"""Places: each cell of a map shared out among organs, the rest of the body, and what is not.

Everything that holds evidence has a name here, so that shares of it add up to one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import fill_voids
import numpy as np
import SimpleITK as sitk
from jaxtyping import Bool, Float, Float64

from hirescam.ct.volume import Volume, reorient
from hirescam.errors import ShapeError
from hirescam.explanation.overlap import Boxes, cut, overlap, whole_boxes
from hirescam.organs.body import body, enclosed_air
from hirescam.organs.masks import OrganMasks, Verdict

REST_OF_BODY = "rest_of_body"
OUTSIDE_BODY = "outside_body"
OUTSIDE_FIELD = "outside_field"
"""What no voxel of the scan told the network: cut off, or padded."""

_BODY_STEP_MM = 2.0
_READING = "IPL"
_SAME_PLACE_MM = 0.01


@dataclass(frozen=True, eq=False)
class PlacesInCells:
    """The share of each cell in each place; a cell's shares add up to one.

    `seen` is the share of each organ's own volume that lies within the map's cells: evidence
    for what lies beyond is in the nearest of them. `verdicts` are those of the organs' masks.
    """

    places: tuple[str, ...]
    shares: Float[np.ndarray, "place slice row column"]
    seen: Mapping[str, float]
    verdicts: Mapping[str, Verdict]


def organs_in_cells(
    organs: OrganMasks,
    scan: Volume,
    placed: Volume,
    shape: tuple[int, ...],
    affine: Float64[np.ndarray, "4 4"],
) -> PlacesInCells:
    """Where the cells of a map lie; `placed` is the scan as the network saw it."""
    _check_grid(organs, scan)
    boxes = whole_boxes(shape, affine)
    field = cut(cut(boxes, scan.shape, scan.affine), placed.shape, placed.affine)
    inside = {
        organ: overlap(field, organs.codes == code, organs.affine)
        for code, organ in enumerate(organs.organs, start=1)
    }
    in_organs = sum(inside.values(), start=np.zeros(shape))
    in_body = np.clip(_in_body(field, scan), in_organs, np.maximum(field.whole, in_organs))
    in_field = np.maximum(field.whole, in_body)
    shares = inside | {
        REST_OF_BODY: in_body - in_organs,
        OUTSIDE_BODY: in_field - in_body,
        OUTSIDE_FIELD: np.clip(1.0 - in_field, 0.0, None),
    }
    return PlacesInCells(
        tuple(shares),
        np.stack(list(shares.values())),
        seen=_seen(organs, inside, affine),
        verdicts=organs.verdicts,
    )


def body_mask(
    scan: Volume,
) -> tuple[Bool[np.ndarray, "slice row column"], Float64[np.ndarray, "4 4"]]:
    """The patient with the air inside, without table and clothes, on a grid of about 2 mm."""
    turned = reorient(scan, _READING)
    spacing_mm = np.array(turned.spacing_mm)
    blocks = np.clip(_BODY_STEP_MM // spacing_mm, 1, turned.shape).astype(int)
    image = sitk.BinShrink(sitk.GetImageFromArray(turned.voxels), blocks[::-1].tolist())
    hu = np.clip(sitk.GetArrayFromImage(image), -32768, 32767).astype(np.int16)
    trunk = body(hu)
    coarser = np.diag([*blocks.astype(float), 1.0])
    coarser[:3, 3] = (blocks - 1) / 2
    whole = fill_voids.fill(trunk | enclosed_air(hu, trunk))  # vessels and nodules in the lungs
    return whole, turned.affine @ coarser


def _in_body(field: Boxes, scan: Volume) -> Float[np.ndarray, "slice row column"]:
    return overlap(field, *body_mask(scan))


def _seen(
    organs: OrganMasks,
    inside: Mapping[str, Float[np.ndarray, "slice row column"]],
    affine: Float64[np.ndarray, "4 4"],
) -> dict[str, float]:
    """The share of each organ in the cells; 1 of an organ that has no voxel."""
    voxels = np.bincount(organs.codes.ravel(), minlength=len(organs.organs) + 1)
    cell = abs(np.linalg.det(affine[:3, :3]) / np.linalg.det(organs.affine[:3, :3]))
    return {
        organ: min(float(inside[organ].sum() * cell / voxels[code]), 1.0)
        if voxels[code]
        else 1.0
        for code, organ in enumerate(organs.organs, start=1)
    }


def _check_grid(organs: OrganMasks, scan: Volume) -> None:
    off_mm = np.abs(organs.affine - scan.affine).max()
    if organs.codes.shape != scan.shape or off_mm > _SAME_PLACE_MM:
        raise ShapeError(
            f"organs lie on a grid of {organs.codes.shape} voxels, the scan that was explained "
            f"has {scan.shape}, or another place: segment that scan, or import its masks"
        )
