"""The labeller of 2020 as a profile: sentences, rules, term search, one matrix per report."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from hirescam.reports.profile import LeftOut, VocabularyRow
from hirescam.reports.sarle.check import checked_rows
from hirescam.reports.sarle.indication import expanded
from hirescam.reports.sarle.matrix import Matrix, Mention
from hirescam.reports.sarle.phrase import NOWHERE, Phrase, tidied, whole
from hirescam.reports.sarle.rules import apply_rules, removals
from hirescam.reports.sarle.sentences import cleaned, places, sentences
from hirescam.reports.sarle.vocabulary import Kind, Vocabulary, read_vocabulary
from hirescam.reports.table import Finding, Status

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
