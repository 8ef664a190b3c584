"""Attachment: which place belongs to which finding of a clause.

A place just before a finding describes it ("left basilar atelectasis"), one after it follows a
preposition ("nodule in the right upper lobe"), and one that opens a clause holds for what comes
("in both lungs, nodules and ..."). See sharing.py for findings that are told together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hirescam.reports.default.mentions import Mention
from hirescam.reports.default.places import Chain, Spot
from hirescam.reports.default.vocabulary import Abnormality
from hirescam.reports.default.words import word_set

JOINTS = word_set("and , or with / as well also associated nor & andor")
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
class Scene:
    """One sentence: its words, the clause of each word, and the findings that it mentions."""

    words: Sequence[str]
    clause_of: Sequence[int]
    mentions: Sequence[Mention]
    rows: Sequence[Abnormality]

    def fitting(self, spots: Sequence[Spot], at: int) -> list[Spot]:
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


def attach(scene: Scene, chains: Sequence[Chain]) -> tuple[list[list[Spot]], list[Chain]]:
    """The places of each mention, and those that none took."""
    owned: list[list[Spot]] = [[] for _ in scene.mentions]
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


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def lies_elsewhere(mention: Mention, spots: Sequence[Spot], row: Abnormality) -> bool:
    """Whether a bare word ("effusion") is told of an organ that its abnormality is not of."""
    organs = [spot.systems - {"modifier"} for spot in spots if not spot.is_side]
    here = set(row.systems)
    return mention.kind == "bare" and any(organs) and not any(organ & here for organ in organs)


def _takers(scene: Scene, chain: Chain) -> list[int]:
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
        if WALLS.isdisjoint(between) and not belongs_before:
            return inside + [at for at in after if spans[at][0] == near]
    if inside:
        return inside + [
            at for at in before if any(_overlap(spans[at], spans[i]) for i in inside)
        ]
    if before:
        near = max(spans[at][1] for at in before)
        return [at for at in before if spans[at][1] == near]
    return []
