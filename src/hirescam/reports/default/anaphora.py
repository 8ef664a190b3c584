"""Anaphora: "it" and "the nodule" speak of a finding that the sentence before has told."""

from dataclasses import dataclass

from hirescam.reports.default.reading import Reading, Stated
from hirescam.reports.table import Status

Placed = tuple[int, Stated]  # where its sentence starts, and the finding

# What "it" may be: one thing in one place. Names of the same thing count once.
_THINGS = (
    "nodule",
    "mass",
    "lymph_node",
    "lesion",
    "opacity",
    "consolidation",
    "cyst",
    "granuloma",
)
_LARGE = {"nodule": "nodulegr1cm", "lymph_node": "lymphadenopathy"}
_SMALLER = {larger: name for name, larger in _LARGE.items()}
_LARGE_MM = 10.0


@dataclass(frozen=True)
class Told:
    """The findings of one sentence, ready for the next sentence to speak of them."""

    findings: tuple[Placed, ...] = ()

    def followed_by(self, reading: Reading, offset: int) -> "Told":
        """The findings of the next sentence, with what it leaves to this one filled in."""
        if reading.refers:
            return Told(tuple(self._told_more(reading)))
        stated = [self._placed(each) for each in reading.stated]
        again = next(
            (new for new, old in zip(stated, reading.stated, strict=True) if new != old), None
        )
        if again is not None:  # "the mass is cavitary": so is the cavity where the mass is
            stated = [
                each if each.named else each._replace(locations=again.locations, named=True)
                for each in stated
            ]
        return Told(tuple((offset, each) for each in stated))

    def _told_more(self, reading: Reading) -> list[Placed]:
        more: list[Placed] = []
        for offset, stated in self.findings:
            if stated.abnormality in _THINGS and stated.status is not Status.ABSENT:
                if reading.locations:
                    stated = stated._replace(locations=reading.locations, named=True)
                    more.append((offset, stated))
                if reading.largest_mm > _LARGE_MM and stated.abnormality in _LARGE:
                    larger = stated._replace(abnormality=_LARGE[stated.abnormality])
                    more.append((offset, larger))
        return more

    def _placed(self, stated: Stated) -> Stated:
        """Give "the nodule" the place of the nodule in the sentence before."""
        if stated.named or not stated.definite:
            return stated
        for _, before in self.findings:
            if before.named and before.abnormality in (
                stated.abnormality,
                _SMALLER.get(stated.abnormality),
            ):
                return stated._replace(locations=before.locations, named=True)
        return stated
