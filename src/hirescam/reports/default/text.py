"""Text: the sections of a report that are read, and where their sentences start and end."""

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
    heading: int | None = None  # where the words of its heading start


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
                yield Section(heading.end(), end, row.lies_in, heading.start(1))
            elif not after:
                yield Section(_end_of_line(text, heading.end(), end), end, ())


def _end_of_line(text: str, start: int, end: int) -> int:
    stop = re.compile(r"\S[^\n]*\n|\.(?=\s)").search(text, start, end)
    return stop.end() if stop else end


_OPENINGS = "The|There|No|Heart|Lungs|Both|Again|This|These|Stable|Mild|Degenerative|Otherwise"
_ABBREVIATIONS = "dr vs approx e.g i.e cf ca resp"
_BREAK = re.compile(
    # One class first: the search then passes over letters without trying the rest.
    r"[.!?;\"“”•*\s-](?:"
    # a full stop that is neither a decimal point nor part of an abbreviation
    + "".join(rf"(?<!\b{re.escape(word)}\.)" for word in _ABBREVIATIONS.split())
    + r"(?<!^\d\.)(?<!\n\d\.)(?<!\.\.)(?<=\.)(?=[\s\"'”)\]]|$|(?<=[a-z]\.)[A-Z])"
    r"|(?<=[!?])(?=\s+[A-Z\"•*-]|\s*$)"
    r"|(?<=[\"“”•;])"
    # a bullet
    r"|(?<=\s[*-])(?<!:\s-)(?=\s+[A-Z])"
    # a line ends a sentence unless the next one goes on in small letters
    r"|(?<=\n)(?=\s*(?:[A-Z\d*•-]|$|\n))"
    # a full stop lost: a small letter, then a word that only opens sentences
    rf"|(?<=[a-z)]\s)(?=(?:{_OPENINGS})\s+[a-z]))"
)
_LONGEST = 1000  # characters: a longer "sentence" is a list or no text at all, and is cut
_NUMBERING = re.compile(r"\s*(?:\(?\d{1,2}[.)]\s*(?=[A-Za-z])|[-*•>]\s*)?")


def split_sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Spans of the sentences between `start` and `end`, without list numbers and bullets."""
    at = start
    for cut in _BREAK.finditer(text, start, end):
        stop = cut.end() if cut[0] in "!?" else cut.start()
        if stop > at + 1:
            yield from _trimmed(text, at, stop)
        at = cut.end()
    yield from _trimmed(text, at, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    if start < end and not text[start].isalpha():
        numbering = _NUMBERING.match(text, start, end)
        start = numbering.end() if numbering else start
    end = start + len(text[start:end].rstrip())
    while end - start > _LONGEST:
        cut = text.rfind(" ", start + 1, start + _LONGEST)
        cut = cut if cut > 0 else start + _LONGEST
        yield start, cut
        start = cut
    if end > start:
        yield start, end
