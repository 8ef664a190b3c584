"""Organs of chests in which a disease was painted: is a wrong mask ever trusted?

    python benchmarks/organs_painted.py [first seed] [chests]

Truth is known: the organs of a simulated chest, with what was painted into a lung counted as
lung. A lung is wrong where its Dice is below .95, a mediastinum where it lacks a tenth of the
heart, or of the aorta at the level of the lungs (where it ends towards the belly is a matter of
definition). Wrong masks that are trusted are the harm; right ones that are doubted the cost.
"""

import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
from measure import hardware, table
from scipy import ndimage

import hirescam
from hirescam.organs.masks import ORGANS
from hirescam.organs.segment import segment_organs

SPACING_MM = (3.0, 2.0, 2.0)
WRONG_DICE, WRONG_SHARE = 0.95, 0.9


class Case:
    """A scan, its organs, and how to paint: axes run to the feet, the back and the left."""

    def __init__(self, seed: int):
        chest = hirescam.simulate(seed, spacing_mm=SPACING_MM)
        self.random = np.random.default_rng(seed)
        self.volume = chest.volume
        self.hu = chest.volume.voxels.astype(np.float32)
        self.organs = {name: mask.copy() for name, mask in chest.organs.items()}
        self.side = ("right_lung", "left_lung")[seed % 2]

    @property
    def lung(self) -> np.ndarray:
        return self.organs[self.side]

    def part(self, axis: int, share: float, *, last: bool = True) -> np.ndarray:
        """A share of the lung at its end along an axis, with a wavy border."""
        at = np.nonzero(self.lung)[axis]
        wave = ndimage.gaussian_filter(self.random.normal(size=self.hu.shape), 8)
        places = np.indices(self.hu.shape, np.float32)[axis] + 3 * wave / wave.std()
        edge = np.quantile(at, 1 - share if last else share)
        return self.lung & ((places > edge) if last else (places < edge))

    def paint(self, where: np.ndarray, hu: float) -> None:
        noise = ndimage.gaussian_filter(self.random.normal(size=self.hu.shape), 0.7)
        self.hu[where] = (hu + 15 * noise / noise.std())[where]

    def scan(self) -> hirescam.Volume:
        return replace(self.volume, voxels=np.rint(self.hu).astype(np.int16))


def clean(case: Case) -> None:
    """As simulated."""


def dense(axis: int, share: float, hu: float, *, last: bool = True) -> Callable[[Case], None]:
    return lambda case: case.paint(case.part(axis, share, last=last), hu)


def pneumothorax(share: float) -> Callable[[Case], None]:
    return lambda case: case.paint(case.part(1, share, last=False), -990.0)


def darker(by: float) -> Callable[[Case], None]:
    def change(case: Case) -> None:
        lungs = case.organs["right_lung"] | case.organs["left_lung"]
        aerated = lungs & (case.hu < -700)
        case.hu[aerated] = np.maximum(case.hu[aerated] - by, -1010)

    return change


def half_scale(case: Case) -> None:
    case.hu = (case.hu + 1024) / 2 - 1024


def circular_field(case: Case) -> None:
    _, rows, columns = np.indices(case.hu.shape)
    depth, width = case.hu.shape[1:]
    radius = 0.36 * width
    outside = np.hypot(rows - depth / 2, columns - width / 2) > radius
    case.hu[outside] = -2000
    for mask in case.organs.values():
        mask &= ~outside


def small_patient(case: Case) -> None:
    affine = case.volume.affine.copy()
    affine[:3, :3] *= 0.6
    case.volume = replace(case.volume, affine=affine)


KINDS: dict[str, Callable[[Case], None]] = {
    "clean": clean,
    "lower 15 %, 10 HU": dense(0, 0.15, 10),
    "lower 30 %, 40 HU": dense(0, 0.30, 40),
    "lower 45 %, 10 HU": dense(0, 0.45, 10),
    "lower 60 %, 40 HU": dense(0, 0.60, 40),
    "upper 30 %, 40 HU": dense(0, 0.30, 40, last=False),
    "rear 20 %, 40 HU": dense(1, 0.20, 40),
    "rear 35 %, 40 HU": dense(1, 0.35, 40),
    "rear 50 %, 20 HU": dense(1, 0.50, 20),
    "front 30 %, 40 HU": dense(1, 0.30, 40, last=False),
    "air in front, 25 %": pneumothorax(0.25),
    "air in front, 45 %": pneumothorax(0.45),
    "lungs darker by 90 HU": darker(90),
    "lungs darker by 150 HU": darker(150),
    "half scale": half_scale,
    "circular field of view": circular_field,
    "patient at .6": small_patient,
}


def judged(kind: str, seed: int, method: str) -> list[tuple[str, float, bool, bool]]:
    """Of each organ: its name, its Dice, whether it is wrong, whether it is trusted."""
    case = Case(seed)
    KINDS[kind](case)
    found = segment_organs(case.scan(), method)
    rows = []
    for organ in ORGANS:
        mask, truth = found.mask(organ), case.organs[organ]
        dice = 2 * float((mask & truth).sum()) / max(1, int(mask.sum() + truth.sum()))
        wrong = dice < WRONG_DICE
        if organ == "mediastinum":
            lungs = case.organs["right_lung"] | case.organs["left_lung"]
            level = np.arange(len(lungs)) < np.quantile(np.nonzero(lungs)[0], 0.7)
            inner = case.organs["heart"], case.organs["aorta"] & level[:, None, None]
            wrong = any((mask & part).sum() < WRONG_SHARE * part.sum() for part in inner)
        verdict = found.verdicts[organ]
        rows.append((organ, dice, bool(wrong), not verdict.reasons and not verdict.heuristic))
    return rows


def main() -> None:
    first = int(sys.argv[1]) if len(sys.argv) > 1 else 700_000
    chests = int(sys.argv[2]) if len(sys.argv) > 2 else 6
    print(f"\n## Painted chests, seeds from {first}, {chests} of each kind\n\n{hardware()}\n")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for method in sys.argv[3:] or ("robust", "published"):
            total: Counter[str] = Counter()
            rows = []
            for kind in KINDS:
                seeds = range(first, first + chests)
                made = list(pool.map(judged, [kind] * chests, seeds, [method] * chests))
                flat = [row for scan in made for row in scan]
                lungs = [dice for organ, dice, *_ in flat if organ != "mediastinum"]
                counts = Counter(
                    ("wrong" if wrong else "right", "trusted" if trusted else "doubted")
                    for _, _, wrong, trusted in flat
                )
                total += Counter({" ".join(key): value for key, value in counts.items()})
                rows.append(
                    (
                        kind,
                        f"{np.mean(lungs):.3f}",
                        f"{np.min(lungs):.3f}",
                        counts["wrong", "trusted"],
                        counts["wrong", "doubted"],
                        counts["right", "trusted"],
                        counts["right", "doubted"],
                    )
                )
            columns = "wrong trusted", "wrong doubted", "right trusted", "right doubted"
            print(f"\n{method}:\n")
            table(("kind", "Dice of lungs", "least", *columns), rows)
            print(f"\nin all: {dict(total)}\n", flush=True)


if __name__ == "__main__":
    main()
