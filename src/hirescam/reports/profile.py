"""Profile: a labeller made ready once, and the table of those that exist."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Protocol, runtime_checkable

from hirescam.errors import HirescamError
from hirescam.reports.table import Finding

PROFILES = {
    "default": "hirescam.reports.default:build",
    "sarle-2020": "hirescam.reports.sarle:ct",
    "sarle-2020-cxr": "hirescam.reports.sarle:cxr",
}


@runtime_checkable
class Profile(Protocol):
    """What labels a report; the same text always gives the same findings."""

    @property
    def version(self) -> str:
        """A hash of the vocabulary: two profiles of one version label alike."""

    def label(self, report_id: str, text: str) -> list[Finding]:
        """The findings of one report."""


@dataclass(frozen=True)
class LeftOut:
    """A part of a report that was not searched for findings, and the rule that says why."""

    start: int
    end: int
    why: str


@runtime_checkable
class Explains(Protocol):
    """A profile that can say what it left out."""

    def left_out(self, text: str) -> list[LeftOut]:
        """Parts of the text in their order."""


@runtime_checkable
class Annotates(Protocol):
    """A profile that can say which cues it read, and which words as others."""

    def notes(self, text: str) -> list[LeftOut]:
        """Parts of the text with what was read there."""


@dataclass(frozen=True)
class VocabularyRow:
    """A row of a vocabulary, what its example must give and gives, and what never matches.

    `terms` suffice alone, `parts` only together with others.
    """

    table: str
    name: str
    terms: tuple[str, ...]
    example: str
    expected: tuple[str, ...]
    given: tuple[str, ...]
    parts: tuple[str, ...] = ()
    unreachable: tuple[str, ...] = ()


@runtime_checkable
class Checkable(Protocol):
    """A profile whose vocabulary can be checked row by row."""

    def vocabulary_rows(self) -> list[VocabularyRow]:
        """Every row, its example tried."""


@dataclass(frozen=True)
class ProfileChoice:
    """Which profile, with which options; small enough to be sent to another process."""

    name: str = "default"
    vocabulary: Path | None = None
    options: tuple[tuple[str, bool], ...] = ()

    def build(self) -> Profile:
        """The profile made ready.

        Raises `HirescamError` for an unknown name or option, or a row that is not valid.
        """
        if self.name not in PROFILES:
            raise HirescamError(
                f"no profile is named {self.name!r}: choose one of {', '.join(PROFILES)}"
            )
        module, function = PROFILES[self.name].split(":")
        build: Callable[..., Profile] = getattr(import_module(module), function)
        known = signature(build).parameters
        for option, _ in self.options:
            if option not in known:
                raise HirescamError(
                    f"profile {self.name!r} has no option {option}: leave it out, or choose "
                    f"another profile"
                )
        return build(vocabulary=self.vocabulary, **dict(self.options))
