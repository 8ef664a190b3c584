"""Anaphora: "it" and "the nodule" speak of a finding that the sentence before has told."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hirescam.reports.default.reading import LARGE_MM, Reading, Stated
from hirescam.reports.table import Status

Placed = tuple[int, Stated]  # where its sentence starts, and the finding

_THINGS = frozenset(
    ("nodule", "mass", "lymph_node", "lesion", "opacity", "consolidation", "cyst", "granuloma")
)
_LARGE = {"nodule": "nodulegr1cm", "lymph_node": "lymphadenopathy"}
_SMALLER = {larger: name for name, larger in _LARGE.items()}


@dataclass(frozen=True)
class Told:
    """The findings that a sentence adds; the next one may speak of them."""

    findings: tuple[Placed, ...] = ()
    earlier: tuple[Placed, ...] | None = None  # of a sentence that itself speaks of "it"

    @property
    def things(self) -> tuple[Placed, ...]:
        """What the next sentence may call "it"."""
        return _clear(self.findings) if self.earlier is None else self.earlier

    def followed_by(self, reading: Reading, offset: int) -> "Told":
        """What the next sentence adds, with what it leaves to this one filled in."""
        if not reading.stated and not reading.refers:
            return NOTHING_TOLD
        findings = tuple((offset, stated) for stated in self._in_place(reading))
        if not reading.refers:
            return Told(findings)
        return Told((*self._told_more(reading), *findings), self.things)

    def _told_more(self, reading: Reading) -> Iterator[Placed]:
        """The thing itself, again: "it lies in the left apex", "it measures 12 mm"."""
        for offset, thing in self.things:
            if reading.locations:
                thing = thing._replace(locations=reading.locations)
                yield offset, thing
            if reading.largest_mm > LARGE_MM and thing.abnormality in _LARGE:
                yield offset, thing._replace(abnormality=_LARGE[thing.abnormality])

    def _in_place(self, reading: Reading) -> Iterable[Stated]:
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


def _may_lie_in(where: tuple[str, ...], stated: Stated) -> bool:
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


NOTHING_TOLD = Told()
