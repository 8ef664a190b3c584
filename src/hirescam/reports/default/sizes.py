"""Sizes: every length that a sentence states, in millimetres."""

import re
from typing import NamedTuple

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
    r"(?:previously|formerly|prior|compared (?:to|with))\W+(?:\w+\W+){0,2}$", re.I
)
_BELOW = ("sub", "less", "smaller", "under", "below", "<")
_ABOVE = ("greater", "larger", "more", "over", "above", "exceeding", ">")
_TINY = 0.01  # moves "less than 1 cm" below 1 cm, and "more than 1 cm" above it


class Size(NamedTuple):
    """The largest length of one measurement, and where in the sentence it stands."""

    start: int
    end: int
    largest_mm: float


def find_sizes(sentence: str) -> list[Size]:
    """Read "1.5-cm", "12 x 9 mm", "1,2 by 0.9 cm", "2-3 mm", "sub-5 mm", "> 1 cm" and so on.

    A size that something had before ("previously 23 mm") is none.
    """
    if not any(unit in sentence.lower() for unit in ("mm", "cm", "met")):
        return []
    sizes = [
        Size(m.start(), m.end(), _largest_mm(m))
        for m in _SIZE.finditer(sentence)
        if not _FORMER.search(sentence, 0, m.start())
    ]
    vague = [Size(m.start(), m.end(), 10 - _TINY) for m in _SUBCENTIMETRE.finditer(sentence)]
    return sorted(sizes + vague)


def _largest_mm(match: re.Match[str]) -> float:
    last, lengths = match["unit"], list[float]()
    for number, unit in reversed(_PART.findall(match["numbers"])):
        last = unit or last  # a number without a unit has that of the next one
        lengths.append(float(number.replace(",", ".")) * (10 if last.lower()[0] == "c" else 1))
    bound = (match["bound"] or "").lower().split()
    side = bound[0].strip("-") if bound else ""
    return max(lengths) - _TINY * side.startswith(_BELOW) + _TINY * side.startswith(_ABOVE)
