"""Work grid: a scan at one spacing along the patient's axes, and its way back to the scan."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from jaxtyping import Bool, Float, Float64, Int, Int16, Shaped, UInt8
from scipy import ndimage

from hirescam.ct.volume import Volume, reorient
from hirescam.organs.masks import Box

# --- a scan at one coarse spacing along the patient's axes, whatever it came as ---

STEP_MM = 2.5
VOXEL_ML = STEP_MM**3 / 1000
AIR_HU = -350  # between aerated lung and soft tissue, where partial volume is half and half
BONE_HU = 180
_PADDING_HU = -1150  # no air is as dark, whatever the scanner and its noise
IN_PLANE = ndimage.generate_binary_structure(3, 1) & (np.arange(3) == 1)[:, None, None]
RIGHT, LEFT = 1, 2  # the codes of the lungs
ORIENTATION = "IPL"  # slices lead to the feet, rows to the back, columns to the left

_DOWN_BACK_LEFT = -np.eye(3)[::-1]  # these directions in the patient's right, front, head
_STRAIGHT = float(np.sin(np.deg2rad(2.0)))

Field = Int16[np.ndarray, "down back left"]
Codes = UInt8[np.ndarray, "down back left"]
Mask = Bool[np.ndarray, "down back left"]
Matrix = Float64[np.ndarray, "3 3"]


@dataclass(frozen=True, eq=False)
class WorkGrid:
    """Hounsfield units every `STEP_MM` along `down`, `back` and `left`, and the scan itself.

    `scan` is the volume with its axes turned to those nearest; no voxel of it is copied. Where
    these are oblique, the grid is turned against the scan and reaches beyond it: `seen` is what
    lies in the scan and is no padding. `steps_mm` holds in its columns the way from voxel to
    voxel of the scan, `low_mm` is the grid's first corner as seen from the scan's first voxel.
    """

    hu: Field
    scan: Volume
    seen: Mask
    steps_mm: Matrix
    low_mm: Float64[np.ndarray, "3"]

    @property
    def straight(self) -> bool:
        """Whether the scan's axes are the grid's."""
        return bool(np.count_nonzero(self.steps_mm) == 3)

    def places(self) -> tuple[Int[np.ndarray, "_"], ...]:
        """Along each axis of a straight scan, the work voxel that holds each voxel."""
        return tuple(
            np.clip(((np.arange(n) + 0.5) * step / STEP_MM).astype(int), 0, size - 1)
            for n, step, size in zip(
                self.scan.shape, self.scan.spacing_mm, self.hu.shape, strict=True
            )
        )

    def on_scan(self, codes: Codes) -> UInt8[np.ndarray, "_ _ _"]:
        """For each voxel of the scan, the code of the work voxel that holds it."""
        image = sitk.GetImageFromArray(codes)
        image.SetSpacing([STEP_MM] * 3)
        image.SetOrigin((self.low_mm + STEP_MM / 2)[::-1].tolist())
        out = sitk.Resample(
            image,
            list(self.scan.shape[::-1]),
            _to_scan(self.steps_mm, self.scan).GetInverse(),
            sitk.sitkNearestNeighbor,
            [0.0] * 3,
            self.scan.spacing_mm[::-1],
            np.eye(3).ravel().tolist(),
        )
        return sitk.GetArrayFromImage(out)

    def from_scan(self, codes: UInt8[np.ndarray, "_ _ _"]) -> Codes:
        """For each work voxel, the code of the scan's voxel that holds its middle."""
        image = sitk.GetImageFromArray(codes)
        image.SetSpacing(self.scan.spacing_mm[::-1])
        found = sitk.Resample(
            image,
            list(self.hu.shape[::-1]),
            _to_scan(self.steps_mm, self.scan),
            sitk.sitkNearestNeighbor,
            (self.low_mm + STEP_MM / 2)[::-1].tolist(),
            [STEP_MM] * 3,
            np.eye(3).ravel().tolist(),
        )
        return sitk.GetArrayFromImage(found)

    def box_on_scan(self, box: Box) -> Box:
        """A box of work voxels as one of the scan's, as large and around the same place."""
        first, stop = (
            np.array([getattr(side, end) for side in box]) for end in ("start", "stop")
        )
        centre_mm = self.low_mm + (first + stop) / 2 * STEP_MM
        middle = np.linalg.solve(self.steps_mm, centre_mm) + 0.5
        half = (stop - first) / 2 * STEP_MM / self.scan.spacing_mm
        starts = np.clip(np.rint(middle - half), 0, self.scan.shape).astype(int).tolist()
        stops = np.clip(np.rint(middle + half), 0, self.scan.shape).astype(int).tolist()
        down, back, left = (slice(*ends) for ends in zip(starts, stops, strict=True))
        return down, back, left


def work_grid(volume: Volume, *, roll_deg: float = 0.0) -> WorkGrid:
    """Average what is finer than `STEP_MM`, interpolate what is coarser.

    The grid of a patient who lies turned from left towards back by an angle is turned as far.
    """
    scan = reorient(volume, ORIENTATION)
    steps_mm = _steps_mm(scan)
    if roll_deg:
        c, s = np.cos(np.deg2rad(roll_deg)), np.sin(np.deg2rad(roll_deg))
        steps_mm = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ steps_mm
    straight = bool(np.count_nonzero(steps_mm) == 3)
    ends = np.array(np.meshgrid(*((-0.5, n - 0.5) for n in scan.shape))).reshape(3, -1)
    corners_mm = steps_mm @ ends
    low_mm, high_mm = corners_mm.min(axis=1), corners_mm.max(axis=1)
    size = np.maximum(1, np.round((high_mm - low_mm) / STEP_MM)).astype(int)
    image = sitk.GetImageFromArray(scan.voxels)
    spacing = np.array(scan.spacing_mm[::-1])  # ITK counts from the fastest axis
    image.SetSpacing(spacing.tolist())
    blocks = np.clip(np.floor(STEP_MM / spacing + 0.01), 1, image.GetSize()).astype(int)
    if blocks.max() > 1:
        image = sitk.BinShrink(image, blocks.tolist())
    coarse = sitk.Resample(
        image,
        size[::-1].tolist(),
        _to_scan(steps_mm, scan),
        sitk.sitkLinear,
        (low_mm + STEP_MM / 2)[::-1].tolist(),
        [STEP_MM] * 3,
        np.eye(3).ravel().tolist(),
        float(scan.voxels.min(initial=0)),
        sitk.sitkInt16,
        straight,  # beyond the outermost voxel centres, their values
    )
    hu = sitk.GetArrayFromImage(coarse)
    seen = np.ones(hu.shape, bool) if straight else _seen(hu.shape, scan, steps_mm, low_mm)
    return WorkGrid(hu, scan, seen & ~_padding(hu), steps_mm, low_mm)


def _padding(hu: Field) -> Mask:
    """What a round field of view leaves of a square picture: darker than air, at its edge."""
    dark = hu < _PADDING_HU
    if not dark.any():
        return dark
    pieces, count = ndimage.label(dark, IN_PLANE)
    at_edge = np.zeros(count + 1, bool)
    for edge in (pieces[:, 0], pieces[:, -1], pieces[..., 0], pieces[..., -1]):
        at_edge[edge] = True
    at_edge[0] = False
    return ndimage.binary_dilation(at_edge[pieces], IN_PLANE)  # its rim is half padding


def _steps_mm(scan: Volume) -> Matrix:
    """The way from voxel to voxel, in columns; along one axis each if nearly so."""
    steps_mm = _DOWN_BACK_LEFT @ scan.affine[:3, :3]
    aside = steps_mm / scan.spacing_mm * ~np.eye(3, dtype=bool)
    return np.diag(scan.spacing_mm) if np.abs(aside).max() < _STRAIGHT else steps_mm


def _to_scan(steps_mm: Matrix, scan: Volume) -> sitk.AffineTransform:
    """From millimetres in the patient to millimetres along the scan's axes, in ITK's order."""
    turn = np.diag(scan.spacing_mm) @ np.linalg.inv(steps_mm)
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(turn[::-1, ::-1].ravel().tolist())
    return transform


def _seen(
    shape: tuple[int, ...], scan: Volume, steps_mm: Matrix, low_mm: Float64[np.ndarray, "3"]
) -> Mask:
    """Which voxels of a grid have their middles in the scan."""
    to_index = np.linalg.inv(steps_mm)
    middles = [
        low + (np.arange(n) + 0.5) * STEP_MM for low, n in zip(low_mm, shape, strict=True)
    ]
    down, back, left = np.meshgrid(*middles, indexing="ij", sparse=True)
    seen = np.ones(shape, bool)
    for (by_down, by_back, by_left), n in zip(to_index, scan.shape, strict=True):
        index = by_down * down + by_back * back + by_left * left
        seen &= (index > -0.5) & (index < n - 0.5)
    return seen


# --- a grid of twice the work grid's step, for what is large and slow to measure ---

COARSE_MM = 2 * STEP_MM
COARSE_ML = COARSE_MM**3 / 1000

CoarseMask = Bool[np.ndarray, "down2 back2 left2"]
CoarseField = Float[np.ndarray, "down2 back2 left2"]


def coarse(values: Shaped[np.ndarray, "down back left"]) -> CoarseField:
    """Means over blocks of two by two by two; the last voxels repeat where a size is odd."""
    even = np.pad(values, [(0, size % 2) for size in values.shape], mode="edge")
    pairs = even.reshape([part for size in even.shape for part in (size // 2, 2)])
    return pairs.mean(axis=(1, 3, 5), dtype=np.float32)


def fine(mask: CoarseMask, shape: tuple[int, ...]) -> Bool[np.ndarray, "down back left"]:
    """A coarse mask on the work grid again."""
    for axis in range(3):
        mask = mask.repeat(2, axis=axis)
    down, back, left = shape
    return mask[:down, :back, :left]


# --- organs of the work grid drawn on the scan's own voxels, lungs to their very edge ---


def drawn_on_scan(grid: WorkGrid, codes: Codes, airways: Mask) -> UInt8[np.ndarray, "_ _ _"]:
    """Codes on the scan's voxels, in reading order.

    Inside and outside are decided on the work grid; within a step of a lung's edge, each voxel
    of the scan decides by itself whether it is air.
    """
    if_tissue, if_air = _choices(grid, codes, airways)
    if not grid.straight:
        tissue, air = grid.on_scan(if_tissue), grid.on_scan(if_air)
        np.copyto(tissue, air, where=grid.scan.voxels < AIR_HU)
        return tissue
    down, back, left = grid.places()
    out = np.empty(grid.scan.shape, np.uint8)
    drawn = -1
    for index, work in enumerate(down):
        if work != drawn:
            tissue, air = (choice[work][back][:, left] for choice in (if_tissue, if_air))
            drawn = work
        np.copyto(out[index], tissue)
        np.copyto(out[index], air, where=grid.scan.voxels[index] < AIR_HU)
    return out


def _choices(grid: WorkGrid, codes: Codes, airways: Mask) -> tuple[Codes, Codes]:
    """What each work voxel's part of the scan is where it is tissue, and where it is air."""
    if_tissue, if_air = codes.copy(), codes.copy()
    lungs = (codes == 1) | (codes == 2)
    outer = ndimage.binary_dilation(lungs) & ~lungs & ~airways
    inner = ndimage.binary_dilation(~lungs) & lungs & (grid.hu < AIR_HU)
    lung_codes = np.where(lungs, codes, 0)
    if_air[outer] = ndimage.maximum_filter(lung_codes, 3)[outer]
    beside = ndimage.maximum_filter(np.where(lungs, 0, codes), 3)
    if_tissue[inner] = beside[inner]
    return if_tissue, if_air
