"""WorkGrid: a scan at one coarse spacing along the patient's axes, whatever it came as."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from jaxtyping import Bool, Int, Int16, UInt8

from hirescam.ct.volume import Volume, reorient

STEP_MM = 2.5
VOXEL_ML = STEP_MM**3 / 1000
ORIENTATION = "IPL"  # slices lead to the feet, rows to the back, columns to the left

Field = Int16[np.ndarray, "down back left"]
Codes = UInt8[np.ndarray, "down back left"]
Mask = Bool[np.ndarray, "down back left"]


@dataclass(frozen=True, eq=False)
class WorkGrid:
    """Hounsfield units every `STEP_MM` along `down`, `back` and `left`, and the scan itself.

    `scan` is the volume with its axes turned to the patient's; no voxel of it is copied.
    """

    hu: Field
    scan: Volume

    def places(self) -> tuple[Int[np.ndarray, "_"], ...]:
        """Along each axis of the scan, the index of the work voxel that holds each voxel."""
        return tuple(
            np.clip(((np.arange(n) + 0.5) * step / STEP_MM).astype(int), 0, size - 1)
            for n, step, size in zip(
                self.scan.shape, self.scan.spacing_mm, self.hu.shape, strict=True
            )
        )


def work_grid(volume: Volume) -> WorkGrid:
    """Average what is finer than `STEP_MM`, interpolate what is coarser."""
    scan = reorient(volume, ORIENTATION)
    image = sitk.GetImageFromArray(scan.voxels)
    spacing = np.array(scan.spacing_mm[::-1])  # ITK counts from the fastest axis
    image.SetSpacing(spacing.tolist())
    blocks = np.clip(np.floor(STEP_MM / spacing + 0.01), 1, image.GetSize()).astype(int)
    if blocks.max() > 1:
        image = sitk.BinShrink(image, blocks.tolist())
    size = np.maximum(1, np.round(spacing * scan.shape[::-1] / STEP_MM)).astype(int)
    coarse = sitk.Resample(
        image,
        size.tolist(),
        sitk.Transform(),
        sitk.sitkLinear,
        ((STEP_MM - spacing) / 2).tolist(),
        [STEP_MM] * 3,
        np.eye(3).ravel().tolist(),
        0,
        sitk.sitkInt16,
        True,  # beyond the outermost voxel centres, their values
    )
    return WorkGrid(sitk.GetArrayFromImage(coarse), scan)
