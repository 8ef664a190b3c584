"""Sentences: a report cut into cleaned sentences, the form that the published rules read."""

import re
import string
from collections.abc import Iterator, Sequence

_END = re.compile(r"[.!?](?=\s|$)|[\r\n]+")
_WORD = re.compile(r"\S+")
_EDGE = ". "
_PLAIN = str.maketrans(dict.fromkeys(string.punctuation.replace(".", ""), " "))
_PLAIN[0x130] = "i"  # its small form has two characters, which would move all that follow


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """Start and text of each sentence: they end at a line's end and at . ! ? before a space.

    Line by line, because the published labeller is given one sentence a row; text wrapped to
    the width of a page must be unwrapped first.
    """
    start = 0
    for end in _END.finditer(text):
        yield start, text[start : end.start()]
        start = end.end()
    yield start, text[start:]


def cleaned(sentence: str) -> str:
    """Small letters, spaces for all punctuation but full stops, single spaces."""
    return " ".join(sentence.translate(_PLAIN).lower().split()).strip(_EDGE)


def places(sentence: str) -> Sequence[int]:
    """Where each character of `cleaned(sentence)` stands in `sentence`."""
    plain = sentence.translate(_PLAIN)
    kept = " ".join(plain.split())
    at: Sequence[int] = range(len(plain))
    if len(kept) < len(plain):
        words = ((word.start(), word.end()) for word in _WORD.finditer(plain))
        at = [place for start, end in words for place in range(start, end + 1)]
    start = len(kept) - len(kept.lstrip(_EDGE))
    return at[start : len(kept.rstrip(_EDGE))]
