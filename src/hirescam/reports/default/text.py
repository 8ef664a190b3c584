"""Text: the sections of a report that are read, and where their sentences start and end."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from hirescam.reports.default.phrases import spell_out
from hirescam.reports.default.vocabulary import Heading


class Section(NamedTuple):
    """A part of a report that is read for findings, and where they lie unless they say so."""

    start: int
    end: int
    lies_in: tuple[str, ...]
    heading: int = -1  # where its heading starts


_SPACES = "\u00a0\u1680\u202f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_ALIKE = {
    **dict.fromkeys("\u2010\u2011\u2012\u2043\u2212\ufe63\uff0d\u00ad", "-"),
    **dict.fromkeys(_SPACES, " "),
    **dict.fromkeys("\u2018\u2019\u02bc\u2032", "'"),
    **dict.fromkeys("\u25e6\u25aa\u25cf\u2023\u00b7\u2027", "•"),
    "\uff1a": ":",
}
NONE, MAYBE = "∄", "⁇"
"""Signs for a key's value that says no, or perhaps; the vocabulary has cues of them."""
_UNTICKED, _TICKED = "∅", "✓"
_SIGNS = str.maketrans(
    {**_ALIKE, **dict.fromkeys("☐□◻⬜❏", _UNTICKED), **dict.fromkeys("☑☒✔✅■", _TICKED)}
)
_NO = (
    r"(?:none|no|nil|absent|negative|neg|zero|0|not (?:seen|present|identified|detected|found|"
    r"evident|visible|visuali[sz]ed|demonstrated|noted|observed|appreciated)|nad|∅|[-–—](?!\d))"
)
_PERHAPS = (
    r"(?:possibl[ey]|questionable|equivocal|suspected|uncertain|indeterminate|maybe|perhaps|\?|"
    r"(?:cannot|can not|can't) be (?:excluded|ruled out)|(?:is |are )?not excluded)"
)
_FILLER = (
    r"(?:[ ]+(?:significant|seen|identified|detected|present|noted|evident|visible|apparent|"
    r"demonstrated|observed|found|known|definite|new|acute|at all|for age|"
    r"on (?:this|current) \w+))*"
)
_END = r"(?=[ ]*(?:[.;,)\]|\n•]|$))"
_BRACKETED_NO = re.compile(
    r"[(\[][ ]*(?:none|no|nil|absent|negative|neg|n|[-–—]|"
    r"not (?:seen|present|identified|detected))[ ]*[)\]]",
    re.IGNORECASE,
)
_BOX = re.compile(r"\[[ _]?\]|\([ ]\)")
_TICKED_BOX = re.compile(r"\[[xX*✓]\]|\([xX]\)(?=[ ])")
_CHOICE = re.compile(
    r"(?P<a>[∅✓])[ ]*(?P<yes>yes|present|no|absent|none)\b[ ,/]*(?P<b>[∅✓])[ ]*"
    r"(?P<other>yes|present|no|absent|none)\b",
    re.IGNORECASE,
)
_BOX_BEHIND = re.compile(
    r"(?m)^(?=[ ]*[-*•]?[ ]*[A-Za-z])[^∅✓\n]*[A-Za-z)][ :.]*(?P<box>[∅✓])[ ]*$"
)
_ROW = re.compile(r"(?m)^[ ]*\|.*\|[ ]*$|^[^|\n:]+\|[^|\n]+$")
_COLUMNS = re.compile(
    r"(?im)^(?P<key>[^\n:\t=]{2,59}?[^\s:=])"
    r"(?P<gap>\t{1,9}[ ]{0,9}|[ ]{3,80}|[ ]{1,9}[-–—][ ]{1,9}|[ ]{0,9}=[ ]{0,9}|"
    r"[ ]{0,9}[._]{3,80}[ ]{0,9})"
    rf"(?=(?:{_NO}|{_PERHAPS}|yes|present|positive){_FILLER}{_END})"
)
_ANSWER = re.compile(
    r"\?(?=[ ]+(?:no|none|absent|negative|yes|present)\b[ ]*(?:[.;,\n]|$))", re.IGNORECASE
)
_VALUE = re.compile(
    rf"(?P<key>[A-Za-z][^\n:.;]{{0,60}}?)[ ]*:[ ]*(?:(?P<no>{_NO}|n)|(?P<maybe>{_PERHAPS}))"
    rf"{_FILLER}{_END}",
    re.IGNORECASE,
)
_ATTRIBUTE = re.compile(
    r"(?P<stop>[.;,|]?\s*(?<=[\s.;,|]))(?P<key>(?:location|site|side|laterality|position|lobe|"
    r"segment|size|diameter|dimensions?|measurements?|longest diameter|type|consistency|"
    r"attenuation|margins?|number|count|shape|severity|distribution|extent|pattern|appearance|"
    r"composition|series|image|slice|status|change|morphology)[ ]*):",
    re.IGNORECASE,
)
_NEXT_KEY = re.compile(r",(?=[ ]*[A-Za-z][A-Za-z /-]{2,30}:(?:[ ]|$))")
_STATING = re.compile(
    r"(?i)\b(?:a|an|mild|moderate|severe|small|large|trace|tiny|minimal|new|stable|unchanged|is|are|"
    r"right|left|bilateral|known|persistent|slight|extensive|present|seen|yes|\d+)\b"
)
_MAYBE_FORM = re.compile(r"[.]{3}|_{3}|[☐□◻⬜❏☑☒✔✅■∅✓\[(|\t=?:]|[ ][-–—][ ]|[ ]{3}")


_READ_FALSE = re.compile(
    r"(?<![\w.,-])[01](?=[a-z]{3})|(?<=[a-z])[01](?=[a-z])|(?<=\b[A-Z])0(?=[a-z]{2})|(?<=\bN)0(?=\s[a-z])"
)


class Headings:
    """The headings of a vocabulary, found in a report."""

    def __init__(self, headings: tuple[Heading, ...]) -> None:
        self._rows = {
            " ".join(words): row
            for row in headings
            for term in row.terms
            for words in spell_out(term)
        }
        names = sorted(self._rows, key=len, reverse=True)
        pattern = "|".join(re.escape(name).replace(r"\ ", r"[\s/&,-]+") for name in names)
        self._heading = re.compile(
            rf"(?:^|(?<=\n)|(?<=[.;\"]\s)|(?<=[.;\"])|(?<=\s\s))[ \t]*[*#]*({pattern})\s*:",
            re.IGNORECASE,
        )

    def normalise(self, text: str) -> str:
        """A text of the same length whose forms, tables and tick boxes are sentences.

        Dashes, spaces and bullets of all kinds become plain ones; "Effusion [none]", "Effusion
        (-)", "| Effusion | none |", "Effusion: no" and an empty box say that there is none.
        """
        text = text.translate(_SIGNS)
        if _READ_FALSE.search(text):  # by a scanner: "n0dule", "1eft"
            text = _READ_FALSE.sub(lambda m: "l" if m[0] == "1" else "o", text)
        if not _MAYBE_FORM.search(text):
            return text
        text = _BOX.sub(lambda m: _UNTICKED.ljust(len(m[0])), text)
        text = _TICKED_BOX.sub(lambda m: _TICKED.ljust(len(m[0])), text)
        text = _BRACKETED_NO.sub(lambda m: f"{NONE}no.".ljust(len(m[0]))[: len(m[0])], text)
        if _UNTICKED in text or _TICKED in text:
            text = _CHOICE.sub(_chosen, text)
            text = _BOX_BEHIND.sub(_box_behind, text)
            text = text.replace(_TICKED, "•")
        if "|" in text:
            text = _ROW.sub(lambda m: _cells(m[0]), text)
        text = _COLUMNS.sub(lambda m: m["key"] + ":".rjust(len(m["gap"])), text)
        text = _ANSWER.sub(":", text)
        if ":" not in text:
            return text
        text = _VALUE.sub(self._value, text)
        text = _ATTRIBUTE.sub(_attribute, text)
        return _NEXT_KEY.sub(";", text)

    def _value(self, match: re.Match[str]) -> str:
        """A key and its value, the colon as a sign; an unread heading stays one."""
        words = re.split(r"[\s/&,-]+", match["key"].lower().strip())
        row = self._rows.get(" ".join(words))
        if row is not None and not row.read:
            return match[0]
        at = match[0].index(":", len(match["key"]))
        sign = NONE if match["no"] else MAYBE
        comma = match["key"].rfind(",")
        if comma > 0 and _STATING.search(match["key"], 0, comma):  # "mild A, B: none"
            return f"{match[0][:comma]};{match[0][comma + 1 : at]}{sign}{match[0][at + 1 :]}"
        return match[0][:at] + sign + match[0][at + 1 :]

    def split(self, text: str) -> Iterator[Section]:
        """The parts that are read. A part that is not read ends at the next heading or line."""
        found = list(self._heading.finditer(text)) if ":" in text else []
        yield Section(0, found[0].start() if found else len(text), ())
        for heading, after in zip(found, [*found, None][1:], strict=True):
            row = self._rows[" ".join(re.split(r"[\s/&,-]+", heading[1].lower()))]
            end = after.start() if after else len(text)
            if row.read:
                yield Section(heading.end(), end, row.lies_in, heading.start(1))
            elif not after:
                yield Section(_end_of_line(text, heading.end(), end), end, ())


def _chosen(match: re.Match[str]) -> str:
    """Of two boxes, the word of the one that is ticked, as a value."""
    word = match["yes"] if match["a"] == _TICKED else match["other"]
    chosen = match["a"] != match["b"]
    return (word if chosen else "").ljust(len(match[0]))


def _box_behind(match: re.Match[str]) -> str:
    at = match.start("box") - match.start()
    sign = NONE if match["box"] == _UNTICKED else " "
    return match[0][:at] + sign + match[0][at + 1 :]


def _cells(row: str) -> str:
    """A row of a table as a key and its values."""
    first = row.index("|")
    if row.lstrip().startswith("|"):
        row = row[:first] + " " + row[first + 1 :]
        first = row.find("|")
    if first < 0 or ":" in row:
        return row.replace("|", ",")
    last = row.rstrip().endswith("|")
    rest = row[first + 1 :].replace("|", ",")
    rest = rest.rstrip()[:-1].ljust(len(rest)) if last and rest.rstrip()[-1:] == "," else rest
    return row[:first] + ":" + rest


def _attribute(match: re.Match[str]) -> str:
    """A key that tells more of the finding before it: "Nodule: 1. Location: lower lobe"."""
    if match.start() == 0 or "\n\n" in match["stop"]:
        return match[0]
    return ",".ljust(len(match[0]))


def _end_of_line(text: str, start: int, end: int) -> int:
    stop = re.compile(r"\S[^\n]*\n|\.(?=\s)").search(text, start, end)
    return stop.end() if stop else end


_OPENINGS = "The|There|No|Heart|Lungs|Both|Again|This|These|Stable|Mild|Degenerative|Otherwise"
_ABBREVIATIONS = "dr vs approx e.g i.e cf ca resp"
_BREAK = re.compile(
    # One class first: the search then passes over letters without trying the rest.
    r"[.!?;\"“”•*\s-](?:"
    # a full stop that is neither a decimal point nor part of an abbreviation
    + "".join(rf"(?<!\b{re.escape(word)}\.)" for word in _ABBREVIATIONS.split())
    + r"(?<!^\d\.)(?<!\n\d\.)(?<=\.)(?=[\s\"'”)\]]|$|(?<=[a-z]\.)[A-Z])"
    r"|(?<=[\w)\]\"' ][!?])(?<!\s\?)(?=\s+[A-Z\"•*-]|\s*$)"
    r"|(?<=\s)(?=\d\)\s+[A-Z\d])"
    r"|(?<=[\"“”•;])|(?<=\s)(?=∅)"
    # a bullet
    r"|(?<=\s[*-])(?=\s+[A-Z])"
    # a line ends a sentence unless the next one goes on in small letters
    r"|(?<=\n)(?=\s*(?:[A-Z\d*•-]|$|\n))"
    # a full stop lost: a small letter, then a word that only opens sentences
    rf"|(?<=[a-z)]\s)(?=(?:{_OPENINGS})\s+[a-z]))"
)
_LONGEST = 1000  # characters: a longer "sentence" is a list or no text at all, and is cut
_NUMBERING = re.compile(r"\s*(?:\(?\d{1,2}[.)]\s*(?=[A-Za-z])|[-*•>]\s*)?")


def split_sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Spans of the sentences between `start` and `end`, without list numbers and bullets."""
    at = start
    for cut in _BREAK.finditer(text, start, end):
        stop = cut.end() if cut[0] in "!?" else cut.start()
        if stop > at + 1:
            yield from _trimmed(text, at, stop)
        at = cut.end()
    yield from _trimmed(text, at, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    if start < end and not text[start].isalpha():
        numbering = _NUMBERING.match(text, start, end)
        start = numbering.end() if numbering else start
    end = start + len(text[start:end].rstrip())
    while end - start > _LONGEST:
        cut = text.rfind(" ", start + 1, start + _LONGEST)
        cut = cut if cut > 0 else start + _LONGEST
        yield start, cut
        start = cut
    if end > start:
        yield start, end
