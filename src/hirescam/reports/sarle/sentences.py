"""Sentences: a report cut into cleaned sentences, the form that the published rules read."""

import re
import string
from collections.abc import Iterator, Sequence

_END = re.compile(
    r"[.!?](?=\s|$)"
    # a line's end, but not where text is wrapped: a long line that goes on in small letters
    r"|\r?\n(?:(?<![^\r\n]{70}\n)(?<![^\r\n]{70}\r\n)|(?!\s*[a-z])|(?=\s*\n))"
)
_WORD = re.compile(r"\S+")
_EDGE = ". "
_PLAIN = str.maketrans(dict.fromkeys(string.punctuation.replace(".", ""), " "))
_PLAIN[0x130] = "i"  # its small form has two characters, which would move all that follow


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """Start and text of each sentence, without what ends it.

    A sentence ends at . ! ? before a space and at the end of its line, because the published
    labeller is given one sentence a row; only where text is wrapped does a line go on.
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
