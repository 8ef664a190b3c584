"""Places: words of side, zone and organ put together into the locations that they name.

"Upper and lower lobes of the right lung" is two places, each with a side, a zone and an organ,
though no part names all three. A place within another is in both: `right_upper` is also in
`right_lung` and in `lung`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hirescam.reports.default.phrases import Match
from hirescam.reports.default.words import word_set

_INSIDE = word_set(
    """of the in on at 's lobe lobes segment segments zone zones field fields level aspect
    region portion part parts side lateral medial its within both area areas"""
)
_JOINTS = _INSIDE | {"and", ",", "/", "&", "or", "as", "well", "to", "andor"}
_SIDES = {"right": ("right",), "left": ("left",), "both": ("right", "left")}


@dataclass(frozen=True)
class Spot:
    """One place in a sentence: its words, and what they say."""

    first: int
    stop: int
    sides: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    systems: frozenset[str] = frozenset()
    plural: bool = False

    @property
    def is_modifier(self) -> bool:
        """Says how something lies ("subpleural"), not in which organ."""
        return self.systems == {"modifier"} and not self.sides

    @property
    def is_side(self) -> bool:
        """Says a side and no more."""
        return bool(self.sides) and not self.zones and not self.systems - {"modifier"}

    @property
    def is_precise(self) -> bool:
        """Says more than how something lies, or that it lies in a lung."""
        return bool(self.sides or self.zones or self.systems - {"modifier", "lung"})


Chain = tuple[Spot, ...]  # places joined by "and" or a comma, with nothing else between them


def find_places(words: Sequence[str], matches: Sequence[Match]) -> list[Chain]:
    """The places of a sentence, those that are listed together as one chain."""
    spots: list[Spot] = []
    chains: list[list[Spot]] = []
    for match in _longest(matches):
        spot = _spot(match, words)
        if spots and _joined(words, spots[-1], spot):
            spots[-1] = chains[-1][-1] = _merge(spots[-1], spot)
        elif spots and _listed(words, spots[-1], spot):
            spots.append(spot)
            chains[-1].append(spot)
        else:
            spots.append(spot)
            chains.append([spot])
    complete = [_complete(chain) for chain in chains]
    return [chain for chain in complete if chain]


def location_names(
    spot: Spot, *, in_lung: bool, within: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """The locations of one place and all that contain them; `in_lung` reads a bare side so."""
    names = list(spot.locations)
    if _names_lung(spot) or (in_lung and (spot.is_side or spot.zones)):
        names.append("lung")
        names += [f"{side}_{zone}" for side in spot.sides for zone in spot.zones]
        names += [f"{side}_lung" for side in spot.sides]
    else:
        names += spot.sides
    for name in names:  # grows as it goes: what contains a container is read too
        names += [outer for outer in within.get(name, ()) if outer not in names]
    return tuple(dict.fromkeys(names))


def _names_lung(spot: Spot) -> bool:
    return "lung" in spot.systems and spot.locations != ("airways",)


def _longest(matches: Sequence[Match]) -> list[Match]:
    kept: list[Match] = []
    for match in matches:
        if not kept or match.first >= kept[-1].stop:
            kept.append(match)
    return kept


def _spot(match: Match, words: Sequence[str]) -> Spot:
    row = match.meaning
    said = words[match.first : match.stop] if row.system != "heart" else ()
    side = row.side or next((word for word in said if word in _SIDES), None)
    return Spot(
        match.first,
        match.stop,
        _SIDES[side] if side else (),
        (row.zone,) if row.zone else (),
        row.locations,
        frozenset({row.system} if row.system else ()),
        plural=words[match.stop - 1].endswith("s"),
    )


def _joined(words: Sequence[str], left: Spot, right: Spot) -> bool:
    between = words[left.stop : right.first]
    if len(between) > 3 or not _INSIDE.issuperset(between):
        return False
    clash = (left.sides and right.sides and set(left.sides) != set(right.sides)) or (
        left.zones and right.zones
    )
    organs = (left.systems | right.systems) - {"modifier"}
    return not clash and (len(organs) < 2 or organs == {"lung", "mediastinum"})


def _merge(left: Spot, right: Spot) -> Spot:
    return Spot(
        left.first,
        right.stop,
        left.sides or right.sides,
        left.zones or right.zones,
        tuple(dict.fromkeys(left.locations + right.locations)),
        left.systems | right.systems,
        left.plural or right.plural,
    )


def _listed(words: Sequence[str], left: Spot, right: Spot) -> bool:
    between = words[left.stop : right.first]
    joints = _JOINTS | {"but"} if "only" in words[: left.first] else _JOINTS
    return len(between) <= 4 and joints.issuperset(between)


def _complete(chain: list[Spot]) -> Chain:
    """Give each place of a list the side, zone and organ that its neighbours name for it."""
    spots = list(chain)
    for at, spot in enumerate(spots):
        before = spots[at - 1] if at else None
        if spot.is_side and at + 1 < len(spots) and not spots[at + 1].is_side:
            after = spots[at + 1]  # "right and left upper lobes"
            if after.sides:
                spots[at] = spot = replace(
                    spot, zones=after.zones, systems=after.systems, locations=after.locations
                )
        if spot.zones and not spot.sides:
            after_side = next((s.sides for s in spots[at + 1 :] if s.zones and s.sides), ())
            sides = before.sides if before else ()
            sides = sides or (() if spot.plural else after_side)
            both = ("right", "left") if spot.plural else ()
            spots[at] = replace(spot, sides=sides or both)
    systems = frozenset().union(*(spot.systems for spot in spots)) - {"modifier"}
    return tuple(kept for spot in spots if (kept := _organ(spot, systems)) is not None)


def _organ(spot: Spot, systems: frozenset[str]) -> Spot | None:
    """A bare "upper" is a zone of the lungs beside a lung word or with a side, else nothing."""
    if not spot.zones or spot.systems - {"modifier"}:
        return spot
    if "lung" in systems or (spot.sides and not systems):
        return replace(spot, systems=spot.systems | {"lung"})
    return replace(spot, zones=()) if spot.sides else None
