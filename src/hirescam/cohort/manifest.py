"""Manifest: the scans of a cohort, and the shard of them that one of many machines works on."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hirescam.errors import HirescamError, ReadError
from hirescam.reports.files import read_rows
from hirescam.training.datasets.cases import scans_in

# An id becomes the name of a folder and a cell of tables: nothing hidden, no path, nothing that
# is not printed, no formula of a spreadsheet, no device of Windows.
_ID = re.compile(r"[^\s./\\=+@\x00-\x1f\x7f-\x9f][^/\\\x00-\x1f\x7f-\x9f]{0,199}")
_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One scan of a cohort: what it is called and where its files lie."""

    id: str
    path: Path
    split: str = ""
    organs: Path | None = None
    series: str | None = None


def read_manifest(path: Path) -> tuple[Entry, ...]:
    """The scans that a table names, in its order, or every scan file below a folder.

    Columns `id` and `path` are needed, relative to the table; `split`, `organs` (masks of
    `hirescam segment`) and `series` (a UID where DICOM holds several) may stand beside them.
    `report` is read by `hirescam label` alone. A scan that is not there is no error here: its
    own work will fail.

    Raises `ReadError` for no such table, or an id that is doubled or cannot name a folder.
    """
    if path.is_dir():
        return tuple(Entry(name, scan.absolute()) for name, scan in scans_in(path).items())
    folder = path.absolute().parent
    rows = enumerate([*read_rows(path)], start=1)
    entries = tuple(_entry(row, number, path.name, folder) for number, row in rows)
    _check_doubled(entries, path.name)
    if not entries:
        raise ReadError(f"{path.name} names no scans: give a row with id and path for each")
    return entries


def with_organs(entries: Sequence[Entry], folder: Path) -> tuple[Entry, ...]:
    """The scans with organ masks that bear their ids somewhere below `folder`.

    Raises `ReadError` if masks of some are not there.
    """
    masks = scans_in(folder)
    missing = [entry.id for entry in entries if entry.id not in masks]
    if missing:
        raise ReadError(
            f"{folder.name} lacks organ masks of {len(missing)} of {len(entries)} scans, such "
            f"as {missing[0]}.nii.gz: make them with `hirescam prepare`"
        )
    return tuple(replace(entry, organs=masks[entry.id].absolute()) for entry in entries)


def _entry(row: Mapping[str, object], number: int, name: str, folder: Path) -> Entry:
    cells = {column: str(value).strip() for column, value in row.items() if value is not None}
    for column in ("id", "path"):
        if not cells.get(column):
            raise ReadError(
                f"row {number} of {name} has no {column}: each row needs an id and the path of "
                f"its scan, in columns id and path"
            )
    id = cells["id"]
    if not _ID.fullmatch(id) or _UNSEEN.search(id) or _RESERVED.fullmatch(id):
        raise ReadError(
            f"row {number} of {name} has the id {cells['id']!r}, which cannot name a folder: "
            f"use letters, digits, - and _"
        )
    organs = cells.get("organs")
    return Entry(
        id=cells["id"],
        path=folder / cells["path"],
        split=cells.get("split", ""),
        organs=folder / organs if organs else None,
        series=cells.get("series") or None,
    )


def _check_doubled(entries: tuple[Entry, ...], name: str) -> None:
    first_of: dict[str, int] = {}
    for number, entry in enumerate(entries, start=1):
        first = first_of.setdefault(_folded(entry.id), number)
        if first != number:
            other = entries[first - 1].id
            same = f"both have the id {other!r}"
            if other != entry.id:
                same = f"have ids that are one to Windows or macOS, {other!r} and {entry.id!r}"
            raise ReadError(f"rows {first} and {number} of {name} {same}: give each its own")


def _folded(id: str) -> str:
    """What file systems of Windows and macOS make of a name."""
    return unicodedata.normalize("NFC", id.rstrip(" .")).casefold()


@dataclass(frozen=True)
class Shard:
    """Part `number` of `of`, counted from 1."""

    number: int = 1
    of: int = 1

    @property
    def suffix(self) -> str:
        """What tells its files from those of other shards: nothing if it is the whole."""
        return f"-{self.number}-of-{self.of}" if self.of > 1 else ""

    def pick(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Its scans, spread over the whole cohort."""
        return entries[self.number - 1 :: self.of]


WHOLE = Shard()


def parse_shard(text: str) -> Shard:
    """A shard from i/n, as on the command line."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    shard = Shard(*map(int, found.groups())) if found else Shard(0)
    if not 1 <= shard.number <= shard.of:
        raise HirescamError(
            f"cannot read the shard {text!r}: write i/n with i from 1 to n, such as 3/64"
        )
    return shard
