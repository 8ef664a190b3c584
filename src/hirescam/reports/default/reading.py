"""Reading: one sentence becomes the findings that it states, with their words and places."""

from bisect import bisect_left
from functools import lru_cache
from typing import NamedTuple

from hirescam.reports.default.attachment import Scene, attach, lies_elsewhere
from hirescam.reports.default.clauses import clause_numbers, clause_starts
from hirescam.reports.default.mentions import Mention, Role, find_mentions, phrase_roles
from hirescam.reports.default.phrases import Match, Phrasebook
from hirescam.reports.default.places import Chain, Spot, find_places, location_names
from hirescam.reports.default.scope import effects_on, find_scopes
from hirescam.reports.default.sharing import share
from hirescam.reports.default.sizes import Size, find_sizes
from hirescam.reports.default.vocabulary import Abnormality, Cue, Place, Vocabulary
from hirescam.reports.default.words import Words, split_words
from hirescam.reports.table import Status

_OPENINGS = (
    "it", "this", "these", "they", "one", "largest", "the largest", "the larger", "the biggest",
    "the smallest", "the latter", "the former", "the finding",
)  # fmt: skip
_PRONOUNS = frozenset(tuple(words.split()) for words in _OPENINGS)
_DROPPED = frozenset(("hypothetical", "family", "instruction"))
LARGE_MM = 10.0
_LONGEST_REMEMBERED = 300  # characters: bounds the memory for any reports


class Stated(NamedTuple):
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

    stated: tuple[Stated, ...]
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
        self._remembered = lru_cache(maxsize=20_000)(self._read)

    def read(self, sentence: str, lies_in: tuple[str, ...]) -> Reading:
        """The findings of a sentence; short sentences, which reports repeat, are remembered."""
        read = self._remembered if len(sentence) <= _LONGEST_REMEMBERED else self._read
        return read(sentence, lies_in)

    def _read(self, sentence: str, lies_in: tuple[str, ...]) -> Reading:
        words = split_words(sentence)
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
        scopes = find_scopes(words.texts, clauses, found[Cue])
        scene = Scene(words.texts, clause_numbers(words.texts, clauses), mentions, self._rows)
        spots, free = attach(scene, places)
        share(scene, spots, free)
        large = self._large(mentions, sizes, words)
        stated: list[Stated] = []
        for at, (mention, own) in enumerate(zip(mentions, spots, strict=True)):
            row = self._rows[mention.row]
            status = _status(mention, row, effects_on(mention.parts, scopes))
            if status is None or lies_elsewhere(mention, own, row):
                continue
            start, end = words.starts[mention.first], words.ends[mention.stop - 1]
            locations = self._locations(mention, mentions, own, lies_in)
            named = any(not spot.is_modifier for spot in own)
            definite = words.texts[max(mention.first - 1, 0)] in ("the", "this", "these")
            for name in (row.name, *row.also, *([row.when_large] if at in large else ())):
                stated.append(Stated(name, locations, status, start, end, named, definite))
        return Reading(
            tuple(dict.fromkeys(stated)), refers, (), _largest(sizes) if refers else 0.0
        )

    def effects(self, sentence: str, start: int, end: int) -> frozenset[str]:
        """What the cues of a sentence say of the words from `start` to `end`, known or not."""
        words = split_words(sentence)
        cues = [m for m in self._book.find(words.texts) if isinstance(m.meaning, Cue)]
        part = (bisect_left(words.ends, start + 1), bisect_left(words.starts, end))
        return effects_on([part], find_scopes(words.texts, clause_starts(words.texts), cues))

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
            and any(mention.parts == mentions[other].parts for other in near)
        )

    def _locations(
        self,
        mention: Mention,
        mentions: list[Mention],
        spots: list[Spot],
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
