"""Organ masks: accuracy on real scans, lesions kept in simulated ones, time and memory.

Real scans are research data that is not part of this repository: name their folder in
$HIRESCAM_DATA. `python benchmarks/organs.py accuracy`, `lesions` or `speed` runs one part
alone; `lesions` needs no data.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from measure import growth_mib, hardware, in_turn, ratios, table
from scipy import ndimage
from skimage.measure import label, regionprops
from skimage.morphology import remove_small_objects
from skimage.segmentation import clear_border

from hirescam.ct.reading import read_volume
from hirescam.ct.volume import Volume, reorient
from hirescam.metrics.localisation import overlap
from hirescam.organs.label_image import read_label_nifti
from hirescam.organs.masks import OrganMasks
from hirescam.organs.published import dark_lungs
from hirescam.organs.segment import segment_organs
from hirescam.simulation.chest import simulate

METHODS = ("published", "robust")
LUNGS = ("right_lung", "left_lung")

Structures = Mapping[str, tuple[tuple[int, ...], tuple[str, ...]]]
"""For each structure of a reference, its codes and the organs that should hold it."""

REFERENCES: tuple[tuple[str, str, Structures], ...] = (
    (
        "cip64/ct.nii.gz",
        "cip64/lungs_R1_L2_trachea3.nii.gz",
        {
            "right lung": ((1,), LUNGS[:1]),
            "left lung": ((2,), LUNGS[1:]),
            "lungs": ((1, 2), LUNGS),
        },
    ),
    ("imlab/id001_ct.nii.gz", "imlab/id001_lung.nii.gz", {"lungs": ((1,), LUNGS)}),
    ("imlab/id002_ct.nii.gz", "imlab/id002_lung.nii.gz", {"lungs": ((1,), LUNGS)}),
    ("elastix/ct.nii.gz", "elastix/right_lung.nii.gz", {"right lung": ((1,), LUNGS[:1])}),
    (
        "ts_aorta/ct.nii.gz",
        "ts_aorta/labels.nii.gz",
        {
            "aorta": ((1,), ("mediastinum",)),
            "pulmonary artery": ((2,), ("mediastinum",)),
            "heart": ((3,), ("mediastinum",)),
        },
    ),
)
WITHOUT_REFERENCE = ("fuzun", "ibsi/nifti/image/phantom.nii.gz", "abdomen/example_ct.nii.gz")
LESIONS = ("lung_nodule", "lung_mass", "lung_consolidation", "lung_pleural_effusion")
LESION_SEEDS = range(200, 240)  # no rule was made with a look at these
LESION_SPACINGS_MM = ((3.0, 3.0, 3.0), (1.5, 2.0, 2.0), (5.0, 1.5, 1.5))  # one after the other
ENOUGH = 0.95
FULL_SIZE, FULL_MM = (402, 420, 420), 0.8


def accuracy(data: Path) -> None:
    found = {
        scan: {method: timed(data / scan, method) for method in METHODS}
        for scan in (*(scan for scan, _, _ in REFERENCES), *WITHOUT_REFERENCE)
    }
    print("\n## Organ masks against references\n\nEach cell: published → robust.\n")
    rows = [
        row
        for scan, truth, structures in REFERENCES
        for row in compared(scan, read_label_nifti(data / truth).codes, structures, found[scan])
    ]
    table(("scan", "structure", "Dice", "sensitivity", "precision", "HD95 mm"), rows)
    print("\n## What must not be\n")
    cip = read_label_nifti(data / REFERENCES[0][1]).codes
    rows = []
    for method in METHODS:
        masks, _ = found[REFERENCES[0][0]][method]
        right, left = (masks.mask(side) for side in LUNGS)
        swapped = (right & (cip == 2)) | (left & (cip == 1))
        both = (right | left) & np.isin(cip, (1, 2))
        in_lungs = (right | left)[cip == 3].mean()
        rows.append((method, f"{swapped.sum() / both.sum():.4%}", f"{in_lungs:.2%}"))
    table(
        ("method", "lung voxels on the wrong side, cip64", "trachea in the lungs, cip64"), rows
    )
    print("\n## Volumes, verdicts, seconds\n")
    rows = [
        (
            scan,
            method,
            *(f"{masks.volumes_ml[organ]:.0f}" for organ in masks.organs),
            "; ".join(dict.fromkeys(r for v in masks.verdicts.values() for r in v.reasons))
            or "trusted",
            f"{seconds:.2f}",
        )
        for scan, by_method in found.items()
        for method, (masks, seconds) in by_method.items()
    ]
    table(("scan", "method", "right mL", "left mL", "mediastinum mL", "verdict", "s"), rows)


def timed(scan: Path, method: str) -> tuple[OrganMasks, float]:
    volume = read_volume(scan)
    start = time.perf_counter()
    masks = segment_organs(volume, method)
    return masks, time.perf_counter() - start


def compared(
    scan: str,
    truth: np.ndarray,
    structures: Structures,
    found: Mapping[str, tuple[OrganMasks, float]],
) -> Iterator[tuple[str, ...]]:
    """A row for each structure; of what a larger organ holds, only the sensitivity says."""
    for name, (codes, organs) in structures.items():
        agreed = []
        for method in METHODS:
            masks, _ = found[method]
            mask = np.logical_or.reduce([masks.mask(organ) for organ in organs])
            spacing_mm = Volume(np.zeros(masks.codes.shape, np.int16), masks.affine).spacing_mm
            agreed.append(overlap(mask, np.isin(truth, codes), spacing_mm))
        cells = [
            " → ".join(f"{getattr(one, measure):.{digits}f}" for one in agreed)
            for measure, digits in (
                ("dice", 4), ("sensitivity", 4), ("precision", 4), ("hd95_mm", 1),
            )
        ]  # fmt: skip
        if organs == ("mediastinum",):
            cells = ["–", cells[1], "–", "–"]
        yield scan, name, *cells


def lesions() -> None:
    """How much of each simulated lesion lies in the masks of the lungs that it is in."""
    print(f"\n## Lesions of {len(LESION_SEEDS)} simulated chests each\n")
    rows = []
    for lesion in LESIONS:
        shares = np.array([kept(lesion, seed) for seed in LESION_SEEDS])
        worst = ", ".join(
            f"{seed}: {share:.2f}"
            for seed, share in zip(LESION_SEEDS, shares, strict=True)
            if share < ENOUGH
        )
        enough = f"{(shares >= ENOUGH).sum()} of {len(shares)}"
        rows.append((lesion, enough, f"{shares.mean():.3f}", f"{shares.min():.3f}", worst))
    table(("lesion", f"at least {ENOUGH:.0%} kept", "mean", "least", "seeds with less"), rows)


def kept(finding: str, seed: int) -> float:
    spacing_mm = LESION_SPACINGS_MM[seed % len(LESION_SPACINGS_MM)]
    ill = simulate(seed, findings=[finding], spacing_mm=spacing_mm)
    masks, lesion = segment_organs(ill.volume), ill.masks[finding]
    own = [side for side in LUNGS if ill.sides[finding] in (side.removesuffix("_lung"), "both")]
    inside = np.logical_or.reduce([masks.mask(side) for side in own])
    return float((inside & lesion).sum() / lesion.sum())


def speed(data: Path) -> None:
    scan = full_size(data)
    print(f"\n## A real chest on {FULL_SIZE} voxels of {FULL_MM} mm\n\n{hardware()}\n")
    same = np.array_equal(segment_organs(scan, "published").codes, slow_codes(scan.voxels))
    print(f"`published` equals the slow restatement of its steps voxel for voxel: {same}\n")
    things: dict[str, Callable[[], object]] = {
        "the authors' steps one by one": partial(slow_codes, scan.voxels),
        "of these, the lungs": partial(slow_lungs, scan.voxels),
        "published": partial(segment_organs, scan, "published"),
        "of it, the lungs": partial(dark_lungs, scan),
        "robust": partial(segment_organs, scan, "robust"),
        "a threshold": lambda: scan.voxels < -300,
    }
    base = next(iter(things))
    seconds = in_turn(things, rounds=2)
    faster = ratios(seconds, base)
    volume_mib = scan.voxels.nbytes / 2**20
    rows = [
        (name, f"{min(own):.2f}", f"{faster[name]:.0f}×", memory(name, volume_mib))
        for name, own in seconds.items()
    ]
    table(("what", "best s", "times faster", "peak memory above the volume, volumes"), rows)


def memory(method: str, volume_mib: float) -> str:
    """Growth of a fresh process while a method runs, in sizes of the int16 volume."""
    if method not in METHODS:
        return "–"
    command = [sys.executable, "-W", "ignore", __file__, "growth", method]
    grown = float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return f"{grown / volume_mib:.2f}"


def full_size(data: Path) -> Volume:
    """A real chest at 2.5 × 2.5 × 4.8 mm drawn on the published grid, with noise of its own."""
    scan = reorient(read_volume(data / "imlab/id001_ct.nii.gz"))
    zoom = np.divide(FULL_SIZE, scan.shape)
    fine = ndimage.zoom(scan.voxels.astype(np.float32), zoom, order=1)
    fine += np.random.default_rng(0).normal(0, 15, FULL_SIZE).astype(np.float32)
    voxels = np.rint(fine.clip(-1024, 3071)).astype(np.int16)
    affine = np.eye(4)
    affine[:3, :3] = -FULL_MM * np.eye(3)[::-1]
    return Volume(voxels, affine)


def slow_lungs(hu: np.ndarray) -> np.ndarray:
    """The authors' steps one by one, unwanted pieces erased pixel by pixel."""
    mask = hu < -300
    for plane in mask:
        plane[:] = clear_border(plane)
        regions = regionprops(label(plane))
        areas = sorted(region.area for region in regions)
        for region in regions if len(regions) > 2 else ():
            if region.area < areas[-2]:
                for row, column in region.coords:
                    plane[row, column] = False
    return remove_small_objects(mask, max_size=999_999, connectivity=1).astype(np.int64)


def slow_codes(hu: np.ndarray) -> np.ndarray:
    """The same, the box around every piece, and the organs in our codes."""
    lungs = slow_lungs(hu)
    boxes = np.array([region.bbox for region in regionprops(label(lungs))])
    top, front, right = boxes[:, :3].min(axis=0)
    bottom, back, left = boxes[:, 3:].max(axis=0)
    quarter = (left - right) // 4
    codes = np.zeros(hu.shape, np.int64)
    codes[top:bottom, front:back, right + quarter : left - quarter // 2] = 3
    halves = np.where(np.arange(hu.shape[2]) < hu.shape[2] // 2, 1, 2)
    return np.where(lungs == 1, halves, codes)


def main(part: str = "all", method: str = "") -> None:
    root = os.environ.get("HIRESCAM_DATA", Path(__file__).parents[2] / "shared" / "data")
    data = Path(root) / "ct"
    if part in ("lesions", "all"):
        lesions()
    if part == "lesions":
        return
    if not data.is_dir():
        raise SystemExit("no real scans here: name their folder in $HIRESCAM_DATA")
    if part == "growth":
        scan = full_size(data)
        print(growth_mib(partial(segment_organs, scan, method)))
        return
    for name, measure in (("accuracy", accuracy), ("speed", speed)):
        if part in (name, "all"):
            measure(data)


if __name__ == "__main__":
    main(*sys.argv[1:])
