"""Scope: which words a cue such as "no", "possible" or "history of" speaks about."""

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

from hirescam.reports.default.phrases import Match, word_set

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


def clause_starts(words: Sequence[str], joining: Collection[int] = ()) -> list[int]:
    """Where clauses start: at hard breaks, and at the last soft break before a second verb.

    Words at `joining` break nothing: colons between a key and a value that say one thing.
    """
    starts, verb_seen = [0], False
    for at, word in enumerate(words):
        if word in _HARD and at not in joining and not _continues(words, at):
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


_OPENERS = word_set(
    """a an mild mildly moderate small tiny trace minimal large severe unchanged stable new
    persistent there the this these is are residual slight few several multiple"""
)
_STOPS = {
    "stop": ("absent", "uncertain", "past"),
    "turn": ("absent", "past"),  # "no consolidation, likely atelectasis"
    "complement": ("absent", "past"),  # "no lesion compatible with metastasis" goes on
}
_PAUSES = frozenset((",", "(", "and", "but", ";", "–", "—"))
_LATE = frozenset(("or", "nor"))


class Scope(NamedTuple):
    """Words `first` up to `stop`, and the effect that a cue has on findings named there."""

    first: int
    stop: int
    effect: str


def find_scopes(
    words: Sequence[str],
    clauses: Sequence[int],
    cues: Sequence[Match],
    named: Sequence[tuple[int, int]] = (),
) -> list[Scope]:
    """The reach of every cue: within its clause, and not past words that open something new.

    `named` are the words that name findings. A word that turns to a cause or a nature ends a
    negation only if that has denied a finding already: "no consolidation, likely atelectasis",
    but "no finding compatible with pneumonia".
    """
    cues = _longest_cues(cues)
    stops = [cue for cue in cues if cue.meaning.effect in _STOPS]
    bounds = [*clauses, len(words)]
    scopes: list[Scope] = []
    for cue in cues:
        effect, reach = cue.meaning.effect, cue.meaning.reach
        if effect in ("none", *_STOPS):
            continue
        start = max(b for b in bounds if b <= cue.first)
        end = min(b for b in bounds if b > cue.first)
        if effect == "family":
            start, end = 0, len(words)
        if reach == "next":
            scopes.append(Scope(cue.stop, min(cue.stop + 1, end), effect))
        if reach in ("after", "both"):
            ending = (
                s.first
                for s in stops
                if effect in _STOPS[s.meaning.effect]
                and (effect != "absent" or _ends_denial(words, cue, s, named))
            )
            last = min([s for s in ending if cue.stop <= s < end], default=end)
            scopes.append(Scope(cue.first, _closed(words, cue.stop, last, effect), effect))
        if reach in ("before", "both"):
            scopes.append(Scope(start, cue.first, effect))
        if reach == "segment":
            scopes.append(Scope(_segment(words, cue.first, start), cue.first, effect))
    return scopes


def _ends_denial(
    words: Sequence[str], denial: Match, stop: Match, named: Sequence[tuple[int, int]]
) -> bool:
    """Whether a denial that has reached a stop ends there."""
    effect = stop.meaning.effect
    if effect == "stop":
        return True
    has_own = any(denial.stop <= first < stop.first for first, _ in named)
    pauses = words[stop.first - 1] in _PAUSES
    return has_own and (effect == "turn" or pauses)


def effects_on(parts: Sequence[tuple[int, int]], scopes: Sequence[Scope]) -> frozenset[str]:
    """Effects of all scopes that hold any word of a finding."""
    return frozenset(
        scope.effect
        for scope in scopes
        for first, stop in parts
        if first < scope.stop and scope.first < stop
    )


def _longest_cues(cues: Sequence[Match]) -> list[Match]:
    kept: list[Match] = []
    for cue in cues:
        if not kept or cue.first >= kept[-1].stop:
            kept.append(cue)
    return kept


def _closed(words: Sequence[str], first: int, last: int, effect: str) -> int:
    """Where a list ends: within "no A and a small B", but not within "no A, small B or C"."""
    for at in range(first + 1, last):
        if words[at] in (",", "and") and at + 1 < last:
            if effect == "past" and words[at] == ",":
                return at
            opens = words[at + 1] in _OPENERS or words[at + 1][0].isdigit()
            if opens and _LATE.isdisjoint(words[at:last]):
                return at
    return last


def _segment(words: Sequence[str], at: int, start: int) -> int:
    """Back from a question mark to the bracket or comma before it."""
    marks = [i + 1 for i in range(start, at) if words[i] in ("(", ",", "-")]
    return max(marks, default=start)
