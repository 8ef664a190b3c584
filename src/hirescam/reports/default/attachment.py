"""Attachment: which place belongs to which finding of a clause.

A place just before a finding describes it ("left basilar atelectasis"), one after it follows a
preposition ("nodule in the right upper lobe"), and one that opens a clause holds for what comes
("in both lungs, nodules and ..."). Findings joined by "and" share a place that only one names.
"""

from collections.abc import Sequence
from itertools import pairwise

from hirescam.reports.default.mentions import Mention
from hirescam.reports.default.places import Chain, Spot
from hirescam.reports.default.vocabulary import Abnormality
from hirescam.reports.default.words import word_set

_JOINTS = frozenset(
    ("and", ",", "or", "with", "/", "as", "well", "also", "associated", "nor", "&")
)
_WALLS = word_set(
    """is are was were has have had in at of on within along involving from there which that
    seen noted observed detected present ( ) : ; near over through to measuring extending
    throughout around about adjacent"""
)


def attach(
    words: Sequence[str],
    mentions: Sequence[Mention],
    chains: Sequence[Chain],
    rows: Sequence[Abnormality],
    clauses: Sequence[int],
) -> list[list[Spot]]:
    """The places of each mention, in the order of `mentions`."""
    owned: list[list[Spot]] = [[] for _ in mentions]
    fronted: list[Chain] = []
    clause_of = _numbering(len(words) + 1, clauses)
    for chain in chains:
        takers = _takers(words, mentions, chain, rows, clause_of)
        if not takers:
            fronted.append(chain)
        for taker in takers:
            owned[taker] += _fitting(chain, rows[mentions[taker].row])
    _share(words, mentions, rows, owned, clause_of)
    for at, mention in enumerate(mentions):
        if not any(not spot.is_modifier for spot in owned[at]):
            owned[at] += _from_front(mention, fronted, rows, clause_of)
    return owned


def _numbering(length: int, clauses: Sequence[int]) -> list[int]:
    numbers, current = [], -1
    starts = set(clauses)
    for at in range(length):
        current += at in starts
        numbers.append(current)
    return numbers


def _fitting(chain: Chain, row: Abnormality) -> list[Spot]:
    """The places of a chain where this abnormality can lie."""
    return [
        spot
        for spot in chain
        if spot.is_side or spot.is_modifier or (spot.systems - {"modifier"}) & set(row.systems)
    ]


def _takers(
    words: Sequence[str],
    mentions: Sequence[Mention],
    chain: Chain,
    rows: Sequence[Abnormality],
    clause_of: Sequence[int],
) -> list[int]:
    first, stop = chain[0].first, chain[-1].stop
    fits = [
        at
        for at, mention in enumerate(mentions)
        if clause_of[mention.first] == clause_of[first] and _fitting(chain, rows[mention.row])
    ]
    inside = [at for at in fits if mentions[at].first < stop and first < mentions[at].stop]
    after = [at for at in fits if mentions[at].first >= stop]
    before = [at for at in fits if mentions[at].stop <= first]
    if after:
        near = min(mentions[at].first for at in after)
        between = words[stop:near]
        joined = before and not _JOINTS.isdisjoint(between)
        if _WALLS.isdisjoint(between) and not joined:
            return inside + [at for at in after if mentions[at].first == near]
    if inside:
        return inside
    if before:
        near = max(mentions[at].stop for at in before)
        return [at for at in before if mentions[at].stop == near]
    return []


def _share(
    words: Sequence[str],
    mentions: Sequence[Mention],
    rows: Sequence[Abnormality],
    owned: list[list[Spot]],
    clause_of: Sequence[int],
) -> None:
    """Hand places along findings that are joined: back to the left, then on to the right."""
    neighbours = list(pairwise(range(len(mentions))))
    back, on = [(a, b) for a, b in reversed(neighbours)], [(b, a) for a, b in neighbours]
    for one, other in (*back, *on):
        needs = not any(not spot.is_modifier for spot in owned[one])
        if (
            needs
            and owned[other]
            and _are_joined(words, mentions[one], mentions[other], clause_of)
        ):
            owned[one] += _fitting(tuple(owned[other]), rows[mentions[one].row])


def _are_joined(words: Sequence[str], a: Mention, b: Mention, clause_of: Sequence[int]) -> bool:
    if clause_of[a.first] != clause_of[b.first]:
        return False
    between = words[min(a.stop, b.stop) : max(a.first, b.first)]
    return _WALLS.isdisjoint(between) and len(between) <= 6


def _from_front(
    mention: Mention,
    fronted: Sequence[Chain],
    rows: Sequence[Abnormality],
    clause_of: Sequence[int],
) -> list[Spot]:
    """The last place before a finding in its clause that no other finding took."""
    return next(
        (
            spots
            for chain in reversed(fronted)
            if chain[0].first < mention.first
            and clause_of[chain[0].first] == clause_of[mention.first]
            and (spots := _fitting(chain, rows[mention.row]))
        ),
        [],
    )
