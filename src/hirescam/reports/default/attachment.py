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
_LINKS = word_set(
    """representing represents represent consistent compatible keeping reflecting suggesting
    suggestive suspicious likely favoring favored secondary"""
)
_AWAY = word_set(
    """extends extending extension encases encasing abuts abutting adjacent displaces displacing
    compressing surrounding surrounds invading near toward towards into"""
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
            way = words[mentions[taker].stop : chain[0].first]
            if any(spot.systems for spot in owned[taker]) and not _AWAY.isdisjoint(way):
                continue  # it lies in the one place and only reaches the other
            owned[taker] += _fitting(chain, mentions[taker], rows)
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


def lies_elsewhere(mention: Mention, spots: Sequence[Spot], row: Abnormality) -> bool:
    """Whether a bare word ("effusion") is told of an organ that its abnormality is not of."""
    organs = [spot.systems - {"modifier"} for spot in spots if not spot.is_side]
    return (
        mention.kind == "bare" and any(organs) and not any(o & set(row.systems) for o in organs)
    )


def _fitting(chain: Chain, mention: Mention, rows: Sequence[Abnormality]) -> list[Spot]:
    """The places of a chain where this abnormality can lie; those of a bare word all count."""
    systems = set(rows[mention.row].systems)
    return [
        spot
        for spot in chain
        if mention.kind == "bare" or spot.is_side or spot.is_modifier or spot.systems & systems
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
        if clause_of[mention.first] == clause_of[first] and _fitting(chain, mention, rows)
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
    for joined in (_touch, _are_joined, _is_linked):
        for one, other in (*back, *on):
            if (
                owned[other]
                and not any(spot.is_precise for spot in owned[one])
                and clause_of[mentions[one].first] == clause_of[mentions[other].first]
                and joined(words, mentions[one], mentions[other])
            ):
                owned[one] += _fitting(tuple(owned[other]), mentions[one], rows)


def _between(words: Sequence[str], a: Mention, b: Mention) -> Sequence[str]:
    return words[min(a.stop, b.stop) : max(a.first, b.first)]


def _touch(words: Sequence[str], a: Mention, b: Mention) -> bool:
    return not _between(words, a, b)


def _are_joined(words: Sequence[str], a: Mention, b: Mention) -> bool:
    between = _between(words, a, b)
    return _WALLS.isdisjoint(between) and len(between) <= 6


def _is_linked(words: Sequence[str], a: Mention, b: Mention) -> bool:
    """Whether `a` is what `b` may be: "opacity in the left base, consistent with atelectasis"."""
    return b.first < a.first and not _LINKS.isdisjoint(_between(words, a, b)[-5:])


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
            and (spots := _fitting(chain, mention, rows))
        ),
        [],
    )
