"""Sharing: findings that are told together lie together, though only one names the place."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from hirescam.reports.default.attachment import JOINTS, WALLS, Scene
from hirescam.reports.default.mentions import Mention
from hirescam.reports.default.places import Chain, Spot
from hirescam.reports.default.words import word_set

Tie = Callable[[Sequence[str], Mention, Mention, Sequence[Spot]], Sequence[Spot]]
_FARTHEST = 6
_NATURE = word_set(
    """representing represents represent consistent compatible keeping reflecting suggesting
    suggestive suggest suggests suspicious concerning worrisome likely favoring favored
    secondary surrounding adjacent associated adjoining accompanying overlying ("""
)


def share(scene: Scene, owned: list[list[Spot]], free: Sequence[Chain]) -> None:
    """Give places to the mentions that have none, from those they are told with."""
    if len(scene.mentions) > 1 and any(owned):
        _share_along(scene, owned)
    for at, mention in enumerate(scene.mentions):
        if all(spot.is_modifier for spot in owned[at]):
            owned[at] += _told_before(scene, mention, at, free) or _told_of_another(
                scene, mention, at, owned
            )
        elif all(spot.is_modifier or spot.is_side for spot in owned[at]):
            # "the thyroid has a nodule on the left"
            organ = _told_before(scene, mention, at, free)
            owned[at] += [spot for spot in organ if not spot.sides]


def _share_along(scene: Scene, owned: list[list[Spot]]) -> None:
    """Along neighbours that a tie joins: back to the left, then on to the right."""
    neighbours = list(pairwise(range(len(scene.mentions))))
    back, on = [(a, b) for a, b in reversed(neighbours)], [(b, a) for a, b in neighbours]
    for tie in (_touching, _listed, _same_thing, _touching):
        for one, other in (*back, *on):
            a, b = scene.mentions[one], scene.mentions[other]
            if (
                owned[other]
                and scene.clause_of[a.first] == scene.clause_of[b.first]
                and not any(spot.is_precise for spot in owned[one])
            ):
                owned[one] += scene.fitting(tie(scene.words, a, b, owned[other]), one)


def _between(words: Sequence[str], a: Mention, b: Mention) -> Sequence[str]:
    return words[min(a.stop, b.stop) : max(a.first, b.first)]


def _touching(
    words: Sequence[str], a: Mention, b: Mention, spots: Sequence[Spot]
) -> Sequence[Spot]:
    """All places, where the words of both touch: "calcified granuloma"."""
    return () if _between(words, a, b) else spots


def _listed(
    words: Sequence[str], a: Mention, b: Mention, spots: Sequence[Spot]
) -> Sequence[Spot]:
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
    words: Sequence[str], a: Mention, b: Mention, spots: Sequence[Spot]
) -> Sequence[Spot]:
    """The place of a thing for what it may be or goes with, and that of a whole for its part.

    "Opacity in the left base, consistent with atelectasis", "... with adjacent atelectasis",
    "cavitation of the left mass".
    """
    between = _between(words, a, b)
    goes_with = not _NATURE.isdisjoint(between[-5:])
    if a.first > b.first:
        return spots if goes_with else ()
    if goes_with:
        return [spot for spot in spots if spot.first >= b.stop]
    is_part = between[:1] in (("of",), ("in",), ("within",)) and JOINTS.isdisjoint(between)
    return spots if is_part else ()


def _told_before(
    scene: Scene, mention: Mention, at: int, free: Sequence[Chain]
) -> Sequence[Spot]:
    """The last place before a finding in its clause that no other finding took."""
    clause = scene.clause_of[mention.first]
    for chain in reversed(free):
        if chain[0].first < mention.first and scene.clause_of[chain[0].first] == clause:
            return scene.fitting(chain, at)
    return ()


def _told_of_another(
    scene: Scene, mention: Mention, at: int, owned: Sequence[Sequence[Spot]]
) -> Sequence[Spot]:
    """The places of another mention of the same abnormality in the sentence."""
    for other, spots in zip(scene.mentions, owned, strict=True):
        if other.row == mention.row and spots:
            return scene.fitting(spots, at)
    return ()
