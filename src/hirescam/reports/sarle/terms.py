"""Terms: which entries of a vocabulary a phrase mentions, all found in one pass over it."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

import ahocorasick
from pydantic import BaseModel, ConfigDict

_CM_PER_UNIT = {"cm": 1.0, "mm": 0.1}


def larger_than_1_cm(text: str, key: str) -> tuple[int, int] | None:
    """Span of the number that says so of the first `key` ("node", "nodul"); None if none does.

    Read is the word before the first unit in front of `key`, or, if there is none and the part
    behind it says "measur", the word before the first unit there: of "1.2 x 0.9 cm" only 0.9.
    """
    before, *others = text.split(key)
    start, part = 0, before
    unit = _first_unit(part)
    if unit is None and others and "measur" in others[0]:
        start, part = len(before) + len(key), others[0]
        unit = _first_unit(part)
    if unit is None:
        return None
    head = part.split(unit)[0]
    words = head.split()
    if not words or not _number(words[-1]) * _CM_PER_UNIT[unit] > 1:
        return None
    number = start + head.rindex(words[-1])
    return number, start + len(head) + len(unit)


def _first_unit(part: str) -> str | None:
    return next((unit for unit in _CM_PER_UNIT if unit in part), None)


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return 0.0


System = Literal["lung", "heart", "great_vessel", "generic"]
Span = tuple[int, int]
Hits = dict[int, list[Span]]
"""Where each term, by its number, stands in a phrase."""


class Entry(BaseModel):
    """An abnormality or a location: any one term, or a first with a second, unless a third.

    Terms are substrings of the padded phrase, at any distance and in any order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    system: System
    any: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    second: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    allowed_at: tuple[System, ...] = ()  # where an abnormality of no system may lie
    example: str
    expected: tuple[str, ...]  # all entries of the same table that the example mentions


class TermSearch:
    """Entries made ready for search; a set of entries is a number with one bit for each."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self._number: dict[str, int] = {}
        self._terms = [
            {
                role: [self._add(term) for term in getattr(entry, role)]
                for role in ("any", "first", "second", "unless")
            }
            for entry in entries
        ]
        self._any, self._first, self._second, self._unless = (
            self._bits(role) for role in ("any", "first", "second", "unless")
        )
        self._automaton = ahocorasick.Automaton()
        for term, number in self._number.items():
            self._automaton.add_word(term, (number, len(term)))
        self._automaton.make_automaton()

    def hits(self, text: str) -> Hits:
        """Every term in a padded text, and where."""
        found: Hits = {}
        for last, (number, length) in self._automaton.iter(text):
            found.setdefault(number, []).append((last + 1 - length, last + 1))
        return found

    def mentioned(self, hits: Hits) -> int:
        """The entries that the hits mention, as bits."""
        single = first = second = unless = 0
        for number in hits:
            single |= self._any[number]
            first |= self._first[number]
            second |= self._second[number]
            unless |= self._unless[number]
        return (single | first & second) & ~unless

    def evidence(self, entry: int, hits: Hits) -> Span:
        """The earliest and longest single term; else the closest pair of first and second."""
        terms = self._terms[entry]
        single = [span for term in terms["any"] for span in hits.get(term, ())]
        if single:
            return min(single, key=lambda span: (span[0], -span[1]))
        pairs = sorted(
            (span, role)
            for role in ("first", "second")
            for term in terms[role]
            for span in hits.get(term, ())
        )
        hulls = (
            (one[0], max(one[1], other[1]))
            for (one, role), (other, role_of_other) in pairwise(pairs)
            if role != role_of_other
        )
        return min(hulls, key=lambda span: (span[1] - span[0], span))

    def _add(self, term: str) -> int:
        return self._number.setdefault(term, len(self._number))

    def _bits(self, role: str) -> list[int]:
        """For each term, the entries that name it in this role."""
        bits = [0] * len(self._number)
        for entry, terms in enumerate(self._terms):
            for term in terms[role]:
                bits[term] |= 1 << entry
        return bits


def members(bits: int) -> Iterator[int]:
    """The numbers of the bits that are set, the lowest first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
