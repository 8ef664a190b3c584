"""Matrix: which abnormalities a phrase puts at which locations."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from hirescam.reports.sarle.terms import Span, TermSearch, larger_than_1_cm, members
from hirescam.reports.sarle.vocabulary import Vocabulary

OTHER_ABNORMALITY = "other_disease"
_LOBES = {
    "right_lung": ("right_upper", "right_mid", "right_lower"),
    "left_lung": ("left_upper", "left_mid", "left_lower"),
}
_SIDE_WORDS = {"right_lung": ("right",), "left_lung": ("left", "lingula")}
_OWN_SYSTEMS = {"lung": ("lung", "great_vessel"), "heart": ("heart", "great_vessel")}


class Mention(NamedTuple):
    """An abnormality of a phrase, all its locations, and the words that name it.

    `locations` is None where the phrase names none, and empty where it names only impossible
    ones.
    """

    abnormality: str
    locations: tuple[str, ...] | None
    start: int
    end: int


class Matrix:
    """A vocabulary made ready to read phrases.

    In a phrase every abnormality lies at every location, which is the published behaviour and
    wrong for "nodule on the right and effusion on the left". With `location_checks` the
    locations that cannot be (cardiomegaly in a lung) are left out.
    """

    def __init__(self, vocabulary: Vocabulary, *, location_checks: bool) -> None:
        self._abnormalities, self._locations = vocabulary.abnormalities, vocabulary.locations
        self._search = TermSearch((*self._abnormalities, *self._locations))
        self._shift = len(self._abnormalities)
        self._here = (1 << self._shift) - 1
        self._abnormality = {row.name: at for at, row in enumerate(self._abnormalities)}
        self._lung_diseases, self._heart_diseases = (
            _bits(row.system == system for row in self._abnormalities)
            for system in ("lung", "heart")
        )
        self._lung, self._heart = self._places("lung"), self._places("heart")
        self._lobes = [
            (self._places(*lobes), self._places(side, "lung")) for side, lobes in _LOBES.items()
        ]
        self._sides = [(words, self._places(side)) for side, words in _SIDE_WORDS.items()]
        every = (1 << len(self._locations)) - 1
        self._possible = [
            self._possible_at(row.system, row.allowed_at) if location_checks else every
            for row in self._abnormalities
        ]
        self._names = lru_cache(maxsize=4096)(self._location_names)

    def read(self, text: str) -> Iterator[Mention]:
        """What a padded phrase mentions, in the order of the vocabulary."""
        hits = self._search.hits(text)
        found = self._search.mentioned(hits)
        by_size = dict(self._by_size(text)) if "nod" in text else {}
        if not (found or by_size):
            return
        abnormalities = found & self._here
        for entry in by_size:
            abnormalities |= 1 << entry
        locations = self._with_implied(found >> self._shift, abnormalities, text)
        if not abnormalities:
            yield from self._elsewhere(found >> self._shift, locations, hits)
        for entry in members(abnormalities):
            named = found >> entry & 1
            start, end = self._search.evidence(entry, hits) if named else by_size[entry]
            places = self._names(locations & self._possible[entry]) if locations else None
            yield Mention(self._abnormalities[entry].name, places, start, end)

    def _elsewhere(
        self, named: int, locations: int, hits: dict[int, list[Span]]
    ) -> Iterator[Mention]:
        """Locations without an abnormality; an implied one has the words of a named one."""
        for entry in members(locations):
            own = entry if named >> entry & 1 else next(members(named))
            start, end = self._search.evidence(self._shift + own, hits)
            yield Mention(OTHER_ABNORMALITY, (self._locations[entry].name,), start, end)

    def _by_size(self, text: str) -> Iterator[tuple[int, Span]]:
        """Enlarged nodes and nodules above 1 cm: what a measurement alone can say."""
        node = max(text.find(" node"), text.find(" nodal"))
        if node >= 0 and (entry := self._abnormality.get("lymphadenopathy")) is not None:
            word = node, node + len(" node")
            large = text.find("large")
            if large >= 0:
                yield entry, _hull((large, large + len("large")), word)
            elif size := larger_than_1_cm(text, "node"):
                yield entry, _hull(size, word)
        nodule, entry = text.find("nodul"), self._abnormality.get("nodulegr1cm")
        if nodule >= 0 and entry is not None and (size := larger_than_1_cm(text, "nodul")):
            yield entry, _hull(size, (nodule, nodule + len("nodul")))

    def _with_implied(self, locations: int, abnormalities: int, text: str) -> int:
        """Also the lungs of lung diseases and of lobes, and the heart of heart diseases."""
        for lobes, around in self._lobes:
            if locations & lobes:
                locations |= around
        if abnormalities & self._lung_diseases:
            locations |= self._lung
            for words, side in self._sides:
                if any(word in text for word in words):
                    locations |= side
        if abnormalities & self._heart_diseases:
            locations |= self._heart
        return locations

    def _possible_at(self, system: str, allowed_at: tuple[str, ...]) -> int:
        """Own system and vessels for a disease of lung or heart; else what its row allows.

        A general abnormality may lie anywhere outside lung, heart and vessels.
        """
        systems = _OWN_SYSTEMS.get(system) or ("generic", *allowed_at)
        return _bits(row.system in systems for row in self._locations)

    def _places(self, *names: str) -> int:
        return _bits(row.name in names for row in self._locations)

    def _location_names(self, locations: int) -> tuple[str, ...]:
        return tuple(self._locations[entry].name for entry in members(locations))


def _bits(flags: Iterable[bool]) -> int:
    return sum(flag << at for at, flag in enumerate(flags))


def _hull(one: Span, other: Span) -> Span:
    return min(one[0], other[0]), max(one[1], other[1])
