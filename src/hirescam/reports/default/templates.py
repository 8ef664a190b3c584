"""Templates: a key and its value, as in forms: "Effusion: none", "Bulla (-)", "[ ] Mass".

A value that denies its key makes all findings of the key absent; an empty box denies what
follows it. A key that is only the heading of its value ("Emphysema: mild centrilobular
emphysema") states nothing of its own.
"""

import re
from collections.abc import Iterator, Sequence

from hirescam.reports.default.phrases import word_set

_SEEN = (
    "present|seen|identified|detected|visible|visuali[sz]ed|evident|found|noted|observed|shown|"
    "demonstrated|applicable|appreciated|known|suspected|apparent|significant|relevant|definite"
)
_NO = (
    rf"(?:none|nil|no|nope|absent|negative|neg|n|non[- ]?present|not (?:{_SEEN})|no evidence|"
    r"n/a|without|excluded|ruled out|unlikely|false|0|[-−–—]|✗|✘)"
)
_MORE = (
    rf"(?:\s+(?:{_SEEN}|of note|for age|at this time|suspicious|acute|on this (?:scan|study)))*"
)
_SEPARATOR = r"(?:\s*[:=|\t]\s*|\s*\.{2,}\s*|\s*…\s*|\s+[-−–—]+\s*|\s*[–—]\s*)"
_BOXED = r"(?:(?:\[\s?\]|☐|□)\s*\w+\s*)*(?:\[[xX✓✔]\]|☑|☒|✓|✔)\s*"
_DENIED = re.compile(
    rf"{_SEPARATOR}(?:{_BOXED})?{_NO}{_MORE}(?=\s*(?:[.,;|\t\n)\]\[(☐]|$|/))"
    rf"|\s*[(\[]\s*{_NO}{_MORE}\s*[)\]]",
    re.IGNORECASE,
)
_EMPTY_BOX = re.compile(r"(?:\[\s?\]|\(\s\)|☐|□|◻|❏)([^\[\]☐□☑☒✓✔◻❏(|;]+)")
_ENDS_KEY = re.compile(r"[.;|\n]|\)\s")
_STATED = word_set(
    """mild moderate severe small large tiny trace minimal massive new stable unchanged is are
    was were has have shows seen noted there persistent extensive multiple few several bilateral
    right left marked subtle slight advanced early old"""
)
_NEUTRAL = word_set(
    """of the and or / & , in presence other any disease diseases finding findings number type
    status large small airways airway lung lungs pulmonary chest significant evidence"""
)


def denied(sentence: str) -> Iterator[tuple[int, int]]:
    """Spans of a sentence that a template denies."""
    start = 0
    for value in _DENIED.finditer(sentence):
        start = max(
            [start, *(end.end() for end in _ENDS_KEY.finditer(sentence, start, value.start()))]
        )
        yield _key_start(sentence, start, value.start()), value.start()
        start = value.end()
    for box in _EMPTY_BOX.finditer(sentence):
        yield box.start(1), box.end(1)


def _key_start(sentence: str, start: int, end: int) -> int:
    """Where a key begins: behind a comma that ends a statement, not within a list of names."""
    before, comma, _ = sentence[start:end].rpartition(",")
    words = before.lower().split()
    if comma and (not _STATED.isdisjoint(words) or any(word[0].isdigit() for word in words)):
        return start + len(before) + 1
    return start


def is_key(words: Sequence[str], colon: int, named: Sequence[tuple[int, int]]) -> bool:
    """Whether the words before a colon are only findings' names, as a form's keys are."""
    rest = set(range(colon)) - {at for first, stop in named for at in range(first, stop)}
    return all(words[at] in _NEUTRAL for at in rest) and colon <= 8
