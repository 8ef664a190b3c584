"""Scope: which words a cue such as "no", "possible" or "history of" speaks about."""

from collections.abc import Sequence
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
_UNAFFECTED = word_set("clear normal unremarkable")
_LONGEST_KEY = 8
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


def key_end(words: Sequence[str]) -> int:
    """Where the colon stands after a key of few words ("Nodule: 8 mm"), or -1."""
    at = next((i for i, word in enumerate(words[:_LONGEST_KEY]) if word == ":"), -1)
    is_key = at > 0 and _VERBS.isdisjoint(words[:at]) and not words[at - 1][0].isdigit()
    return at if is_key else -1


def _continues(words: Sequence[str], at: int) -> bool:
    """An image number, a key's value, and exceptions that lie where the rest does.

    "5:106", "Nodule: 8 mm", "not only ... but", "nothing but", "clear except for".
    """
    if words[at] == ":":
        number = any(word[0].isdigit() for word in words[at + 1 : at + 2])
        return (number and words[at - 1][0].isdigit()) or at == key_end(words)
    if words[at] == "except":
        return words[at - 1] in _UNAFFECTED
    return words[at] == "but" and ("only" in words[:at] or words[at - 1] == "nothing")


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
    "turn": ("absent", "past"),  # "may be due to edema" goes on, "no effusion due to" does not
    "complement": ("absent", "past"),
}
_LATE = frozenset(("or", "nor"))
_VERBAL = word_set("not cannot isn't wasn't aren't weren't doesn't didn't")
_BOUNDARIES = word_set(", ( : ;")

Span = tuple[int, int]


class Scope(NamedTuple):
    """Words `first` up to `stop`, and the effect that a cue has on findings named there."""

    first: int
    stop: int
    effect: str


def find_scopes(
    words: Sequence[str],
    clauses: Sequence[int],
    cues: Sequence[Match],
    findings: Sequence[Span] = (),
) -> list[Scope]:
    """The reach of every cue: within its clause, and not past words that open something new.

    A negation passes through the head of a complement to what the complement names ("no
    findings consistent with", "nothing due to"), and ends where a finding of its own has been
    told and an explanation of the rest begins ("no consolidation, likely atelectasis").
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
        if reach == "either":
            follows = any(cue.stop <= first < end for first, _ in findings)
            reach = "after" if follows and cue.stop < end else "before"
        if reach == "next":
            scopes.append(Scope(cue.stop, min(cue.stop + 1, end), effect))
        if reach in ("after", "both"):
            ending = (
                stop.first
                for stop in stops
                if cue.stop <= stop.first < end and _ends(words, cue, stop, effect, findings)
            )
            last = min(ending, default=end)
            scopes.append(Scope(cue.first, _closed(words, cue.stop, last, effect), effect))
        if reach in ("before", "both"):
            scopes.append(Scope(start, cue.first, effect))
        if reach == "segment":
            scopes.append(_segment_scope(words, cue, start, end, effect))
        if reach == "alternatives":
            heads = [stop.stop for stop in stops if start <= stop.first < cue.first]
            marks = [i + 1 for i in range(start, cue.first) if words[i] in _BOUNDARIES]
            scopes.append(Scope(max([start, *heads, *marks]), end, effect))
    return scopes


def _ends(
    words: Sequence[str], cue: Match, stop: Match, effect: str, findings: Sequence[Span]
) -> bool:
    """Whether a stop ends the reach of a cue before it."""
    kind = stop.meaning.effect
    if effect not in _STOPS[kind]:
        return False
    if kind == "stop" or effect != "absent":
        return True
    own = any(cue.stop <= first < stop.first for first, _ in findings)
    after_comma = words[stop.first - 1] == ","
    if kind == "complement":
        return own and after_comma
    blocked = not _VERBAL.isdisjoint(words[cue.first : cue.stop])  # "not seen due to effusion"
    return own or blocked


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


def _segment_scope(
    words: Sequence[str], cue: Match, start: int, end: int, effect: str
) -> Scope:
    """Back from a mark to the bracket or comma before it; from one that opens, onwards."""
    marks = [i + 1 for i in range(start, cue.first) if words[i] in ("(", ",", "-", ":")]
    first = max(marks, default=start)
    if first < cue.first:
        return Scope(first, cue.first, effect)
    stop = next((i for i in range(cue.stop, end) if words[i] in ",;)"), end)
    return Scope(cue.stop, stop, effect)
