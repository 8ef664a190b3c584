"""Check: the rows of a vocabulary, their examples tried, and what in them can never match."""

import string
from collections.abc import Iterator, Sequence

from hirescam.reports.profile import VocabularyRow
from hirescam.reports.sarle.matrix import OTHER_ABNORMALITY, Matrix
from hirescam.reports.sarle.rules import Rule, apply_rules, whole
from hirescam.reports.sarle.terms import Entry, TermSearch, members
from hirescam.reports.sarle.vocabulary import Vocabulary

_NEVER_LEFT = set(string.punctuation.replace(".", "") + string.ascii_uppercase)
_REMOVING = ("drop token", "cut after", "cut before", "cut after until", "delete")


def checked_rows(vocabulary: Vocabulary) -> list[VocabularyRow]:
    """Every row: a rule gives what all rules leave, others all entries of their table."""
    matrix = Matrix(vocabulary, location_checks=False)
    search = TermSearch(vocabulary.locations)
    rows = list[VocabularyRow]()
    for at, rule in enumerate(vocabulary.rules):
        left = apply_rules(whole(f" {rule.example} "), vocabulary.rules).text
        reasons = tuple(_never_triggered(rule, vocabulary.rules[:at]))
        rows.append(
            VocabularyRow(
                "rules",
                rule.trigger,
                (rule.trigger,),
                rule.example,
                (rule.expected,),
                (" ".join(left.split()),),
                unreachable=reasons,
            )
        )
    for entry in vocabulary.abnormalities:
        mentions = matrix.read(f" {entry.example} ")
        names = (mention.abnormality for mention in mentions)
        rows.append(_row("abnormalities", entry, {*names} - {OTHER_ABNORMALITY}))
    for entry in vocabulary.locations:
        found = members(search.mentioned(search.hits(f" {entry.example} ")))
        rows.append(_row("locations", entry, {vocabulary.locations[at].name for at in found}))
    return rows


def _row(table: str, entry: Entry, given: set[str]) -> VocabularyRow:
    return VocabularyRow(
        table,
        entry.name,
        entry.any,
        entry.example,
        entry.expected,
        tuple(sorted(given)),
        (*entry.first, *entry.second),
        tuple(_never_decisive(entry)),
    )


def _never_decisive(entry: Entry) -> Iterator[str]:
    for term in (*entry.any, *entry.first, *entry.second, *entry.unless):
        if _NEVER_LEFT & {*term}:
            yield f"{term!r} has a capital or a sign that no cleaned sentence has"
    for role in (entry.any, entry.first, entry.second, entry.unless):
        idle = {
            term: shorter for term in role for shorter in role if shorter in term != shorter
        }
        if idle:
            longer, shorter = next(iter(idle.items()))
            more = f", and {len(idle) - 1} more such terms" if len(idle) > 1 else ""
            yield f"{longer!r} adds nothing to {shorter!r}{more}"


def _never_triggered(rule: Rule, before: Sequence[Rule]) -> Iterator[str]:
    if _NEVER_LEFT & {*rule.trigger}:
        yield f"{rule.trigger!r} has a capital or a sign that no cleaned sentence has"
    for earlier in before:
        if earlier.effect in _REMOVING and earlier.trigger in f" {rule.trigger.strip()} ":
            yield f"{earlier.trigger!r} takes it away before"
