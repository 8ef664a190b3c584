"""simulate: a chest CT with known anatomy, known findings and its report, from a seed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool

from hirescam.anatomy import LABELS
from hirescam.ct.volume import Volume
from hirescam.errors import HirescamError
from hirescam.simulation import stream
from hirescam.simulation.findings.kinds import Chest, Lesion
from hirescam.simulation.findings.table import FINDINGS
from hirescam.simulation.organs import build_organs, lung_branches
from hirescam.simulation.painting import voxel_grid
from hirescam.simulation.render import Scene, field_of_view, render
from hirescam.simulation.report import Cell, cells, labels_of, write_report
from hirescam.simulation.shapes import Number, remembered
from hirescam.simulation.shortcuts import SHORTCUTS
from hirescam.simulation.trunk import Physique, draw_physique

Mask = Bool[np.ndarray, "slice row column"]

Position = Literal["supine", "prone"]

_COMMON = (
    "great_vessel_calcification",
    "great_vessel_catheter_or_port",
    "heart_cardiomegaly",
    "lung_consolidation",
    "lung_nodule",
    "lung_pleural_effusion",
)
SIMULATED_LABELS = tuple(label for label in LABELS if label in _COMMON)
"""What `simulate` draws from if it is not told: few enough for a small network to learn.

`FINDINGS` has a row for each of the 80 labels; any of them can be asked for.
"""


@dataclass(frozen=True, eq=False)
class SimulatedChest:
    """A scan and the truth about it.

    `labels` says of every label that was drawn from, or asked for, whether it is present.
    `cells` holds each abnormality with each location where it lies, and `masks` the voxels of
    each of the 80 labels that follow from them; `sides` tells on which side lung findings lie
    ("right", "left", "both"). `organs` holds the lungs (with vessels, lesions and pleural
    fluid) and the mediastinum, and within that the heart, the aorta and the airways.
    `shortcuts` says which of those asked for is present, `shortcut_masks` where.
    """

    volume: Volume
    labels: dict[str, bool]
    cells: frozenset[Cell]
    masks: dict[str, Mask]
    organs: dict[str, Mask]
    sides: dict[str, str]
    report: str
    shortcuts: dict[str, bool]
    shortcut_masks: dict[str, Mask]


def simulate(
    seed: int,
    *,
    findings: Collection[str] | None = None,
    spacing_mm: tuple[Number, Number, Number] = (2.0, 1.5, 1.5),
    prevalence: Number | Mapping[str, Number] = 0.4,
    shortcuts: Mapping[str, bool] | None = None,
    position: Position = "supine",
) -> SimulatedChest:
    """A chest CT in orientation IPL with `findings`, or with each drawn at `prevalence`.

    A number is the prevalence of each of `SIMULATED_LABELS`, a mapping that of its keys.
    `shortcuts` says of some of `SHORTCUTS` whether this person has them. Who lies prone has
    the table before the chest, fluid sunk to the front and air risen to the back.
    The same seed gives the same bytes, and the same person whatever the findings: two calls
    that differ in one finding differ in the scan only where it lies.

    Raises `HirescamError` for findings and shortcuts that no table knows, and for prevalences
    that are no shares.
    """
    _check(seed, spacing_mm)
    planted = dict(shortcuts or {})
    person = replace(draw_physique(stream(seed, "person")), prone=position == "prone")
    for name in _known(planted, SHORTCUTS, "shortcuts"):
        change = SHORTCUTS[name].change
        person = change(person, planted[name], stream(seed, f"shortcut {name}"))
    if findings is None:
        often = _each(prevalence)
        asked = _known(often, FINDINGS, "findings")
        present = tuple(label for label in asked if _strikes(seed, label, often[label]))
    else:
        present = _known(findings, FINDINGS, "findings")
        asked = (*SIMULATED_LABELS, *present)
    chest = lay_out(seed, person, present)
    lesions = place_lesions(seed, chest, present)
    affine, shape = field_of_view(person, spacing_mm)
    truths = {label: cells(FINDINGS[label], lesion) for label, lesion in lesions.items()}
    scene = Scene(
        chest,
        lesions,
        {label: labels_of(truth) for label, truth in truths.items()},
        {name: SHORTCUTS[name] for name, is_there in planted.items() if is_there},
    )
    drawn = render(seed, scene, voxel_grid(affine, shape))
    return SimulatedChest(
        volume=Volume(drawn.voxels, affine),
        labels={label: label in present for label in LABELS if label in asked},
        cells=frozenset[Cell]().union(*truths.values()),
        masks=drawn.masks,
        organs=drawn.organs,
        sides={label: lesion.side for label, lesion in lesions.items() if lesion.side},
        report=write_report(lesions, stream(seed, "report")),
        shortcuts=planted,
        shortcut_masks=drawn.shortcut_masks,
    )


def lay_out(seed: int, person: Physique, present: Collection[str]) -> Chest:
    """Organs as the findings leave them; branches as they grew before."""
    before = build_organs(person)
    branches = lung_branches(person, before.lungs, stream(seed, "branches"))
    changed = person
    for label in present:
        changed = FINDINGS[label].change(changed, stream(seed, f"change {label}"))
    return Chest(changed, before if changed == person else build_organs(changed), branches)


def place_lesions(seed: int, chest: Chest, present: Collection[str]) -> dict[str, Lesion]:
    """Each finding at its place, one after the other."""
    lesions: dict[str, Lesion] = {}
    for label in present:
        place = FINDINGS[label].place
        lesion = place(chest, stream(seed, label), tuple(lesions.values()))
        lesions[label] = replace(lesion, shape=remembered(lesion.shape))
    return lesions


def _each(prevalence: Number | Mapping[str, Number]) -> Mapping[str, Number]:
    """The prevalence of each label, given for all at once or one by one."""
    if not isinstance(prevalence, Mapping):
        prevalence = dict.fromkeys(SIMULATED_LABELS, prevalence)
    wrong = {label: often for label, often in prevalence.items() if not 0 <= often <= 1}
    if wrong:
        raise HirescamError(f"prevalences {wrong} are no shares: give numbers from 0 to 1")
    return prevalence


def _strikes(seed: int, label: str, prevalence: Number) -> bool:
    return stream(seed, f"is there {label}").random() < prevalence


def _known(names: Collection[str], table: Mapping[str, object], what: str) -> tuple[str, ...]:
    """The names, in the order of their table."""
    names = (names,) if isinstance(names, str) else names
    unknown = set(names) - set(table)
    if unknown:
        raise HirescamError(
            f"cannot simulate {', '.join(sorted(unknown))}: choose {what} among "
            f"{', '.join(sorted(table))}"
        )
    return tuple(name for name in table if name in names)


def _check(seed: int, spacing_mm: tuple[Number, Number, Number]) -> None:
    if seed < 0 or min(spacing_mm) <= 0:
        raise HirescamError(
            f"cannot simulate seed {seed} at spacing {spacing_mm}: give a seed of 0 or more "
            f"and positive millimetres"
        )
