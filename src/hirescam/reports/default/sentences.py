"""Sentences: where each sentence of a section starts and ends."""

import re
from collections.abc import Iterator

_ABBREVIATIONS = r"(?<!\bdr)(?<!\bvs)(?<!\bapprox)(?<!\be\.g)(?<!\bi\.e)(?<!\bcf)(?<!\bca)"
_OPENINGS = "The|There|No|Heart|Lungs|Both|Again|This|These|Stable|Mild|Degenerative|Otherwise"
_BREAK = re.compile(
    # a full stop that is neither a decimal point nor part of an abbreviation
    rf"(?i:{_ABBREVIATIONS})\.(?!\d)(?=[\s\"'”)\]A-Z]|$)|(?<=\d)\.(?=\s|$)"
    r"|[!?](?=\s+(?-i:[A-Z\"•*-])|\s*$)"
    r"|[\"“”•;]|\s[*•-]\s+(?=[A-Z])"
    # a line ends a sentence unless the next one goes on in small letters
    r"|\n\s*\n|\n(?=\s*(?:[A-Z\d*•-]|$))"
    # a full stop lost: a small letter, then a word that only opens sentences
    rf"|(?<=[a-z)])\s+(?=(?:{_OPENINGS})\s+[a-z])|(?<=[a-z])\.(?=[A-Z])",
)
_NUMBERING = re.compile(r"\s*(?:\(?\d{1,2}[.)]\s*(?=[A-Za-z])|[-*•>]\s*)?")


def split_sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Spans of the sentences between `start` and `end`, without list numbers and bullets."""
    at = start
    for cut in _BREAK.finditer(text, start, end):
        stop = cut.end() if cut[0] in "!?" else cut.start()
        yield from _trimmed(text, at, stop)
        at = cut.end()
    yield from _trimmed(text, at, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    numbering = _NUMBERING.match(text, start, end)
    start = numbering.end() if numbering else start
    end = start + len(text[start:end].rstrip())
    if end > start:
        yield start, end
