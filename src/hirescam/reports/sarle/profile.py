"""The labeller of 2020 as a profile: sentences, rules, term search, one matrix per report."""

import re
import string
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from hirescam.reports.profile import LeftOut, VocabularyRow
from hirescam.reports.sarle.check import checked_rows
from hirescam.reports.sarle.matrix import Matrix, Mention
from hirescam.reports.sarle.rules import (
    NOWHERE,
    Phrase,
    apply_rules,
    joined,
    removals,
    spaced,
    tidied,
    whole,
)
from hirescam.reports.sarle.vocabulary import Kind, Vocabulary, read_vocabulary
from hirescam.reports.table import Finding, Status

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


_GAP = 2  # from the last letter of a word to the first of the next
_REMEMBERED = 1 << 15
_LONGEST_REMEMBERED = 500  # characters, so that what is remembered stays small


class SarleProfile:
    """The published labeller over one vocabulary; `label` gives present findings only."""

    def __init__(
        self, vocabulary: Vocabulary, *, ambiguous: bool, location_checks: bool
    ) -> None:
        self.vocabulary = vocabulary
        self.version = vocabulary.version
        self._rules = [rule for rule in vocabulary.rules if not (ambiguous and rule.ambiguity)]
        self._matrix = Matrix(vocabulary, location_checks=location_checks)
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._read)

    def label(self, report_id: str, text: str) -> list[Finding]:
        """Findings in the order of the text; each cell of the matrix once, where first said."""
        found: dict[tuple[str, str], Finding] = {}
        somewhere = set[str]()
        for start, sentence in sentences(text):
            short = len(sentence) <= _LONGEST_REMEMBERED
            for name, locations, first, stop in (self._remembered if short else self._read)(
                sentence
            ):
                if locations is None:
                    locations = () if name in somewhere else ("",)
                somewhere.add(name)
                a, b = start + first, start + stop
                for location in locations:
                    if (name, location) not in found:
                        found[name, location] = Finding(
                            report_id, name, location, Status.PRESENT, a, b, text[a:b]
                        )
        return list(found.values())

    def left_out(self, text: str) -> list[LeftOut]:
        """Words that the rules took away, and the rule that did."""
        return [
            LeftOut(start + first, start + stop, f"{rule.effect} {rule.trigger.strip()!r}")
            for start, sentence in sentences(text)
            for part in expanded(whole(cleaned(sentence)), self.vocabulary)
            for rule, taken in removals(_padded(part), self._rules)
            for first, stop in _runs(taken, places(sentence))
        ]

    def vocabulary_rows(self) -> list[VocabularyRow]:
        """Every row of the vocabulary, its example tried."""
        return checked_rows(self.vocabulary)

    def _read(self, sentence: str) -> tuple[Mention, ...]:
        """What a sentence mentions; the words are looked up in the sentence as it was given."""
        origin: Sequence[int]
        mentions, origin = list[Mention](), range(0)
        for part in expanded(whole(cleaned(sentence)), self.vocabulary):
            phrase = tidied(apply_rules(_padded(part), self._rules))
            for mention in self._matrix.read(phrase.text):
                origin = origin or places(sentence)
                letters = phrase.at[mention.start : mention.end]
                start, end = _whole_words(sentence, letters, origin)
                mentions.append(mention._replace(start=start, end=end))
        return tuple(mentions)


def _padded(phrase: Phrase) -> Phrase:
    return Phrase(f" {phrase.text} ", [NOWHERE, *phrase.at, NOWHERE])


def _runs(taken: set[int], origin: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Spans in the sentence of the characters that were taken out of its cleaned form."""
    letters = sorted(taken)
    starts = [at for before, at in pairwise([-_GAP - 1, *letters]) if at - before > _GAP]
    stops = [
        at for at, after in pairwise([*letters, letters[-1] + _GAP + 1]) if after - at > _GAP
    ]
    for start, stop in zip(starts, stops, strict=True):
        yield origin[start], origin[stop] + 1


def _whole_words(
    sentence: str, letters: Iterable[int], origin: Sequence[int]
) -> tuple[int, int]:
    """The words of the sentence from which letters of its cleaned form came."""
    known = [at for at in letters if at != NOWHERE]
    start, end = origin[min(known)], origin[max(known)] + 1
    while start < end and not sentence[start].isalnum():
        start += 1
    while start < end and not sentence[end - 1].isalnum():
        end -= 1
    while start and sentence[start - 1].isalnum():
        start -= 1
    while end < len(sentence) and sentence[end].isalnum():
        end += 1
    return start, end


def missing_sides(findings: Iterable[Finding]) -> dict[str, bool]:
    """What one report leaves open: the side of a lung finding, the lobe of one with a side."""
    named = {finding.location for finding in findings if finding.status is Status.PRESENT}
    return {
        "lungs_right_left": "lung" in named and not named & {"right_lung", "left_lung"},
        "right_lobes_all": "right_lung" in named
        and not named & {"right_upper", "right_mid", "right_lower"},
        "left_lobes_all": "left_lung" in named
        and not named & {"left_upper", "left_mid", "left_lower"},
    }


def build(
    kind: Kind,
    vocabulary: Path | None = None,
    *,
    ambiguous: bool = True,
    location_checks: bool = True,
) -> SarleProfile:
    """The published labeller for CT or chest X-ray ("cxr") reports.

    `ambiguous` says whether what is only suspected is kept, and then present; CT has no rules
    that could drop it. `location_checks` drops locations that cannot be.
    """
    return SarleProfile(
        read_vocabulary(kind, vocabulary), ambiguous=ambiguous, location_checks=location_checks
    )
