"""Sections: which parts of a report are read, and where the findings of each part lie."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from hirescam.reports.default.phrases import spell_out
from hirescam.reports.default.vocabulary import Heading


class Section(NamedTuple):
    """A part of a report that is read for findings, and where they lie unless they say so."""

    start: int
    end: int
    lies_in: tuple[str, ...]


class Headings:
    """The headings of a vocabulary, found in a report."""

    def __init__(self, headings: tuple[Heading, ...]) -> None:
        self._rows = {
            " ".join(words): row
            for row in headings
            for term in row.terms
            for words in spell_out(term)
        }
        names = sorted(self._rows, key=len, reverse=True)
        pattern = "|".join(re.escape(name).replace(r"\ ", r"[\s/&,-]+") for name in names)
        self._heading = re.compile(
            rf"(?:^|(?<=\n)|(?<=[.;\"]\s)|(?<=[.;\"])|(?<=\s\s))[ \t]*[*#]*({pattern})\s*:",
            re.IGNORECASE,
        )

    def split(self, text: str) -> Iterator[Section]:
        """The parts that are read. A part that is not read ends at the next heading or line."""
        found = list(self._heading.finditer(text)) if ":" in text else []
        yield Section(0, found[0].start() if found else len(text), ())
        for heading, after in zip(found, [*found, None][1:], strict=True):
            row = self._rows[" ".join(re.split(r"[\s/&,-]+", heading[1].lower()))]
            end = after.start() if after else len(text)
            if row.read:
                yield Section(heading.end(), end, row.lies_in)
            elif not after:
                yield Section(_end_of_line(text, heading.end(), end), end, ())


def _end_of_line(text: str, start: int, end: int) -> int:
    stop = re.compile(r"\S[^\n]*\n|\.(?=\s)").search(text, start, end)
    return stop.end() if stop else end
