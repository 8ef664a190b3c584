"""Views: findings as one row of a fixed set of labels, by tables of what each label means.

A view is a TOML file. `[[label]]` has a `name`, the `findings` that mean it and the locations
`at` which they do (left out: anywhere; "" is no location); rows of one name are alternatives.
`[[family]]` is one label per finding, named `prefix` and the finding. `[places]` names lists of
locations, written `@name`. `order_as` sorts the labels as another view does.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import chain, product
from pathlib import Path
from typing import Any

from hirescam.errors import HirescamError
from hirescam.parsing import read_toml
from hirescam.reports.sarle.vocabulary import Kind, read_vocabulary
from hirescam.reports.table import Finding, Status, strongest

_SHIPPED = files(__package__) / "views"
_WIDE: dict[str, Kind] = {"wide": "ct", "wide-cxr": "cxr"}


@cache
def published_names() -> frozenset[str]:
    """The abnormalities of Draelos et al.; what else we find are finer concepts of our own."""
    kinds: tuple[Kind, ...] = ("ct", "cxr")
    return frozenset(row.name for kind in kinds for row in read_vocabulary(kind).abnormalities)


@dataclass(frozen=True)
class Meaning:
    """A label, and one way in which findings say it; None means at any location."""

    label: str
    findings: tuple[str, ...]
    at: tuple[str, ...] | None


@dataclass(frozen=True)
class View:
    """A fixed set of labels; one of several findings may be absent and the label yet open."""

    name: str
    meanings: tuple[Meaning, ...]
    report_column: str = "report"

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Its labels in their order."""
        return tuple(dict.fromkeys(meaning.label for meaning in self.meanings))

    @cached_property
    def _labels_of(self) -> Mapping[tuple[str, str | None], list[str]]:
        """The labels that a finding means at a location, or at any (None)."""
        table: dict[tuple[str, str | None], list[str]] = {}
        for meaning in self.meanings:
            for key in product(meaning.findings, meaning.at or (None,)):
                table.setdefault(key, []).append(meaning.label)
        return table

    def see(self, findings: Iterable[Finding]) -> dict[str, Status]:
        """What one report says of the labels that it mentions."""
        said: dict[str, list[Status]] = {}
        for finding in findings:
            for place in (None, finding.location):
                for label in self._labels_of.get((finding.abnormality, place), ()):
                    said.setdefault(label, []).append(finding.status)
        return {label: status for label, of in said.items() if (status := strongest(of))}


def view_names() -> tuple[str, ...]:
    """The views that hirescam brings."""
    shipped = (path.name.removesuffix(".toml") for path in _SHIPPED.iterdir())
    return (*_WIDE, *sorted(shipped))


def read_view(name: str) -> View:
    """A view that hirescam brings, or that of a user's own TOML file.

    Raises `HirescamError` for an unknown name or a file that is no view.
    """
    if name in _WIDE:
        return _wide(name, _WIDE[name])
    path: Path | Traversable = (
        Path(name) if name.endswith(".toml") else _SHIPPED / f"{name}.toml"
    )
    if not path.is_file():
        raise HirescamError(
            f"no view is named {name!r}: choose one of {', '.join(view_names())}, or give a "
            f".toml file"
        )
    try:
        table = read_toml(path)
        meanings = tuple(_meanings(table))
    except (ValueError, KeyError, TypeError) as error:
        raise HirescamError(f"{path.name} is no view: {error}; see the shipped ones") from None
    if order := table.get("order_as"):
        place = {label: at for at, label in enumerate(read_view(order).labels)}
        meanings = tuple(sorted(meanings, key=lambda meaning: place[meaning.label]))
    return View(name, meanings)


def _meanings(table: Mapping[str, Any]) -> Iterator[Meaning]:
    places = table.get("places", {})
    for row in table.get("family", ()):
        for finding in row["findings"]:
            yield Meaning(row["prefix"] + finding, (finding,), _locations(row, places))
    for row in table.get("label", ()):
        yield Meaning(row["name"], tuple(row["findings"]), _locations(row, places))


def _locations(row: Mapping[str, Any], places: Mapping[str, Any]) -> tuple[str, ...] | None:
    if "at" not in row:
        return None
    lists = (places[at[1:]] if at.startswith("@") else [at] for at in row["at"])
    return tuple(chain.from_iterable(lists))


def _wide(view: str, kind: Kind) -> View:
    """One label per abnormality and location, named as in the public RAD-ChestCT files."""
    vocabulary = read_vocabulary(kind)
    names = (*(row.name for row in vocabulary.abnormalities), "other_disease")
    locations = {row.name: row.name for row in vocabulary.locations} | {"other_location": ""}
    return View(
        view,
        tuple(
            Meaning(f"{name}*{column}", (name,), (location,))
            for name, (column, location) in product(names, locations.items())
        ),
        report_column="NoteAcc_DEID",
    )
