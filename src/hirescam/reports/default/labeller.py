"""Labeller: a report's text becomes findings with places and with the words for them.

A sentence is read by itself, then what it leaves to the sentence before it is filled in: "it"
and "the nodule" speak of a finding that was told.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from hirescam.reports.default.mentions import (
    Mention,
    Role,
    Size,
    find_mentions,
    find_sizes,
    phrase_roles,
)
from hirescam.reports.default.phrases import (
    Match,
    Phrasebook,
    Speller,
    Words,
    spell_out,
    split_words,
    word_set,
)
from hirescam.reports.default.places import (
    Chain,
    PlaceMention,
    SentenceContext,
    attach,
    find_places,
    lies_elsewhere,
    location_names,
    share,
)
from hirescam.reports.default.scope import (
    clause_numbers,
    clause_starts,
    effects_on,
    find_scopes,
    key_end,
)
from hirescam.reports.default.text import Headings, split_sentences
from hirescam.reports.default.vocabulary import Abnormality, Cue, Place, Row, Vocabulary
from hirescam.reports.profile import LeftOut, VocabularyRow
from hirescam.reports.table import Finding, Status

_OPENINGS = (
    "it", "this", "these", "they", "one", "largest", "the largest", "the larger", "the biggest",
    "the smallest", "the latter", "the former", "the finding",
)  # fmt: skip
_PRONOUNS = frozenset(tuple(words.split()) for words in _OPENINGS)
_DROPPED = frozenset(("hypothetical", "family", "instruction"))
_LISTING = word_set("/ and or , &")
_CORONARY = word_set(
    """coronary cor artery arteries stent stents stented stenting rca lcx lm diagonal
    calcification calcified calcifications calcs plaque plaques proximal ostial lima graft
    territory occlusion"""
)
_ODD_SIGN = re.compile(r"[a-z)][?+\\^$]|\w\*\w")
_LONGEST_TOPIC, _LONGEST_KEY = 40, 5
_BULLET = re.compile(r"\n[ \t]*(?:[-*•>]|\d{1,2}[.)])")
_SIDES, _LUNGS = word_set("right left"), word_set("lung lungs lobe lobes hemithorax zone")
_NORMAL = word_set(
    "normal unremarkable clear patent intact fine ok okay negative within limits"
)
_DENYING = word_set("no not none without nil negative absent nothing")
LARGE_MM = 10.0
_LONGEST_REMEMBERED = 300  # characters: bounds the memory for any reports


class Statement(NamedTuple):
    """A finding of one sentence; `start` and `end` index into that sentence."""

    abnormality: str
    locations: tuple[str, ...]
    status: Status
    start: int
    end: int
    named: bool  # the sentence itself says where it lies
    definite: bool  # "the nodule": one that was told before


class Reading(NamedTuple):
    """What a sentence states, and what it says about a finding of the sentence before it."""

    stated: tuple[Statement, ...]
    refers: bool = False  # it opens with "it", "this", "the largest" ...
    locations: tuple[str, ...] = ()  # places that no finding of its own took
    largest_mm: float = 0.0


_SILENT = Reading(())


class Reader:
    """A vocabulary made ready to read sentences."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._rows = vocabulary.abnormalities
        self._within = vocabulary.within
        self._book: Phrasebook = Phrasebook(_entries(vocabulary), vocabulary.words)
        self._speller = Speller(
            self._book, _example_words(vocabulary), vocabulary.words.get("ordinary", ())
        )
        self._remembered = lru_cache(maxsize=20_000)(self._read)

    def read(self, sentence: str, lies_in: tuple[str, ...]) -> Reading:
        """The findings of a sentence; short sentences, which reports repeat, are remembered."""
        read = self._remembered if len(sentence) <= _LONGEST_REMEMBERED else self._read
        return read(sentence, lies_in)

    def _read(self, sentence: str, lies_in: tuple[str, ...]) -> Reading:
        words = self.words(sentence)
        found: dict[type, list[Match]] = {Role: [], Place: [], Cue: []}
        for match in self._book.find(words.texts):
            found[type(match.meaning)].append(match)
        refers = words.texts[:1] in _PRONOUNS or words.texts[:2] in _PRONOUNS
        if not found[Role] and not refers:
            return _SILENT
        clauses = clause_starts(words.texts)
        mentions = find_mentions(found[Role], self._rows, clauses)
        if not mentions and not refers:
            return _SILENT
        places = find_places(words.texts, found[Place])
        sizes = find_sizes(sentence)
        if not mentions:
            return self._about_the_last(places, sizes)
        spans = [(mention.first, mention.stop) for mention in mentions]
        scopes = find_scopes(words.texts, clauses, found[Cue], spans)
        key = key_end(words.texts)
        by_value = _said_by_value(words.texts, key, mentions)
        scene = SentenceContext(
            words.texts, clause_numbers(words.texts, clauses), mentions, self._rows
        )
        spots, free = attach(scene, places)
        share(scene, spots, free)
        large = self._large(mentions, sizes, words)
        stated: list[Statement] = []
        for at, (mention, own) in enumerate(zip(mentions, spots, strict=True)):
            row = self._rows[mention.row]
            status = _status(mention, row, effects_on(mention.parts, scopes))
            if status is None or lies_elsewhere(mention, own, row) or at in by_value:
                continue
            start, end = words.starts[mention.first], words.ends[mention.stop - 1]
            locations = self._locations(mention, mentions, own, lies_in)
            named = any(not spot.is_modifier for spot in own)
            definite = words.texts[max(mention.first - 1, 0)] in ("the", "this", "these")
            for name in (row.name, *row.also, *([row.when_large] if at in large else ())):
                stated.append(Statement(name, locations, status, start, end, named, definite))
        return Reading(
            tuple(dict.fromkeys(stated)), refers, (), _largest(sizes) if refers else 0.0
        )

    def words(self, sentence: str) -> Words:
        """The words as they are read: abbreviations told apart, misspellings put right."""
        words = split_words(sentence)
        texts = [self._speller.correct(word) for word in words.texts]
        for at, text in enumerate(texts):
            if text in ("l", "r") and _is_side(sentence, words, at):
                texts[at] = "left" if text == "l" else "right"
            elif text == "lad" and _CORONARY.isdisjoint(texts):
                texts[at] = "lymphadenopathy"
        return Words(tuple(texts), words.starts, words.ends)

    def is_place(self, key: str) -> bool:
        """Whether a key names a side of the lungs and no finding."""
        words = self.words(key).texts
        if len(words) > _LONGEST_KEY or _SIDES.isdisjoint(words) or _LUNGS.isdisjoint(words):
            return False
        roles = [m.meaning for m in self._book.find(words) if isinstance(m.meaning, Role)]
        return not any(role.kind in ("term", "bare") for role in roles)

    def notes(self, sentence: str) -> Iterator[LeftOut]:
        """Cues with their effects, and words that are read as others."""
        words = self.words(sentence)
        found = self._book.find(words.texts)
        last = 0
        for cue in (match for match in found if isinstance(match.meaning, Cue)):
            if cue.first >= last:
                last = cue.stop
                start, end = words.starts[cue.first], words.ends[cue.stop - 1]
                yield LeftOut(start, end, f"cue {cue.meaning.name!r}: {cue.meaning.effect}")
        raw = split_words(sentence).texts
        for at, (written, read) in enumerate(zip(raw, words.texts, strict=True)):
            if written != read:
                yield LeftOut(words.starts[at], words.ends[at], f"read as {read!r}")

    def effects(self, sentence: str, start: int, end: int) -> frozenset[str]:
        """What the cues of a sentence say of the words from `start` to `end`, known or not."""
        words = split_words(sentence)
        part = (bisect_left(words.ends, start + 1), bisect_left(words.starts, end))
        found: dict[type, list[Match]] = {Role: [], Place: [], Cue: []}
        for match in self._book.find(words.texts):
            found[type(match.meaning)].append(match)
        clauses = clause_starts(words.texts)
        mentions = find_mentions(found[Role], self._rows, clauses)
        spans = [part, *((mention.first, mention.stop) for mention in mentions)]
        return effects_on([part], find_scopes(words.texts, clauses, found[Cue], spans))

    def _about_the_last(self, places: list[Chain], sizes: list[Size]) -> Reading:
        names = [
            name
            for chain in places
            for spot in chain
            for name in location_names(spot, in_lung=False, within=self._within)
        ]
        return Reading((), True, tuple(dict.fromkeys(names)), _largest(sizes))

    def _large(
        self, mentions: list[Mention], sizes: list[Size], words: Words
    ) -> frozenset[int]:
        """Mentions that a size above 1 cm is nearest to and that have a name for being so."""

        def distance(at: int, size: Size) -> int:
            start, end = words.starts[mentions[at].first], words.ends[mentions[at].stop - 1]
            return max(start - size.end, size.start - end, 0)

        described = {mention.first for mention in mentions}  # "14 mm groundglass nodule"
        heads = [at for at, mention in enumerate(mentions) if mention.stop not in described]
        near = {
            min(heads, key=lambda at: distance(at, size))
            for size in sizes
            if size.largest_mm > LARGE_MM
        }
        return frozenset(
            at
            for at, mention in enumerate(mentions)
            if self._rows[mention.row].when_large
            and any(
                mention.first < mentions[other].stop and mentions[other].first < mention.stop
                for other in near
            )
        )

    def _locations(
        self,
        mention: Mention,
        mentions: list[Mention],
        spots: list[PlaceMention],
        lies_in: tuple[str, ...],
    ) -> tuple[str, ...]:
        organs = any(spot.systems - {"modifier"} for spot in spots)
        home = self._rows[mention.row].lies_in or (() if organs else lies_in)
        if "heart" in home:  # "left-sided pacemaker": the heart has no side
            spots = [spot for spot in spots if not spot.is_side]
        in_lung = "lung" in home or any(
            "lung" in self._rows[other.row].lies_in
            for other in mentions
            if other.first < mention.stop and mention.first < other.stop
        )  # "right" is a lung in "right pneumonectomy", whichever finding these words are
        in_lung = in_lung or any("lung" in spot.systems for spot in spots)
        names = [
            name
            for spot in spots
            for name in location_names(spot, in_lung=in_lung, within=self._within)
        ]
        return tuple(dict.fromkeys((*names, *home)))


def _is_side(sentence: str, words: Words, at: int) -> bool:
    """A capital L or R that stands before a word: "small L effusion"; not "L/R" or "L 4"."""
    after = words.texts[at + 1 : at + 2]
    return (
        sentence[words.starts[at]].isupper()
        and bool(after)
        and after[0].isalpha()
        and words.texts[max(at - 1, 0)] not in ("/", "t")
    )


def _example_words(vocabulary: Vocabulary) -> set[str]:
    rows = (row for table in vocabulary.tables.values() for row in table)
    return {word for row in rows for word in split_words(row.example).texts}


def _said_by_value(words: Sequence[str], key: int, mentions: list[Mention]) -> frozenset[int]:
    """Mentions of a key that only say what its value is about: "Nodules, masses: a nodule"."""
    inside = [at for at, mention in enumerate(mentions) if mention.stop <= key]
    value = {mention.row for mention in mentions if mention.first > key}
    if not inside or not value:
        return frozenset()
    several = len({mentions[at].row for at in inside}) > 1
    listed = several and not _LISTING.isdisjoint(words[:key])
    about_all = listed or not _DENYING.isdisjoint(words[key + 1 : key + 2])
    return frozenset(at for at in inside if about_all or mentions[at].row in value)


def _largest(sizes: list[Size]) -> float:
    return max((size.largest_mm for size in sizes), default=0.0)


def _entries(vocabulary: Vocabulary) -> list[tuple[str, Role | Place | Cue]]:
    entries: list[tuple[str, Role | Place | Cue]] = [*phrase_roles(vocabulary.abnormalities)]
    entries += [(term, place) for place in vocabulary.places for term in place.terms]
    entries += [(term, cue) for cue in vocabulary.cues for term in cue.terms]
    return entries


def _status(mention: Mention, row: Abnormality, effects: frozenset[str]) -> Status | None:
    if effects & _DROPPED or ("past" in effects and not row.lasting):
        return None
    if mention.kind == "normal":
        return None if "absent" in effects else Status.ABSENT
    if effects & {"absent", "normal"}:
        return Status.ABSENT
    return Status.UNCERTAIN if "uncertain" in effects else Status.PRESENT


Placed = tuple[int, Statement]  # where its sentence starts, and the finding

_THINGS = frozenset(
    ("nodule", "mass", "lymph_node", "lesion", "opacity", "consolidation", "cyst", "granuloma")
)
_LARGE = {"nodule": "nodulegr1cm", "lymph_node": "lymphadenopathy"}
_SMALLER = {larger: name for name, larger in _LARGE.items()}


@dataclass(frozen=True)
class Discourse:
    """The findings that a sentence adds; the next one may speak of them."""

    findings: tuple[Placed, ...] = ()
    earlier: tuple[Placed, ...] | None = None  # of a sentence that itself speaks of "it"

    @property
    def things(self) -> tuple[Placed, ...]:
        """What the next sentence may call "it"."""
        return _clear(self.findings) if self.earlier is None else self.earlier

    def followed_by(self, reading: Reading, offset: int) -> "Discourse":
        """What the next sentence adds, with what it leaves to this one filled in."""
        if not reading.stated and not reading.refers:
            return NO_DISCOURSE
        findings = tuple((offset, stated) for stated in self._in_place(reading))
        if not reading.refers:
            return Discourse(findings)
        return Discourse((*self._told_more(reading), *findings), self.things)

    def _told_more(self, reading: Reading) -> Iterator[Placed]:
        """The thing itself, again: "it lies in the left apex", "it measures 12 mm"."""
        for offset, thing in self.things:
            if reading.locations:
                thing = thing._replace(locations=reading.locations)
                yield offset, thing
            if reading.largest_mm > LARGE_MM and thing.abnormality in _LARGE:
                yield offset, thing._replace(abnormality=_LARGE[thing.abnormality])

    def _in_place(self, reading: Reading) -> Iterable[Statement]:
        """Findings without a place lie where the thing that the sentence speaks of lies."""
        names = {
            _SMALLER.get(stated.abnormality, stated.abnormality)
            for stated in reading.stated
            if stated.definite and not stated.named
        }
        if not names and not reading.refers:
            return reading.stated
        where = next(
            (
                thing.locations
                for _, thing in self.things
                if thing.named and (reading.refers or thing.abnormality in names)
            ),
            None,
        )
        return [
            stated._replace(locations=where, named=True)
            if where is not None and _may_lie_in(where, stated)
            else stated
            for stated in reading.stated
        ]


def _may_lie_in(where: tuple[str, ...], stated: Statement) -> bool:
    """A finding that names no place, or by definition lies in the lungs as `where` does."""
    at_home = stated.locations == ("lung",) and "lung" in where
    return not stated.named and (not stated.locations or at_home)


def _clear(findings: tuple[Placed, ...]) -> tuple[Placed, ...]:
    """What "it" may be: all that one phrase says; of several, the only solid thing."""
    said = [each for each in findings if each[1].status is not Status.ABSENT]
    for things in (said, [each for each in said if each[1].abnormality in _THINGS]):
        if len({(stated.start, stated.end) for _, stated in things}) == 1:
            return tuple(things)
    return ()


NO_DISCOURSE = Discourse()


@dataclass(frozen=True)
class DefaultProfile:
    """Labels reports by a vocabulary; the same text gives the same findings."""

    vocabulary: Vocabulary
    reader: Reader
    headings: Headings

    @cached_property
    def version(self) -> str:
        """A hash of the vocabulary."""
        return self.vocabulary.version

    def label(self, report_id: str, text: str) -> list[Finding]:
        """Every finding that the report states: one row for each of its locations."""
        found: list[Finding] = []
        plain = self.headings.normalise(text)
        for section in self.headings.split(plain):
            last, topic, before = NO_DISCOURSE, "", section.start
            for start, end in split_sentences(plain, section.start, section.end):
                topic = self._topic(topic, plain[before:start], plain[start:end])
                before = end
                reading = self._read(plain[start:end], section.lies_in, topic)
                if section.heading >= 0 and not plain[section.start : start].strip():
                    whole = self.reader.read(plain[section.heading : end], section.lies_in)
                    if not _NORMAL.isdisjoint(split_words(plain[start:end]).texts):
                        whole = whole._replace(  # "Lymph nodes: normal" states no node
                            stated=tuple(s for s in whole.stated if s.status is Status.ABSENT)
                        )
                    if not reading.stated and whole.stated:  # "Heart: enlarged"
                        reading, start = whole, section.heading
                told = last.followed_by(reading, start)
                for offset, stated in told.findings:
                    found += _findings(report_id, text, offset, stated)
                last = told
        placed = {_without_place(finding) for finding in found if finding.location}
        return [
            finding
            for finding in dict.fromkeys(found)
            if finding.location or _without_place(finding) not in placed
        ]

    def _topic(self, topic: str, between: str, sentence: str) -> str:
        """The key whose value goes on in the next sentences: "Right lung:", then a list."""
        key, colon, _ = sentence[:_LONGEST_TOPIC].partition(":")
        if colon:
            return f"{key}: " if self.reader.is_place(key) else ""
        goes_on = "\n" not in between or _BULLET.search(between)
        return topic if goes_on and "\n\n" not in between else ""

    def _read(self, sentence: str, lies_in: tuple[str, ...], topic: str) -> Reading:
        """A sentence by itself, or as a part of the value of the key before it."""
        if not topic or ":" in sentence:
            return self.reader.read(sentence, lies_in)
        reading = self.reader.read(topic + sentence, lies_in)
        moved = (
            stated._replace(start=stated.start - len(topic), end=stated.end - len(topic))
            for stated in reading.stated
        )
        return reading._replace(stated=tuple(each for each in moved if each.start >= 0))

    def vocabulary_rows(self) -> list[VocabularyRow]:
        """Every row of the vocabulary, its example tried."""
        tables = self.vocabulary.tables
        return [
            VocabularyRow(
                table,
                row.name,
                row.terms,
                row.example,
                row.expected,
                self._given(row.example),
                unreachable=tuple(self._never_matching(row)),
            )
            for table, rows in tables.items()
            for row in rows
        ]

    def _never_matching(self, row: Row) -> Iterator[str]:
        """Phrases that no sentence can hold, because sentences are cut otherwise."""
        phrases = [*row.terms]
        if isinstance(row, Abnormality):
            nears = (*row.near, *row.normal_near)
            phrases += [*row.bare, *row.normal, *row.not_in]
            phrases += [phrase for near in nears for phrase in (*near.of, *near.word)]
        for phrase in phrases:
            for words in spell_out(phrase, self.vocabulary.words):
                plain = [word.strip("*") for word in words]
                if not words or list(split_words(" ".join(plain)).texts) != plain:
                    yield f"{phrase!r} can never match: no sentence has {' '.join(words)!r}"
                    break
            if odd := _ODD_SIGN.search(phrase):
                yield f"{phrase!r} holds {odd[0]!r}, which no sentence has behind a word"

    def notes(self, text: str) -> list[LeftOut]:
        """The cues that were read and what they say, and words that were read as others."""
        plain = self.headings.normalise(text)
        return [
            LeftOut(start + note.start, start + note.end, note.why)
            for section in self.headings.split(plain)
            for start, end in split_sentences(plain, section.start, section.end)
            for note in self.reader.notes(plain[start:end])
        ]

    def left_out(self, text: str) -> list[LeftOut]:
        """Parts below headings whose findings are not of this scan."""
        sections = [*self.headings.split(self.headings.normalise(text))]
        ends = [0, *(section.end for section in sections)]
        starts = [*(section.start for section in sections), len(text)]
        return [
            LeftOut(end, start, "not read: no finding of this scan stands below this heading")
            for end, start in zip(ends, starts, strict=True)
            if text[end:start].strip()
        ]

    def _given(self, example: str) -> tuple[str, ...]:
        """What a text gives, written as in the vocabulary: "present nodule @ lung"."""
        places: dict[tuple[str, str], set[str]] = {}
        for finding in self.label("example", example):
            key = (finding.status.value, finding.abnormality)
            places.setdefault(key, set()).add(finding.location)
        return tuple(
            f"{status} {name} @ {' '.join(sorted(at))}".removesuffix(" @ ")
            for (status, name), at in sorted(places.items())
        )


def _without_place(finding: Finding) -> tuple[str, Status, int]:
    """A finding without its place: a later sentence may have told it."""
    return finding.abnormality, finding.status, finding.start


def _findings(report: str, text: str, offset: int, stated: Statement) -> list[Finding]:
    start, end = offset + stated.start, offset + stated.end
    return [
        Finding(report, stated.abnormality, place, stated.status, start, end, text[start:end])
        for place in stated.locations or ("",)
    ]
