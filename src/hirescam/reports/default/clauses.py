"""Clauses: parts of a sentence with a verb of their own; words of one leave the others be."""

from collections.abc import Sequence
from itertools import pairwise

from hirescam.reports.default.words import word_set

_VERBS = word_set(
    """is are was were has have had shows show showed demonstrates demonstrate demonstrated
    appears appear appeared remains remain remained measures reveals revealed suggests
    represents suggest represent reflects reflect persists"""
)
_PLURAL_VERBS = word_set("are were have appear remain")
_RELATIVE = word_set("that which who where")
_AUXILIARIES = word_set("is are was were be been being has have had")
_SOFT = frozenset((",", "and", "while", "whereas", "with"))
_HARD = frozenset((";", ":", "but", "however", "although", "though", "except", "yet"))
_NEW_SUBJECT = word_set("the there a an this these no")


def clause_starts(words: Sequence[str]) -> list[int]:
    """Where clauses start: at hard breaks, and at the last soft break before a second verb."""
    starts, verb_seen = [0], False
    for at, word in enumerate(words):
        if word in _HARD and not _continues(words, at):
            starts.append(at)
            verb_seen = False
        elif word in _VERBS and words[at - 1] not in _RELATIVE | _AUXILIARIES:
            if verb_seen:
                cut = _cut_before(words, at, starts[-1])
                if cut is not None:
                    starts.append(cut)
            verb_seen = True
    return starts


def clause_numbers(words: Sequence[str], starts: Sequence[int]) -> list[int]:
    """The number of the clause of each word."""
    lengths = [stop - start for start, stop in pairwise((*starts, len(words)))]
    return [number for number, length in enumerate(lengths) for _ in range(length)]


def _continues(words: Sequence[str], at: int) -> bool:
    """An image number ("5:106"), or the second half of "not only ... but"."""
    if words[at] == ":":
        return any(word[0].isdigit() for word in words[at + 1 : at + 2])
    return words[at] == "but" and "only" in words[:at]


def _cut_before(words: Sequence[str], verb: int, start: int) -> int | None:
    breaks = [at for at in range(start + 1, verb) if words[at] in _SOFT - {"with"}]
    if not breaks:
        return None
    cut = breaks[-1]
    # "a nodule is seen, effusion and pneumothorax were not": a plural verb closes a list
    is_list = words[verb] in _PLURAL_VERBS and words[cut] == "and"
    if is_list and len(breaks) > 1 and words[cut + 1] not in _NEW_SUBJECT:
        return breaks[-2]
    return cut
