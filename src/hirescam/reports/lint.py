"""Lint: what is wrong with a vocabulary, row by row."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations
from pathlib import Path
from typing import Literal

from hirescam.errors import HirescamError
from hirescam.reports.profile import Checkable, ProfileChoice, VocabularyRow

Kind = Literal["example fails", "unreachable", "misspelt", "overlapping"]
_SHORTEST_SPELLING = 6
_ALIKE = 0.87
_SHOWN = 4


@dataclass(frozen=True)
class VocabularyIssue:
    """Something wrong with a row, in a sentence; only a failing example is surely an error."""

    kind: Kind
    table: str
    row: str
    sentence: str

    @property
    def is_error(self) -> bool:
        """Whether the vocabulary does not do what it says."""
        return self.kind == "example fails"


@dataclass(frozen=True)
class VocabularyCheck:
    """A vocabulary that was checked."""

    version: str
    rows: int
    flaws: tuple[VocabularyIssue, ...]


def check_vocabulary(profile: str, folder: Path | None = None) -> VocabularyCheck:
    """Check a profile's vocabulary, with a site's folder of rows laid over it.

    Raises `HirescamError` for an unknown profile, or a row that cannot be read at all.
    """
    ready = ProfileChoice(profile, folder).build()
    if not isinstance(ready, Checkable):
        raise HirescamError(f"profile {profile!r} has no vocabulary that can be checked")
    rows = ready.vocabulary_rows()
    return VocabularyCheck(ready.version, len(rows), tuple(flaws(rows)))


def flaws(rows: Sequence[VocabularyRow]) -> list[VocabularyIssue]:
    """All flaws: errors first, then by row."""
    return [*_examples(rows), *_unreachable(rows), *_misspelt(rows), *_overlapping(rows)]


def _examples(rows: Sequence[VocabularyRow]) -> Iterator[VocabularyIssue]:
    for row in rows:
        if set(row.given) != set(row.expected):
            yield VocabularyIssue(
                "example fails",
                row.table,
                row.name,
                f"{row.example!r} gives {_listed(row.given)}, expected {_listed(row.expected)}",
            )


def _unreachable(rows: Sequence[VocabularyRow]) -> Iterator[VocabularyIssue]:
    for row in rows:
        for reason in row.unreachable:
            yield VocabularyIssue("unreachable", row.table, row.name, reason)


def _misspelt(rows: Sequence[VocabularyRow]) -> Iterator[VocabularyIssue]:
    """A word used once that looks like one used more often, of which it is no other form."""
    uses = Counter(word for row in rows for word in {*_words(row)})
    frequent = [word for word, count in uses.items() if count > 1]
    for row in rows:
        for word in dict.fromkeys(_words(row)):
            if uses[word] > 1:
                continue
            near = get_close_matches(word, frequent, n=1, cutoff=_ALIKE)
            if near and sorted(near[0]) == sorted(word):
                yield VocabularyIssue(
                    "misspelt", row.table, row.name, f"{word!r} looks like {near[0]!r}"
                )


def _words(row: VocabularyRow) -> list[str]:
    words = (
        word.strip("*@()|,.") for term in (*row.terms, *row.parts) for word in term.split()
    )
    return [word for word in words if len(word) >= _SHORTEST_SPELLING]


def _overlapping(rows: Sequence[VocabularyRow]) -> Iterator[VocabularyIssue]:
    """Terms of two rows; not of locations, which lie inside each other."""
    for one, other in combinations((row for row in rows if row.table != "locations"), 2):
        if one.table == other.table and (shared := sorted({*one.terms} & {*other.terms})):
            more = f" and {len(shared) - _SHOWN} more" if len(shared) > _SHOWN else ""
            terms = ", ".join(map(repr, shared[:_SHOWN])) + more
            yield VocabularyIssue(
                "overlapping", one.table, one.name, f"shares {terms} with {other.name!r}"
            )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"
