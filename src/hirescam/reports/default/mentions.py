"""Mentions: where a sentence names an abnormality, by one phrase or a pair, and its sizes."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hirescam.reports.default.phrases import Match
from hirescam.reports.default.vocabulary import Abnormality

_NUMBER = r"\d+(?:[.,]\d+)?"
_UNIT = r"(?:mm|cm|millimet(?:er|re)s?|centimet(?:er|re)s?)(?![a-z])"
_TIMES = rf"\s*-?\s*(?:{_UNIT})?\s*(?:[x×*]|by|and|to|or|,|-|–|/)\s*"
_SIZE = re.compile(
    rf"(?P<bound>(?:sub|less than|smaller than|under|below|<|not exceeding|"
    rf"(?:greater|larger|more) than|over|above|exceeding|>)[\s-]*)?"
    rf"(?<![\d.,/:])(?P<numbers>{_NUMBER}(?:{_TIMES}{_NUMBER})*)\s*-?\s*(?P<unit>{_UNIT})",
    re.IGNORECASE,
)
_SUBCENTIMETRE = re.compile(r"sub-?\s?centimet(?:er|re)s?|millimetric", re.IGNORECASE)
_PART = re.compile(rf"({_NUMBER})\s*-?\s*({_UNIT})?", re.IGNORECASE)
_FORMER = re.compile(
    r"(?:previously|formerly|prior|compared (?:to|with)|initially|had (?:been|measured)|"
    r"before|earlier|slice thickness)\W+(?:\w+\W+){0,2}$",
    re.I,
)
_FROM = re.compile(r"\bfrom\s+(?:\w+\s+)?$", re.IGNORECASE)
_WAS = re.compile(r"\b(?:was|were)\s+$", re.IGNORECASE)
_NOW = re.compile(r"\b(?:now|currently|today|at present)\b", re.IGNORECASE)
_BELOW = ("sub", "less", "smaller", "under", "below", "<")
_ABOVE = ("greater", "larger", "more", "over", "above", "exceeding", ">")
_LATER = re.compile(
    r"\s*\)?\s*(?:(?:before|earlier|previously|formerly|prior|ago)\b|"
    r"(?:on|at|in) (?:the |)(?:prior|previous|last|earlier)|"
    r"(?:from|away|off|deep to|distal to|proximal to|above|below|cranial|caudal|lateral to|"
    r"medial to|beneath|inferior to|superior to|beyond|distance)\b)",
    re.IGNORECASE,
)
_TINY = 0.01  # moves "less than 1 cm" below 1 cm, and "more than 1 cm" above it


class Size(NamedTuple):
    """The largest length of one measurement, and where in the sentence it stands."""

    start: int
    end: int
    largest_mm: float


def find_sizes(sentence: str) -> list[Size]:
    """Read "1.5-cm", "12 x 9 mm", "1,2 by 0.9 cm", "2-3 mm", "sub-5 mm", "> 1 cm" and so on.

    A size that something had before ("previously 23 mm") is none, nor is a distance.
    """
    if not any(unit in sentence.lower() for unit in ("mm", "cm", "met")):
        return []
    sizes = [
        Size(
            m.start(),
            m.end(),
            _largest_mm(m, changed=bool(_FROM.search(sentence, 0, m.start()))),
        )
        for m in _SIZE.finditer(sentence)
        if not _is_former(sentence, m.start()) and not _LATER.match(sentence, m.end())
    ]
    vague = [Size(m.start(), m.end(), 10 - _TINY) for m in _SUBCENTIMETRE.finditer(sentence)]
    return sorted(sizes + vague)


def _is_former(sentence: str, at: int) -> bool:
    """Whether a size at this place is one that something had before."""
    if _FORMER.search(sentence, 0, at):
        return True
    return bool(_WAS.search(sentence, 0, at) and _NOW.search(sentence, at))


def _largest_mm(match: re.Match[str], *, changed: bool = False) -> float:
    """The largest length; of what changed "from 14 mm to 8 mm", the last."""
    last, lengths = match["unit"], list[float]()
    for number, unit in reversed(_PART.findall(match["numbers"])):
        last = unit or last  # a number without a unit has that of the next one
        lengths.append(float(number.replace(",", ".")) * (10 if last.lower()[0] == "c" else 1))
    if changed and re.search(r"\bto\b", match["numbers"]):
        return lengths[0]  # the last comes first
    bound = (match["bound"] or "").lower().split()
    side = bound[0].strip("-") if bound else ""
    return max(lengths) - _TINY * side.startswith(_BELOW) + _TINY * side.startswith(_ABOVE)


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
    return _longest_mentions(candidates) if len(candidates) > 1 else candidates


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


def _longest_mentions(candidates: list[Mention]) -> list[Mention]:
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
