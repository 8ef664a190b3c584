"""Mentions: where a sentence names an abnormality, as a phrase or as a pair of phrases."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hirescam.reports.default.phrases import Match
from hirescam.reports.default.vocabulary import Abnormality

Part = tuple[int, int]
# A name is enough to mention an abnormality; of a pair, both halves are.
_WEIGHTS = {"not": 0, "of": 1, "word": 2, "term": 4, "bare": 4, "normal": 4}
_ENOUGH = 3


class Role(NamedTuple):
    """What a phrase is to an abnormality: a name, half of a pair, or a likeness to ignore."""

    row: int
    kind: str  # "term", "bare", "normal", "not", "of", "word"
    pair: int = -1


class Mention(NamedTuple):
    """An abnormality named by words `first` up to `stop`; `parts` are the words that matter."""

    first: int
    stop: int
    row: int
    parts: tuple[Part, ...]
    kind: str = "term"


def phrase_roles(rows: Sequence[Abnormality]) -> list[tuple[str, Role]]:
    """Every phrase of every abnormality, with what it is to it."""
    roles: list[tuple[str, Role]] = []
    for at, row in enumerate(rows):
        roles += [(term, Role(at, "term")) for term in row.terms]
        roles += [(term, Role(at, "bare")) for term in row.bare]
        roles += [(term, Role(at, "normal")) for term in row.normal]
        roles += [(term, Role(at, "not")) for term in row.not_in]
        for pair, near in enumerate(row.near + row.normal_near):
            roles += [(term, Role(at, "of", pair)) for term in near.of]
            roles += [(term, Role(at, "word", pair)) for term in near.word]
    return roles


def find_mentions(
    matches: Sequence[Match], rows: Sequence[Abnormality], clauses: Sequence[int]
) -> list[Mention]:
    """All mentions in a sentence; of those of one abnormality that overlap, the longest."""
    by_row: dict[int, list[Match]] = {}
    weights: dict[int, int] = {}
    for match in matches:
        row, kind, _ = match.meaning
        by_row.setdefault(row, []).append(match)
        weights[row] = weights.get(row, 0) | _WEIGHTS[kind]
    found = [
        mention
        for row, own in by_row.items()
        if weights[row] >= _ENOUGH
        for mention in _of_row(row, own, rows[row], clauses)
    ]
    return sorted(found)


def _of_row(
    at: int, own: Sequence[Match], row: Abnormality, clauses: Sequence[int]
) -> list[Mention]:
    shields = [(m.first, m.stop) for m in own if m.meaning.kind == "not"]
    if shields:
        own = [
            m
            for m in own
            if not any(first <= m.first and m.stop <= stop for first, stop in shields)
        ]
    candidates = [
        Mention(m.first, m.stop, at, ((m.first, m.stop),), m.meaning.kind)
        for m in own
        if m.meaning.kind in ("term", "bare", "normal")
    ]
    candidates += _pairs(at, own, row, clauses)
    return _longest(candidates) if len(candidates) > 1 else candidates


def _pairs(
    at: int, own: Sequence[Match], row: Abnormality, clauses: Sequence[int]
) -> Iterator[Mention]:
    """Both halves of a pair, in either order, near each other in one clause."""
    nears = row.near + row.normal_near
    for word in (m for m in own if m.meaning.kind == "word"):
        pair = word.meaning.pair
        kind = "normal" if pair >= len(row.near) else "term"
        for of in (m for m in own if m.meaning.kind == "of" and m.meaning.pair == pair):
            one, other = sorted(((of.first, of.stop), (word.first, word.stop)))
            near_enough = 0 <= other[0] - one[1] <= nears[pair].within
            if near_enough and _same_clause(one[0], other[0], clauses):
                yield Mention(one[0], other[1], at, (one, other), kind)


def _same_clause(first: int, second: int, clauses: Sequence[int]) -> bool:
    return not any(first < start <= second for start in clauses)


def _longest(candidates: list[Mention]) -> list[Mention]:
    kept: list[Mention] = []
    for mention in sorted(candidates, key=_rank):
        if not any(_overlap(mention, other) for other in kept):
            kept.append(mention)
    return kept


def _rank(mention: Mention) -> tuple[int, int, int]:
    """A phrase before a pair; the longest phrase, but the closest pair, first."""
    length = mention.stop - mention.first
    is_pair = len(mention.parts) > 1
    return is_pair, length if is_pair else -length, mention.first


def _overlap(a: Mention, b: Mention) -> bool:
    return any(f < s2 and f2 < s for f, s in a.parts for f2, s2 in b.parts)
