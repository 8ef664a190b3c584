"""Indication: the sentences that a block of "indication" text holds (CT reports)."""

import re
from collections.abc import Iterable

from hirescam.reports.sarle.phrase import Phrase, joined, spaced
from hirescam.reports.sarle.vocabulary import Vocabulary

_TRIGGER = "indication"
_NO_DIGITS = re.compile(r"\D+")


def expanded(sentence: Phrase, vocabulary: Vocabulary) -> list[Phrase]:
    """The sentence itself; or, if it holds an indication, the fragments that it is cut into.

    Past diseases become present ones here, because the words "history of" are taken out.
    """
    if not vocabulary.indication_breaks or _TRIGGER not in sentence.text:
        return [sentence]
    parts = [sentence]
    for mark in (*vocabulary.indication_breaks, "."):
        parts = [part for whole in parts for part in whole.split(mark)]
    plain = [_plain(part, vocabulary.indication_noise) for part in parts]
    cut = [_cut(part, vocabulary.indication_cuts) for part in plain if len(part.text) > 1]
    return [part for part in cut if part.text not in vocabulary.boilerplate]


def _plain(part: Phrase, noise: Iterable[str]) -> Phrase:
    """Without noise words and digits, single-spaced."""
    for word in noise:
        part = joined(part.split(word))
    letters = joined(part[m.start() : m.end()] for m in _NO_DIGITS.finditer(part.text))
    return spaced(letters.words())[1:-1]


def _cut(part: Phrase, marks: Iterable[str]) -> Phrase:
    """Only what stands before each of the marks."""
    for mark in marks:
        part = part.split(mark)[0]
    return part
