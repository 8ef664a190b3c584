"""Repairs: what is wrong with a series is refused, or mended and put on record."""

from dataclasses import dataclass, field

from hirescam.ct.refusal import OR_REPAIR
from hirescam.errors import ReadError


@dataclass(frozen=True)
class Repairs:
    """Whether the caller allows repairs, and those that were made: sentences with numbers."""

    allowed: bool
    made: list[str] = field(default_factory=list)

    def make(self, repair: str, *, instead_of: ReadError) -> None:
        """Put the repair on record, or raise the error, which then names the way to here."""
        if not self.allowed:
            raise type(instead_of)(f"{instead_of}, {OR_REPAIR}")
        self.made.append(repair)
