"""Kinds: what a finding is, where it was laid, and in which chest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from hirescam.simulation.canvas import Mix, Tissue, over
from hirescam.simulation.organs import Branches, Organs
from hirescam.simulation.physique import Physique
from hirescam.simulation.shapes import Shape


@dataclass(frozen=True, eq=False)
class Chest:
    """A person laid out in millimetres, before any voxel; a lung that is gone has no side."""

    person: Physique
    organs: Organs
    branches: dict[str, Branches]

    @property
    def sides(self) -> tuple[str, ...]:
        return tuple(side for side in self.organs.lungs if side != self.person.missing_lung)


@dataclass(frozen=True, eq=False)
class Lesion:
    """One finding with its place, its tissue and the words that its sentences need.

    `locations` are the most exact that a report would name, as SARLE spells them
    ("right_upper", "aorta"); `also` are abnormalities that only some lesions of a finding
    show, such as nodules that measure more than a centimetre.
    """

    shape: Shape
    tissue: Tissue
    locations: tuple[str, ...]
    words: dict[str, str] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    mix: Mix = over

    @property
    def side(self) -> str | None:
        """On which side of the lungs it lies: "right", "left" or "both"."""
        sides = {each.split("_")[0] for each in self.locations} & {"right", "left"}
        return "both" if len(sides) == 2 else next(iter(sides), None)


Placing = Callable[[Chest, np.random.Generator, Sequence[Lesion]], Lesion]
Change = Callable[[Physique, np.random.Generator], Physique]


def unchanged(person: Physique, random: np.random.Generator) -> Physique:
    """Most findings leave the organs where they were."""
    return person


@dataclass(frozen=True)
class Finding:
    """A row of `FINDINGS`: how it is placed, and how it changes the person beforehand.

    `abnormalities` are all that its sentences say; its label's own comes first. Only what
    needs no more than lungs can be inserted into a real scan.
    """

    place: Placing
    abnormalities: tuple[str, ...]
    change: Change = unchanged
    needs_only_lungs: bool = False
