"""Places: words of side, zone and organ put together, and given to the findings that lie there.

"Upper and lower lobes of the right lung" is two places, each with a side, a zone and an organ,
though no part names all three. A place within another is in both: `right_upper` is also in
`right_lung` and in `lung`.

A place just before a finding describes it ("left basilar atelectasis"), one after it follows a
preposition ("nodule in the right upper lobe"), and one that opens a clause holds for what comes
("in both lungs, nodules and ..."). Findings told together share the place that one names.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from hirescam.reports.default.mentions import Mention
from hirescam.reports.default.phrases import Match, word_set
from hirescam.reports.default.vocabulary import Abnormality

_INSIDE = word_set(
    """of the in on at 's lobe lobes segment segments zone zones field fields level aspect
    region portion part parts side lateral medial its within both area areas"""
)
_JOINTS = _INSIDE | {"and", ",", "/", "&", "or", "as", "well", "to", "andor"}
_LUNG_WORDS = word_set("lobe lobes lung lungs lobar pulmonary")
_SIDES = {"right": ("right",), "left": ("left",), "both": ("right", "left")}


@dataclass(frozen=True)
class PlaceMention:
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


Chain = tuple[
    PlaceMention, ...
]  # places joined by "and" or a comma, with nothing else between them


def find_places(words: Sequence[str], matches: Sequence[Match]) -> list[Chain]:
    """The places of a sentence, those that are listed together as one chain."""
    spots: list[PlaceMention] = []
    chains: list[list[PlaceMention]] = []
    for match in _longest(matches):
        spot = _spot(match, words)
        if spots and _joined(words, spots[-1], spot):
            spots[-1] = chains[-1][-1] = _merge(words, spots[-1], spot)
        elif spots and _listed(words, spots[-1], spot):
            spots.append(spot)
            chains[-1].append(spot)
        else:
            spots.append(spot)
            chains.append([spot])
    complete = [_complete(chain) for chain in chains]
    return [chain for chain in complete if chain]


def location_names(
    spot: PlaceMention, *, in_lung: bool, within: Mapping[str, Sequence[str]]
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


def _names_lung(spot: PlaceMention) -> bool:
    return "lung" in spot.systems and spot.locations != ("airways",)


def _longest(matches: Sequence[Match]) -> list[Match]:
    kept: list[Match] = []
    for match in matches:
        if not kept or match.first >= kept[-1].stop:
            kept.append(match)
    return kept


def _spot(match: Match, words: Sequence[str]) -> PlaceMention:
    row = match.meaning
    said = words[match.first : match.stop] if row.system != "heart" else ()
    side = row.side or next((word for word in said if word in _SIDES), None)
    return PlaceMention(
        match.first,
        match.stop,
        _SIDES[side] if side else (),
        (row.zone,) if row.zone else (),
        row.locations,
        frozenset({row.system} if row.system else ()),
        plural=words[match.stop - 1].endswith("s"),
    )


def _joined(words: Sequence[str], left: PlaceMention, right: PlaceMention) -> bool:
    between = words[left.stop : right.first]
    if len(between) > 3 or not _INSIDE.issuperset(between):
        return False
    clash = (left.sides and right.sides and set(left.sides) != set(right.sides)) or (
        left.zones and right.zones
    )
    organs = (left.systems | right.systems) - {"modifier"}
    if _is_zone_of(words, left, right):
        return True
    return not clash and (len(organs) < 2 or organs == {"lung", "mediastinum"})


def _is_zone_of(words: Sequence[str], left: PlaceMention, right: PlaceMention) -> bool:
    """A part of that organ and none of a lung: "the mid zone of the kidney"."""
    of_other = right.systems == {"other"} and "of" in words[left.first : right.first]
    said = words[left.first : left.stop]
    return of_other and bool(left.zones) and not _LUNG_WORDS.intersection(said)


def _merge(words: Sequence[str], left: PlaceMention, right: PlaceMention) -> PlaceMention:
    if _is_zone_of(words, left, right):
        return replace(right, first=left.first, sides=left.sides or right.sides)
    return PlaceMention(
        left.first,
        right.stop,
        left.sides or right.sides,
        left.zones or right.zones,
        tuple(dict.fromkeys(left.locations + right.locations)),
        left.systems | right.systems,
        left.plural or right.plural,
    )


def _listed(words: Sequence[str], left: PlaceMention, right: PlaceMention) -> bool:
    between = words[left.stop : right.first]
    joints = _JOINTS | {"but"} if "only" in words[: left.first] else _JOINTS
    return len(between) <= 4 and joints.issuperset(between)


def _complete(chain: list[PlaceMention]) -> Chain:
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


def _organ(spot: PlaceMention, systems: frozenset[str]) -> PlaceMention | None:
    """A bare "upper" is a zone of the lungs beside a lung word or with a side, else nothing."""
    if not spot.zones or spot.systems - {"modifier"}:
        return spot
    if "lung" in systems or (spot.sides and not systems):
        return replace(spot, systems=spot.systems | {"lung"})
    return replace(spot, zones=()) if spot.sides else None


JOINTS = word_set("and , or with / as well also associated nor & andor versus vs")
_POSSESSING = word_set(
    "shows show showed demonstrates demonstrate contains contain has have reveals"
)
_SUBJECT_OPENING = word_set(", the both ( : while although whereas and but")
WALLS = word_set(
    """is are was were has have had in at of on within along involving from there which that
    seen noted observed detected present ( ) : ; near over through to measuring extending
    throughout around about suggest suggests suggesting represent represents representing may
    could shows show demonstrates contains reflects reflecting"""
)
_AWAY = word_set(
    """extends extending extension encases encasing abuts abutting adjacent displaces displacing
    compressing surrounding surrounds invading near toward towards into"""
)


@dataclass(frozen=True)
class SentenceContext:
    """One sentence: its words, the clause of each word, and the findings that it mentions."""

    words: Sequence[str]
    clause_of: Sequence[int]
    mentions: Sequence[Mention]
    rows: Sequence[Abnormality]

    def fitting(self, spots: Sequence[PlaceMention], at: int) -> list[PlaceMention]:
        """The places where mention `at` can lie; for a bare word, all.

        A word of the finding's own name ("interstitial lung disease") is no place of its own.
        """
        mention, row = self.mentions[at], self.rows[self.mentions[at].row]
        bare, systems = mention.kind == "bare", set(row.systems)
        return [
            spot
            for spot in spots
            if (bare or spot.is_side or spot.is_modifier or spot.systems & systems)
            and (
                bare
                or spot.is_precise
                or not row.lies_in
                or not mention.first <= spot.first < mention.stop
            )
        ]


def attach(
    scene: SentenceContext, chains: Sequence[Chain]
) -> tuple[list[list[PlaceMention]], list[Chain]]:
    """The places of each mention, and those that none took."""
    owned: list[list[PlaceMention]] = [[] for _ in scene.mentions]
    free: list[Chain] = []
    for chain in chains:
        takers = _takers(scene, chain)
        if not takers:
            free.append(chain)
        for at in takers:
            way = scene.words[scene.mentions[at].stop : chain[0].first]
            if any(spot.systems for spot in owned[at]) and not _AWAY.isdisjoint(way):
                continue  # it lies in the one place and only reaches the other
            owned[at] += scene.fitting(chain, at)
    return owned, free


def _spans_overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def lies_elsewhere(mention: Mention, spots: Sequence[PlaceMention], row: Abnormality) -> bool:
    """Whether a bare word ("effusion") is told of an organ that its abnormality is not of."""
    organs = [spot.systems - {"modifier"} for spot in spots if not spot.is_side]
    here = set(row.systems)
    return mention.kind == "bare" and any(organs) and not any(organ & here for organ in organs)


def _takers(scene: SentenceContext, chain: Chain) -> list[int]:
    first, stop = chain[0].first, chain[-1].stop
    fits = [
        at
        for at, mention in enumerate(scene.mentions)
        if scene.clause_of[mention.first] == scene.clause_of[first] and scene.fitting(chain, at)
    ]
    spans = {at: scene.mentions[at][:2] for at in fits}
    inside = [at for at in fits if spans[at][0] < stop and first < spans[at][1]]
    after = [at for at in fits if spans[at][0] >= stop]
    before = [at for at in fits if spans[at][1] <= first]
    if after:
        near = min(spans[at][0] for at in after)
        between = scene.words[stop:near]
        belongs_before = before and not JOINTS.isdisjoint(between)
        opens = first == 0 or scene.words[first - 1] in _SUBJECT_OPENING
        if opens and between[:1] and between[0] in _POSSESSING:
            return inside  # "the right base shows ...": for all that comes, see `share`
        if WALLS.isdisjoint(between) and not belongs_before:
            return inside + [at for at in after if spans[at][0] == near]
    if inside:
        return inside + [
            at for at in before if any(_spans_overlap(spans[at], spans[i]) for i in inside)
        ]
    if before:
        near = max(spans[at][1] for at in before)
        return [at for at in before if spans[at][1] == near]
    return []


Tie = Callable[
    [Sequence[str], Mention, Mention, Sequence[PlaceMention]], Sequence[PlaceMention]
]
_FARTHEST = 6
_NATURE = word_set(
    """representing represents represent consistent compatible keeping reflecting suggesting
    suggestive suggest suggests suspicious concerning worrisome likely favoring favored
    secondary surrounding adjacent associated adjoining accompanying overlying (
    may might could reflect indicating indicative favour favoured versus vs query"""
)
_OR_ELSE = (("versus",), ("vs",), ("or",))


def share(
    scene: SentenceContext, owned: list[list[PlaceMention]], free: Sequence[Chain]
) -> None:
    """Give places to the mentions that have none, from those they are told with."""
    if len(scene.mentions) > 1 and any(owned):
        _share_along(scene, owned)
    for at, mention in enumerate(scene.mentions):
        owned[at][:] = [_sided(scene, spot, free) for spot in owned[at]]
        if all(spot.is_modifier for spot in owned[at]):
            owned[at] += _told_before(scene, mention, at, free) or _told_of_another(
                scene, mention, at, owned
            )
        elif all(spot.is_modifier or spot.is_side for spot in owned[at]):
            # "the thyroid has a nodule on the left"
            organ = _told_before(scene, mention, at, free)
            owned[at] += [spot for spot in organ if not spot.sides]


def _sided(scene: SentenceContext, spot: PlaceMention, free: Sequence[Chain]) -> PlaceMention:
    """A zone with the side of its clause: "the left lung has a nodule in the upper lobe"."""
    if not spot.zones or (spot.sides and not spot.plural) or "lung" not in spot.systems:
        return spot
    clause = scene.clause_of[spot.first]
    for chain in reversed(free):
        sides = {side for other in chain for side in other.sides}
        lung = any("lung" in other.systems for other in chain)
        before = chain[0].first < spot.first and scene.clause_of[chain[0].first] == clause
        if before and lung and len(sides) == 1:
            return replace(spot, sides=tuple(sides))
    return spot


def _share_along(scene: SentenceContext, owned: list[list[PlaceMention]]) -> None:
    """Along neighbours that a tie joins: back to the left, then on to the right."""
    neighbours = list(pairwise(range(len(scene.mentions))))
    back, on = [(a, b) for a, b in reversed(neighbours)], [(b, a) for a, b in neighbours]
    for tie in (_touching, _listed_with, _same_thing, _listed_with, _touching):
        for one, other in (*back, *on):
            a, b = scene.mentions[one], scene.mentions[other]
            if (
                owned[other]
                and (tie is _same_thing or scene.clause_of[a.first] == scene.clause_of[b.first])
                and not any(spot.is_precise for spot in owned[one])
            ):
                owned[one] += scene.fitting(tie(scene.words, a, b, owned[other]), one)


def _between(words: Sequence[str], a: Mention, b: Mention) -> Sequence[str]:
    return words[min(a.stop, b.stop) : max(a.first, b.first)]


def _touching(
    words: Sequence[str], a: Mention, b: Mention, spots: Sequence[PlaceMention]
) -> Sequence[PlaceMention]:
    """All places, where the words of both touch: "calcified granuloma"."""
    return () if _between(words, a, b) else spots


def _listed_with(
    words: Sequence[str], a: Mention, b: Mention, spots: Sequence[PlaceMention]
) -> Sequence[PlaceMention]:
    """Places after a list for all of it: "nodules and cysts in L"; before it likewise."""
    between = _between(words, a, b)
    if not WALLS.isdisjoint(between) or len(between) > _FARTHEST:
        return ()
    if a.first > b.first:
        return spots
    if JOINTS.isdisjoint(between):  # "calcified mediastinal node"
        return spots
    return (
        ()
        if {",", "with"} <= set(between)
        else [spot for spot in spots if spot.first >= b.stop]
    )


def _same_thing(
    words: Sequence[str], a: Mention, b: Mention, spots: Sequence[PlaceMention]
) -> Sequence[PlaceMention]:
    """The place of a thing for what it may be or goes with, and that of a whole for its part.

    "Opacity in the left base, consistent with atelectasis", "... with adjacent atelectasis",
    "cavitation of the left mass".
    """
    between = _between(words, a, b)
    later = max(a, b)
    alternative = between[-1:] == (",",) and words[later.stop : later.stop + 1] in _OR_ELSE
    goes_with = alternative or not _NATURE.isdisjoint(between[-5:])
    if a.first > b.first:
        return spots if goes_with else ()
    if goes_with:
        return [spot for spot in spots if spot.first >= b.stop]
    is_part = between[:1] in (("of",), ("in",), ("within",)) and JOINTS.isdisjoint(between)
    return spots if is_part else ()


def _told_before(
    scene: SentenceContext, mention: Mention, at: int, free: Sequence[Chain]
) -> Sequence[PlaceMention]:
    """The last place before a finding in its clause that no other finding took."""
    clause = scene.clause_of[mention.first]
    for chain in reversed(free):
        if chain[0].first < mention.first and scene.clause_of[chain[0].first] == clause:
            return scene.fitting(chain, at)
    return ()


def _told_of_another(
    scene: SentenceContext, mention: Mention, at: int, owned: Sequence[Sequence[PlaceMention]]
) -> Sequence[PlaceMention]:
    """The places of another mention of the same abnormality in the sentence."""
    for other, spots in zip(scene.mentions, owned, strict=True):
        if other.row == mention.row and spots:
            return scene.fitting(spots, at)
    return ()
