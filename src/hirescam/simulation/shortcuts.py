"""Shortcuts: what a network could learn instead of a finding, planted as strongly as asked.

With probability `strength` a person's shortcut copies the label; otherwise it is drawn anew at
the label's own prevalence. Both then have one prevalence, and `strength` is their correlation.
Body-wall fat that goes with atherosclerosis is the case of Draelos and Carin,
arXiv:2011.08891, figure 14.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from hirescam.anatomy import LABELS
from hirescam.errors import HirescamError
from hirescam.simulation import stream
from hirescam.simulation.findings.table import FINDINGS
from hirescam.simulation.occurrence import Row, draw_findings
from hirescam.simulation.shapes import (
    Distance,
    Number,
    Points,
    Shape,
    ellipsoid,
    grown,
    without,
)
from hirescam.simulation.trunk import Physique, body, lies_at_mm, under

Change = Callable[[Physique, bool, np.random.Generator], Physique]


def unchanged(person: Physique, present: bool, random: np.random.Generator) -> Physique:
    """Most shortcuts leave the person as they are."""
    return person


@dataclass(frozen=True)
class Shortcut:
    """A row of `SHORTCUTS`: the label it goes with unless told otherwise, and what it is.

    `hu` is what its shape is painted with; None where the person's own tissue is the shortcut.
    """

    label: str
    shape: Callable[[Physique], Shape]
    hu: float | None = None
    change: Change = unchanged


def _marker(person: Physique) -> Shape:
    """A lead marker in the air in front of the right shoulder."""
    outline = body(person)
    centre = (0.62 * outline.high[0], outline.high[1] + 16, 30 * person.tall)
    return ellipsoid(centre, (8, 5, 11))


def _rod(person: Physique) -> Shape:
    """A rod in the air in front of the right shoulder, through every slice."""
    outline = body(person)
    across, ahead = 0.62 * outline.high[0], outline.high[1] + 16

    def distance(points: Points) -> Distance:
        aside = np.maximum(
            np.abs(points.x - np.float32(across)), np.abs(points.y - np.float32(ahead))
        )
        return aside - np.float32(6) + np.float32(0) * points.z

    low, high = np.array([across - 8, ahead - 8, -1e4]), np.array([across + 8, ahead + 8, 1e4])
    return Shape(low, high, distance)


def _bed(person: Physique) -> Shape:
    """Rods along the table, one every three centimetres."""
    lowest = lies_at_mm(person) - 22

    def distance(points: Points) -> Distance:
        aside = np.remainder(points.x, np.float32(30)) - 15
        rise = points.x * points.x * np.float32(1 / 1400)
        deep = points.y - np.float32(lowest) - rise
        rods = np.sqrt(aside * aside + deep * deep) - 4
        return np.maximum(rods, np.abs(points.x) - 120) + np.float32(0) * points.z

    low, high = np.array([-124.0, lowest - 6, -1e4]), np.array([124.0, lowest + 18, 1e4])
    return under(person, Shape(low, high, distance))


def _fat(person: Physique) -> Shape:
    outline = body(person)
    return without(outline, grown(outline, -person.fat_mm))


def _habitus(person: Physique, present: bool, random: np.random.Generator) -> Physique:
    return replace(person, fat_mm=random.uniform(*((24, 34) if present else (6, 12))))


SHORTCUTS = {
    "marker": Shortcut("heart_cardiomegaly", _marker, hu=2000.0),
    "rod": Shortcut("lung_pleural_effusion", _rod, hu=2000.0),
    "bed_pattern": Shortcut("lung_consolidation", _bed, hu=150.0),
    "body_fat": Shortcut("great_vessel_atherosclerosis", _fat, change=_habitus),
}


_PERSONS = 4_000  # drawn to know how frequent a label is


@dataclass(frozen=True)
class Planting:
    """A shortcut, the label that it goes with, and their correlation from −1 to 1.

    At −1 the shortcut is there just where the label is not.
    """

    shortcut: str
    label: str
    strength: Number


def parse_planting(text: str) -> Planting:
    """NAME=STRENGTH or NAME:LABEL=STRENGTH, as on the command line."""
    left, _, strength = text.partition("=")
    name, _, label = left.partition(":")
    try:
        share = float(strength)
    except ValueError:
        raise HirescamError(
            f"cannot read the shortcut {text!r}: write NAME=STRENGTH or NAME:LABEL=STRENGTH, "
            f"such as marker=0.8"
        ) from None
    usual = SHORTCUTS[name].label if name in SHORTCUTS else ""
    planting = Planting(name, label or usual, share)
    check_plantings([planting])
    return planting


def check_plantings(plantings: Sequence[Planting]) -> None:
    """Refuse what no table knows and strengths that are no correlation."""
    for each in plantings:
        if each.shortcut not in SHORTCUTS:
            raise HirescamError(
                f"no shortcut is named {each.shortcut}: choose among {', '.join(SHORTCUTS)}"
            )
        if each.label not in LABELS:
            raise HirescamError(
                f"{each.shortcut} cannot go with {each.label}: choose one of the 80 labels"
            )
        if not -1 <= each.strength <= 1:
            raise HirescamError(
                f"{each.shortcut} has strength {each.strength}, expected a correlation from -1 "
                f"to 1"
            )


def base_rates(
    plantings: Sequence[Planting], rows: tuple[Row, ...], co_occurrence: Number
) -> dict[str, float]:
    """How many of all persons have each label that a shortcut goes with."""
    random = stream(0, "base rates")
    drawn = draw_findings(_PERSONS, random, rows=rows, co_occurrence=co_occurrence)
    labels = {each.label for each in plantings}
    return {
        label: float(np.mean(np.any([drawn[name] for name in _implying(label)], axis=0)))
        for label in sorted(labels)
    }


def plant(
    plantings: Sequence[Planting],
    findings: Collection[str],
    rates: Mapping[str, float],
    seed: int,
) -> dict[str, bool]:
    """Which shortcuts the person with these findings has."""
    planted = {}
    for each in plantings:
        chance = stream(seed, f"planting {each.shortcut}")
        copies = chance.random() < abs(each.strength)
        anew = chance.random() < rates[each.label]
        copied = _implies(findings, each.label) == (each.strength > 0)
        planted[each.shortcut] = copied if copies else bool(anew)
    return planted


def _implies(findings: Collection[str], label: str) -> bool:
    return any(finding in _implying(label) for finding in findings)


@cache
def _implying(label: str) -> frozenset[str]:
    """Findings that always come with a label."""
    return frozenset(
        name
        for name, finding in FINDINGS.items()
        if label in {name.removesuffix(_own(name)) + each for each in finding.abnormalities}
    )


def _own(label: str) -> str:
    return FINDINGS[label].abnormalities[0]
