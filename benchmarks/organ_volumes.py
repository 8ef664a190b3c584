"""Organ volumes of one patient, however the scan is turned, sampled, cropped or noisy.

A simulated chest and, where $HIRESCAM_DATA names the folder of real scans, a real one.
"""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from measure import hardware, table

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from hirescam.ct.reading import read_volume
from hirescam.ct.volume import Volume, reorient
from hirescam.organs.segment import segment_organs
from hirescam.simulation.chest import simulate
from make_turned import NOISE_HU, askew, noisy, on_turned_grid

SEED = 6
SPACING_MM = (1.5, 2.2, 2.2)
FINE_MM, THICK_MM = (0.7, 2.2, 2.2), (3.0, 2.2, 2.2)
REAL = "imlab/id001_ct.nii.gz"
CROP_MM = 25.0

Change = Callable[[Volume], Volume]


def narrow(volume: Volume) -> Volume:
    """Without the outermost millimetres to the front, the back and the sides."""
    rows, columns = (round(CROP_MM / step) for step in volume.spacing_mm[1:])
    corner = np.eye(4)
    corner[1:3, 3] = rows, columns
    inner = volume.voxels[:, rows:-rows, columns:-columns].copy()
    return Volume(inner, volume.affine @ corner)


def flipped(volume: Volume) -> Volume:
    return reorient(volume, "LSA")


CHANGES: dict[str, Change] = {
    **{
        f"grid turned {angle:.0f}° about {axis}": partial(
            on_turned_grid, axis=axis, angle_deg=angle
        )
        for axis in "xyz"
        for angle in (10.0, 20.0)
    },
    "patient turned 10° about z": partial(askew, angle_deg=10.0),
    "patient turned 20° about z": partial(askew, angle_deg=20.0),
    "axes flipped and exchanged": flipped,
    f"noise of {NOISE_HU:.0f} HU": noisy,
    f"{CROP_MM:.0f} mm cut off around": narrow,
}


def row(name: str, volume: Volume, before: dict[str, float]) -> tuple[str, ...]:
    after = segment_organs(volume).volumes_ml
    return (name, *(f"{after[organ] / before[organ] - 1:+.1%}" for organ in before))


def changed(name: str, volume: Volume) -> None:
    before = segment_organs(volume).volumes_ml
    rows = [row(change, CHANGES[change](volume), before) for change in CHANGES]
    sizes = ("as it is", *(f"{size:.0f} mL" for size in before.values()))
    print(f"\n## {name}\n")
    table(("change", *before), [sizes, *rows])


def main() -> None:
    print(hardware())
    changed("A simulated chest", simulate(SEED, findings=[], spacing_mm=SPACING_MM).volume)
    fine, thick = (
        simulate(SEED, findings=[], spacing_mm=spacing).volume
        for spacing in (FINE_MM, THICK_MM)
    )
    print(f"\n## The same at {THICK_MM[0]} mm, against {FINE_MM[0]} mm\n")
    before = segment_organs(fine).volumes_ml
    table(("change", *before), [row("thick slices", thick, before)])
    root = os.environ.get("HIRESCAM_DATA", Path(__file__).parents[2] / "shared" / "data")
    scan = Path(root) / "ct" / REAL
    if not scan.exists():
        raise SystemExit("no real scans here: name their folder in $HIRESCAM_DATA")
    changed("A real scan", reorient(read_volume(scan)))


if __name__ == "__main__":
    main()
