"""Quality: measures of each organ's mask against anatomy, and what they say against it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import fill_voids
import numpy as np
from scipy import ndimage

from hirescam.ct.volume import Volume
from hirescam.organs.disease import coarse_chest
from hirescam.organs.lungs import airways, body, enclosed_air, free_air_hu, largest
from hirescam.organs.masks import ORGANS, OrganMasks, Verdict, to_reading_order
from hirescam.organs.mediastinum import mediastinum
from hirescam.organs.sides import midplane
from hirescam.organs.work_grid import (
    BONE_HU,
    COARSE_ML,
    LEFT,
    RIGHT,
    STEP_MM,
    VOXEL_ML,
    Codes,
    Field,
    Mask,
    coarse,
    work_grid,
)

DENSE_HU = -300

SIZE_ML = {
    "right_lung": (700.0, 5000.0),  # from full expiration to emphysema
    "left_lung": (600.0, 4500.0),
    "mediastinum": (300.0, 3000.0),
}
LEAST_LUNGS_ML = 100.0  # less tells nothing of a chest
LEAST_CAGE_MM = 200.0
ADULT_CAGE_MM = 240.0
"""Width of the bones around the lungs from which sizes are an adult's; below, as its cube."""
OTHER = {"right_lung": "left_lung", "left_lung": "right_lung"}
UNEVEN = 3.0  # times the size of the other lung
CUT = 0.005  # share of an organ's voxels at the border of the field of view
DENSE = 0.4  # share of a lung that may be denser than lung
ASTRAY = 0.25  # share of a lung beyond the midplane, as where a scan shows no spine
HOLED = 0.05  # share of a lung's outline that it leaves empty
BONY = 0.01  # least share of bone in the body around
AERATED_HU = -500
PRONE_HU = 20.0  # denser in front than behind; of those who lie supine at most half of that
ASIDE_MM = 90.0  # of the midplane: a large heart reaches there
DARKEST_HU = (-1500.0, -820.0)  # of the air in a chest
FLOORS_MM = (-10.0, 25.0)  # how much lower the left lung may end than the right, over the liver
UNCLAIMED_ML = 45.0  # of soft tissue inside the ribs that belongs to no organ
AMONG_LUNGS = (4, 0.6)  # coarse slices below the lungs' tops, and how far down their floor
LEAN_HU = -50.0  # of a coarse voxel: less holds fat or air
LEFT_OUT_ML = 60.0  # of air beside the lungs
AIRY = 0.25  # share of a mediastinum that may be air
ASIDE = 0.03  # share of a mediastinum that may lie further out


@dataclass(frozen=True)
class Measures:
    """What is judged of each organ: its size, and shares of its voxels from 0 to 1.

    `sag_hu` is how much denser aerated lung is in its rear third than in its front third: lung
    hangs down, so that it is below 0 in who lies prone. `cage_mm` is the width of the bones
    around the organs.
    """

    size_ml: Mapping[str, float]
    at_border: Mapping[str, float]
    dense: Mapping[str, float]
    astray: Mapping[str, float]
    holes: Mapping[str, float]
    aside: float
    bone: float
    sag_hu: float
    cage_mm: float = ADULT_CAGE_MM


def measure(
    hu: Field,
    codes: Codes,
    trunk: Mask,
    seen: Mask,
    middle: float,
    size_ml: Mapping[str, float],
) -> Measures:
    """Contact with the border, density, place and holes of organs whose sizes are known."""
    masks = {organ: codes == code for code, organ in enumerate(ORGANS, start=1)}
    columns = np.broadcast_to(np.arange(codes.shape[2]) + 0.5, codes.shape)
    border = seen & ~ndimage.binary_erosion(seen)
    slices = np.flatnonzero((codes > 0).any(axis=(1, 2)))
    level_with_organs = np.zeros_like(trunk)
    level_with_organs[slices] = trunk[slices]
    return Measures(
        size_ml=size_ml,
        at_border={organ: _share(border, mask) for organ, mask in masks.items()},
        dense={organ: _share(hu > DENSE_HU, mask) for organ, mask in masks.items()},
        astray={
            "right_lung": _share(columns > middle, masks["right_lung"]),
            "left_lung": _share(columns < middle, masks["left_lung"]),
        },
        holes={organ: _holes(masks[organ]) for organ in OTHER},
        aside=_share(np.abs(columns - middle) * STEP_MM > ASIDE_MM, masks["mediastinum"]),
        bone=_share(hu > BONE_HU, level_with_organs),
        sag_hu=_sag_hu(hu, [masks[organ] for organ in OTHER]),
        cage_mm=_width_mm((hu > BONE_HU) & level_with_organs),
    )


def more_doubts(
    hu: Field, codes: Codes, trunk: Mask, air: Mask, tubes: Mask, middle: float
) -> dict[str, tuple[str, ...]]:
    """What the finished masks leave out, and values that are no Hounsfield units."""
    doubts: dict[str, list[str]] = {organ: [] for organ in ORGANS}
    lungs = {organ: codes == code for organ, code in zip(OTHER, (RIGHT, LEFT), strict=True)}
    either = lungs["right_lung"] | lungs["left_lung"]
    if not either.any():
        return dict.fromkeys(ORGANS, ())
    darkest = float(np.quantile(hu[either | tubes], 0.001))
    if not DARKEST_HU[0] < darkest < DARKEST_HU[1]:
        for reasons in doubts.values():
            reasons.append(
                f"its air measures {darkest:.0f} HU, expected near -1000: not Hounsfield units"
            )
    ends = {
        organ: float(np.quantile(np.nonzero(lung)[0], 0.98)) * STEP_MM
        for organ, lung in lungs.items()
        if lung.any()
    }
    if len(ends) == 2:
        higher, lower = sorted(ends, key=lambda organ: ends[organ])
        apart_mm = ends[lower] - ends[higher]
        least, most = FLOORS_MM
        if not least <= ends["left_lung"] - ends["right_lung"] <= most:
            reason = (
                f"the {higher.replace('_', ' ')} ends {apart_mm:.0f} mm above the other: fluid "
                "or consolidation below it may be missing"
            )
            doubts[higher].append(reason)
            doubts["mediastinum"].append(reason)
    above = np.arange(len(codes))[:, None, None] <= np.quantile(np.nonzero(either)[0], 0.9)
    near = ndimage.binary_dilation(either, iterations=3)
    left_out = air & ~either & ~tubes & above & (codes == 0)
    left_out = ndimage.binary_opening(left_out)  # a rim is where masks may differ
    pieces, count = ndimage.label(left_out)
    touching = np.bincount(pieces[near & left_out], minlength=count + 1) > 0
    touching[0] = False
    left_out_ml = float(touching[pieces].sum()) * VOXEL_ML
    if left_out_ml > LEFT_OUT_ML:
        for reasons in doubts.values():
            reasons.append(
                f"{left_out_ml:.0f} mL of air beside the lungs is in none of them: "
                "pneumothorax, or lung that was lost"
            )
    for organ, (beside_ml, astray_ml) in tissue_in_the_way(
        hu, codes, trunk, tubes, middle
    ).items():
        name = organ.replace("_", " ")
        if beside_ml > UNCLAIMED_ML:
            doubts[organ].append(
                f"{beside_ml:.0f} mL of soft tissue inside the ribs beside the {name} is in no "
                f"organ: consolidation or fluid that was lost, or a mass"
            )
        if astray_ml > UNCLAIMED_ML:
            reason = (
                f"{astray_ml:.0f} mL of the mediastinum lies where the {name} should: it may "
                f"hold consolidation, fluid or a mass"
            )
            doubts[organ].append(reason)
            doubts["mediastinum"].append(reason)
    return {organ: tuple(reasons) for organ, reasons in doubts.items()}


def tissue_in_the_way(
    hu: Field, codes: Codes, trunk: Mask, tubes: Mask, middle: float
) -> dict[str, tuple[float, float]]:
    """Lean tissue on each lung's side that is no lung, in two places, in mL.

    First, within the ribs but in no organ, in thick pieces, at the level of the upper lungs,
    where no organ of the belly reaches. Second, in the mediastinum, but beside where heart and
    great vessels lie.
    """
    lungs = np.where(codes == ORGANS.index("mediastinum") + 1, 0, codes)
    chest = coarse_chest(hu, lungs, trunk, tubes, middle)
    between = coarse(codes == ORGANS.index("mediastinum") + 1) > 0.5
    slices = np.flatnonzero(chest.lung.any(axis=(1, 2)))
    down = np.arange(len(chest.lung))[:, None, None]
    ends = [
        np.quantile(np.nonzero(lungs == code)[0], 0.97) / 2
        for code in np.unique(lungs[lungs > 0])
    ]
    first, share = AMONG_LUNGS
    level = (down > slices[0] + first) & (down < slices[0] + share * (max(ends) - slices[0]))
    lean = (chest.hu > LEAN_HU) & (chest.hu < BONE_HU)
    beside = chest.soft & ~between & lean & level
    astray = between & ~chest.zone & lean
    on_right = np.arange(chest.lung.shape[2]) < chest.middle
    return {
        organ: (
            float(ndimage.binary_opening(beside & side, iterations=2).sum()) * COARSE_ML,
            float((astray & side).sum()) * COARSE_ML,
        )
        for organ, side in (("right_lung", on_right), ("left_lung", ~on_right))
    }


def judged_on_scan(volume: Volume, masks: OrganMasks) -> OrganMasks:
    """Masks whose verdicts also say what sizes, density and sides tell against them."""
    voxels = volume.voxels
    volumes_ml = masks.volumes_ml
    verdicts = dict(masks.verdicts)
    across: dict[str, float] = {}
    for organ in masks.organs:
        verdict = verdicts.get(organ, Verdict())
        if organ not in SIZE_ML or verdict.heuristic or not volumes_ml[organ]:
            continue
        mask, reasons = masks.mask(organ), list(verdict.reasons)
        least, most = SIZE_ML[organ]
        if not least <= volumes_ml[organ] <= most:
            reasons.append(f"{volumes_ml[organ]:.0f} mL, expected {least:.0f} to {most:.0f} mL")
        if organ in OTHER:
            dense = float((voxels[mask] > DENSE_HU).mean())
            if dense > DENSE:
                reasons.append(f"{dense:.0%} of it is dense: diseased, or not lung")
            middle = np.array([float(axis.mean()) for axis in np.nonzero(mask)])
            across[organ] = float(volume.affine[0, :3] @ middle)
        else:
            airy = float((voxels[mask] < AERATED_HU).mean())
            if airy > AIRY:
                reasons.append(f"{airy:.0%} of it is air: it holds lung")
        verdicts[organ] = Verdict(tuple(reasons), heuristic=verdict.heuristic)
    if len(across) == 2 and across["right_lung"] < across["left_lung"]:
        for organ in across:
            reason = "it lies on the other side than its name says"
            verdicts[organ] = replace(
                verdicts[organ], reasons=(*verdicts[organ].reasons, reason)
            )
    for organ, more in _doubts_on_work_grid(volume, masks).items():
        verdict = verdicts.get(organ, Verdict())
        if volumes_ml[organ] and not verdict.heuristic:
            verdicts[organ] = replace(verdict, reasons=(*verdict.reasons, *more))
    return replace(masks, verdicts=verdicts)


def _doubts_on_work_grid(volume: Volume, masks: OrganMasks) -> dict[str, tuple[str, ...]]:
    """What masks leave out of the chest that they lie in; nothing where there is no chest.

    Lungs are judged beside the mediastinum that we find between them, so that one that was
    drawn generously tells nothing against them.
    """
    lungs = [organ for organ in OTHER if organ in masks.organs]
    if not lungs:
        return {}
    grid = work_grid(volume)
    trunk = body(grid.hu, grid.seen)
    air = enclosed_air(grid.hu, trunk, grid.seen)
    named = np.zeros(volume.shape, np.uint8)
    for code, organ in enumerate(ORGANS, start=1):
        if organ in masks.organs:
            named[masks.mask(organ)] = code
    codes = grid.from_scan(to_reading_order(named, volume.affine))
    both = codes * np.isin(codes, (RIGHT, LEFT))
    if np.count_nonzero(both) * VOXEL_ML < LEAST_LUNGS_ML or not trunk.any():
        return {}
    tubes = airways(grid.hu, air, largest(air), free_air_hu(grid.hu, air)) & (codes == 0)
    middle = midplane(grid.hu, trunk, both > 0, tubes)
    between = mediastinum(grid.hu, both, trunk | tubes, middle)
    ours = np.where(between & (both == 0), ORGANS.index("mediastinum") + 1, both)
    doubts = more_doubts(grid.hu, ours.astype(np.uint8), trunk, air, tubes, middle)
    if "mediastinum" in masks.organs:
        theirs = more_doubts(grid.hu, codes, trunk, air, tubes, middle)
        doubts["mediastinum"] = theirs["mediastinum"]
    return {organ: doubts[organ] for organ in masks.organs if organ in doubts}


def verdicts(measures: Measures) -> dict[str, Verdict]:
    """For each organ what speaks against its mask; heuristic where nothing was found."""
    return {
        organ: Verdict(tuple(_reasons(organ, measures)), heuristic=not measures.size_ml[organ])
        for organ in ORGANS
    }


def _reasons(organ: str, measures: Measures) -> Iterator[str]:
    size_ml = measures.size_ml
    least, most = SIZE_ML[organ]
    least *= min(1.0, measures.cage_mm / ADULT_CAGE_MM) ** 3
    if not size_ml[organ]:
        yield "not found: the mask shows where it lies in most people"
        return
    if not least <= size_ml[organ] <= most:
        yield f"{size_ml[organ]:.0f} mL, expected {least:.0f} to {most:.0f} mL"
    if measures.at_border[organ] > CUT:
        share = measures.at_border[organ]
        yield f"cut off by the field of view ({share:.1%} of it lies at the border)"
    if measures.cage_mm < LEAST_CAGE_MM:
        yield (
            f"the ribs seen are {measures.cage_mm:.0f} mm wide: a child, a narrow field of "
            f"view or a wrong spacing; what is measured in millimetres here is an adult's"
        )
    if measures.bone < BONY:
        yield f"no skeleton around ({measures.bone:.1%} of the body is bone): not a patient"
    other = OTHER.get(organ)
    if other is None:
        missing = [lung for lung in OTHER if not size_ml[lung]]
        if missing:
            yield f"bounded on one side only: {' and '.join(missing)} not found"
        if measures.aside > ASIDE:
            yield (
                f"{measures.aside:.0%} of it lies more than {ASIDE_MM:.0f} mm from the spine: "
                "it may hold what lies under a raised diaphragm"
            )
        return
    if measures.dense[organ] > DENSE:
        yield f"{measures.dense[organ]:.0%} of it is dense: diseased, or not lung"
    if measures.astray[organ] > ASTRAY:
        yield f"{measures.astray[organ]:.0%} of it lies on the other side of the spine"
    if measures.sag_hu < -PRONE_HU:
        yield (
            f"lung is denser in front than behind by {-measures.sag_hu:.0f} HU, as in who lies "
            f"prone: fluid that sank to the front is not told from the chest wall"
        )
    if measures.holes[organ] > HOLED:
        yield f"{measures.holes[organ]:.0%} of its inside is holes"
    if size_ml[organ] * UNEVEN < size_ml[other]:
        times = size_ml[other] / size_ml[organ]
        yield f"{times:.1f} times smaller than the {other.replace('_', ' ')}"


def _sag_hu(hu: Field, lungs: Sequence[Mask]) -> float:
    """The mean over the lungs that there are; 0 where there is none."""
    differences = []
    for lung in lungs:
        aerated = lung & (hu < AERATED_HU)
        rows, values = np.nonzero(aerated)[1], hu[aerated]
        if rows.size:
            front, rear = np.quantile(rows, (1 / 3, 2 / 3))
            thirds = values[rows >= rear], values[rows <= front]
            differences.append(float(np.median(thirds[0]) - np.median(thirds[1])))
    return float(np.mean(differences)) if differences else 0.0


def _width_mm(bones: Mask) -> float:
    """From side to side, but for the outermost hundredth; an adult's where there is none."""
    columns = np.nonzero(bones)[2]
    if not columns.size:
        return ADULT_CAGE_MM
    first, last = np.quantile(columns, (0.01, 0.99))
    return float(last - first + 1) * STEP_MM


def _holes(mask: Mask) -> float:
    """The share of what a mask encloses that it does not hold."""
    boxes = ndimage.find_objects(mask.astype(np.uint8))
    if not boxes:
        return 0.0
    own = np.ascontiguousarray(mask[boxes[0]])
    whole = fill_voids.fill(own)
    return _share(~own, whole)


def _share(part: Mask, whole: Mask) -> float:
    count = int(whole.sum())
    return float((part & whole).sum()) / count if count else 0.0
