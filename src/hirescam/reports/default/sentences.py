"""Sentences: where each sentence of a section starts and ends."""

import re
from collections.abc import Iterator

_OPENINGS = "The|There|No|Heart|Lungs|Both|Again|This|These|Stable|Mild|Degenerative|Otherwise"
_ABBREVIATIONS = "dr vs approx e.g i.e cf ca resp"
_BREAK = re.compile(
    # One class first: the search then passes over letters without trying the rest.
    r"[.!?;\"“”•*\s-](?:"
    # a full stop that is neither a decimal point nor part of an abbreviation
    + "".join(rf"(?<!\b{re.escape(word)}\.)" for word in _ABBREVIATIONS.split())
    + r"(?<!^\d\.)(?<!\n\d\.)(?<=\.)(?=[\s\"'”)\]]|$|(?<=[a-z]\.)[A-Z])"
    r"|(?<=[!?])(?=\s+[A-Z\"•*-]|\s*$)"
    r"|(?<=[\"“”•;])"
    # a bullet
    r"|(?<=\s[*-])(?=\s+[A-Z])"
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
