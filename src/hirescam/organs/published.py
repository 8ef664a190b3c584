"""The published segmentation: dark pieces of each slice, cut at a midline; for comparison.

Draelos and Carin, arXiv:2011.08891, and the code that they ran. Its sizes were tuned for voxels
of 0.8 mm and are kept here as millimetres and millilitres. What is dense in a lung, such as
vessels, nodules and effusions, is not in its lungs.
"""

from dataclasses import dataclass
from typing import Literal

import cc3d
import numpy as np
from jaxtyping import Bool, Int64, Shaped, UInt8

from hirescam.ct.volume import Volume, reorient
from hirescam.organs.masks import (
    ORGANS,
    READING,
    Box,
    Observer,
    OrganMasks,
    Verdict,
    box_from_reading_order,
    from_reading_order,
    heuristic_boxes,
)

DARK_HU = -300
SMALLEST_ML = 512.0
RIGHT_BORDER_MM = 130 * 0.8  # a right lung that begins further to the left is missing
COLUMN_MM = 420 * 0.8 / 6  # of the smallest maps of a scan
LEFT_BORDER_MM = 300 * 0.8  # a left lung that ends further to the right is missing


@dataclass(frozen=True)
class Rules:
    """Where the paper and the code that made its results differ."""

    name: str
    split: Literal["volume", "lung_box"]
    heuristic: Literal["four_of_six", "centre_half"]
    no_lung: Literal["passes", "fails"]


AS_CODED = Rules("published", split="volume", heuristic="four_of_six", no_lung="passes")
AS_PRINTED = Rules(
    "published-as-printed", split="lung_box", heuristic="centre_half", no_lung="fails"
)


def published(
    volume: Volume, *, rules: Rules = AS_CODED, observe: Observer | None = None
) -> OrganMasks:
    """Lungs and mediastinum as the paper finds them.

    If one lung is missing, all three masks are heuristic. A scan without any lung passes as
    coded, with a large central mediastinum; its verdict says so.
    """
    scan = reorient(volume, READING)
    lungs = dark_lungs(scan, observe=observe)
    box = _enclosing(lungs)
    failures = _failures(box, scan)
    boxes: dict[str, Box] = {}
    if failures and (box or rules.no_lung == "fails"):
        boxes = heuristic_boxes(
            _whole(scan.shape),
            float(scan.shape[2] // 2),
            COLUMN_MM / scan.spacing_mm[2],
            rules.heuristic,
        )
        codes = _painted(boxes, scan.shape)
    else:
        codes = _codes(lungs, box or _whole(scan.shape), rules)
    return OrganMasks(
        from_reading_order(codes, volume.affine),
        volume.affine,
        method=rules.name,
        verdicts={organ: Verdict(failures, heuristic=bool(boxes)) for organ in ORGANS},
        boxes={
            organ: box_from_reading_order(box, scan.shape, volume.affine)
            for organ, box in boxes.items()
        },
    )


def published_as_printed(volume: Volume, *, observe: Observer | None = None) -> OrganMasks:
    """The same by the rules of the paper's text."""
    return published(volume, rules=AS_PRINTED, observe=observe)


def dark_lungs(
    scan: Volume, *, observe: Observer | None = None
) -> Bool[np.ndarray, "slice row column"]:
    """Both lungs of a scan in reading order: the four steps of the paper's figure 8."""
    if observe:
        observe("threshold", scan.voxels < DARK_HU)
        observe("border cleared", np.stack([_inside(plane) for plane in scan.voxels]))
    largest = np.empty(scan.shape, bool)
    for plane, kept in zip(scan.voxels, largest, strict=True):
        kept[:] = _two_largest(plane)
    if observe:
        observe("two largest per slice", largest)
    voxel_mm3 = np.prod(scan.spacing_mm)
    lungs = _without_small(largest, round(SMALLEST_ML * 1000 / voxel_mm3))
    if observe:
        observe("pieces of 512 mL", lungs)
    return lungs


def _inside(plane: Shaped[np.ndarray, "row column"]) -> Bool[np.ndarray, "row column"]:
    """Dark pieces that do not touch the border of the slice."""
    pieces, areas = _dark_pieces(plane)
    return (areas > 0)[pieces]


def _two_largest(plane: Shaped[np.ndarray, "row column"]) -> Bool[np.ndarray, "row column"]:
    """The two largest of these, and every piece as large as the second."""
    pieces, areas = _dark_pieces(plane)
    second = np.sort(areas)[-2:][0]
    return _joined(pieces, (areas > 0) & (areas >= second))


def _dark_pieces(
    plane: Shaped[np.ndarray, "row column"],
) -> tuple[Shaped[np.ndarray, "row column"], Int64[np.ndarray, "piece"]]:
    """Pieces that hang together by sides or corners, and their areas: 0 at the border."""
    pieces = cc3d.connected_components(plane < DARK_HU, connectivity=8)
    areas = _sizes(pieces)
    for edge in (0, pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]):
        areas[edge] = 0
    return pieces, areas


def _without_small(
    mask: Bool[np.ndarray, "slice row column"], smallest: int
) -> Bool[np.ndarray, "slice row column"]:
    """Pieces of at least so many voxels that hang together by faces."""
    kept = np.zeros_like(mask)
    box = _enclosing(mask)
    if box:
        pieces = cc3d.connected_components(mask[box], connectivity=6)
        sizes = _sizes(pieces)
        sizes[0] = 0
        large = (sizes > 0) & (sizes >= smallest)
        for plane, place in zip(pieces, kept[box], strict=True):
            place[:] = _joined(plane, large)
    return kept


def _sizes(pieces: Shaped[np.ndarray, "*place"]) -> Int64[np.ndarray, "piece"]:
    """How many voxels each piece has; by runs, which are fewer than voxels."""
    flat = pieces.ravel()
    ends = np.append(np.flatnonzero(flat[1:] != flat[:-1]), flat.size - 1)
    return np.bincount(flat[ends], np.diff(ends, prepend=-1)).astype(np.int64)


def _joined(
    pieces: Shaped[np.ndarray, "*place"], chosen: Bool[np.ndarray, "piece"]
) -> Bool[np.ndarray, "*place"]:
    """Where the chosen pieces lie; for few of them, comparing is faster than looking up."""
    mask = np.zeros(pieces.shape, bool)
    for piece in np.flatnonzero(chosen):
        mask |= pieces == piece
    return mask


def _enclosing(mask: Bool[np.ndarray, "slice row column"]) -> Box | None:
    """The smallest box that holds the whole mask; none if it is empty."""
    seen_from_above = mask.any(axis=0)
    sides = [
        np.any(mask, axis=(1, 2)),
        *(np.any(seen_from_above, axis=axis) for axis in (1, 0)),
    ]
    ends = [np.flatnonzero(side)[[0, -1]] for side in sides if side.any()]
    if not ends:
        return None
    (top, bottom), (front, back), (right, left) = ends
    return slice(top, bottom + 1), slice(front, back + 1), slice(right, left + 1)


def _failures(box: Box | None, scan: Volume) -> tuple[str, ...]:
    """Why the borders of the lungs cannot be right."""
    if not box:
        return (f"no dark piece of at least {SMALLEST_ML:.0f} mL lies inside the body",)
    column_mm = scan.spacing_mm[2]
    right_mm, left_mm = round(box[2].start * column_mm, 3), round(box[2].stop * column_mm, 3)
    rules = (
        (right_mm > RIGHT_BORDER_MM, "right", "begin", right_mm, "at most", RIGHT_BORDER_MM),
        (left_mm < LEFT_BORDER_MM, "left", "end", left_mm, "at least", LEFT_BORDER_MM),
    )
    return tuple(
        f"{side} lung missing: lungs {verb} {found:.0f} mm from the scan's right border, "
        f"expected {bound} {expected:.0f}"
        for broken, side, verb, found, bound, expected in rules
        if broken
    )


def _whole(shape: tuple[int, int, int]) -> Box:
    slices, rows, columns = shape
    return slice(0, slices), slice(0, rows), slice(0, columns)


def _codes(
    lungs: Bool[np.ndarray, "slice row column"], box: Box, rules: Rules
) -> UInt8[np.ndarray, "slice row column"]:
    """Lungs by side of the midline; the rest of 25 to 87.5 % of their box is mediastinum."""
    slices, rows, columns = box
    quarter = (columns.stop - columns.start) // 4
    middle = slice(columns.start + quarter, columns.stop - quarter // 2)
    midlines = {
        "volume": lungs.shape[2] // 2,
        "lung_box": (columns.start + columns.stop) // 2,
    }
    codes = np.zeros(lungs.shape, np.uint8)
    codes[slices, rows, middle] = ORGANS.index("mediastinum") + 1
    for organ, half in (
        ("right_lung", slice(None, midlines[rules.split])),
        ("left_lung", slice(midlines[rules.split], None)),
    ):
        codes[..., half][lungs[..., half]] = ORGANS.index(organ) + 1
    return codes


def _painted(
    boxes: dict[str, Box], shape: tuple[int, int, int]
) -> UInt8[np.ndarray, "slice row column"]:
    codes = np.zeros(shape, np.uint8)
    for code, organ in enumerate(ORGANS, start=1):
        codes[boxes[organ]] = code
    return codes
