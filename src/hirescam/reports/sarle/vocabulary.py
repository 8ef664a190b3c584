"""Vocabulary: rules, abnormalities and locations, read from TOML that a site may correct."""

import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from hirescam.errors import HirescamError
from hirescam.parsing import read_toml
from hirescam.reports.sarle.rules import Rule
from hirescam.reports.sarle.terms import Entry

Kind = Literal["ct", "cxr"]
_KEYS = {"rules": "trigger", "abnormalities": "name", "locations": "name"}
_WORDS = "words"
_PLAIN_LISTS = ("boilerplate", "indication_breaks", "indication_noise", "indication_cuts")


class Vocabulary(BaseModel):
    """All that a labeller of this family knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    rules: tuple[Rule, ...]
    abnormalities: tuple[Entry, ...]
    locations: tuple[Entry, ...]
    boilerplate: tuple[str, ...] = ()
    indication_breaks: tuple[str, ...] = ()
    indication_noise: tuple[str, ...] = ()
    indication_cuts: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """A hash of every row: two vocabularies of one version label alike."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


def read_vocabulary(kind: Kind, folder: Path | None = None) -> Vocabulary:
    """The published vocabulary for CT or chest X-ray ("cxr"), a site's folder laid over it.

    The folder's TOML files hold tables as ours do: a row of a known name (or trigger) replaces
    ours, any other is added behind them, and a row with `remove = true` takes ours away.

    Raises `HirescamError` where a file or a row is not valid.
    """
    if folder is None:
        return _published(kind)
    if not folder.is_dir():
        raise HirescamError(f"{folder.name} is no folder: give one that holds TOML files")
    return _read(*_folders(kind), folder)


@cache
def _published(kind: Kind) -> Vocabulary:
    return _read(*_folders(kind))


def _folders(kind: Kind) -> tuple[Traversable, Traversable]:
    shipped = files(__package__) / "vocabulary"
    return shipped, shipped / kind


def _read(*folders: Path | Traversable) -> Vocabulary:
    """One vocabulary of several folders, the later ones laid over the earlier."""
    tables: dict[str, Any] = {name: {} for name in (*_KEYS, _WORDS)}
    for folder in folders:
        for path in sorted(folder.iterdir(), key=lambda path: path.name):
            if path.name.endswith(".toml"):
                _lay_over(tables, path)
    words = tables.pop(_WORDS)
    rows = {
        table: [_spelled_out(row, words) for row in of.values()] if table in _KEYS else of
        for table, of in tables.items()
    }
    try:
        return Vocabulary.model_validate(rows)
    except ValidationError as error:
        raise HirescamError(_complaint(error, tables)) from None


def _complaint(error: ValidationError, tables: dict[str, Any]) -> str:
    first = error.errors()[0]
    table, number, *field = first["loc"]
    row = list(tables[str(table)])[int(number)]
    return (
        f"vocabulary row {row!r} of {table} is not valid at {(*field, 'its end')[0]} "
        f"({first['msg']}): correct it in its TOML file"
    )


def _lay_over(tables: dict[str, Any], path: Path | Traversable) -> None:
    try:
        content = read_toml(path)
    except ValueError as error:
        raise HirescamError(f"{path.name} is no TOML file: {error}") from None
    for table, rows in content.items():
        if table in _KEYS and not _are_rows(rows):
            raise HirescamError(f"{path.name} gives {table} no rows: write them as [[{table}]]")
        if table in _KEYS:
            for row in rows:
                name = row.get(_KEYS[table])
                if row.pop("remove", False):
                    tables[table].pop(name, None)
                else:
                    tables[table][name] = row
        elif table == _WORDS:
            tables[table].update(rows)
        elif table in _PLAIN_LISTS:
            tables[table] = rows
        else:
            known = ", ".join((*_KEYS, _WORDS, *_PLAIN_LISTS))
            raise HirescamError(f"{path.name} has a table {table!r}: expected {known}")


def _are_rows(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def _spelled_out(row: dict[str, Any], words: dict[str, list[str]]) -> dict[str, Any]:
    """The row with every `@name` in its lists replaced by the words of that name."""
    return {
        key: list(dict.fromkeys(_resolved(value, words)))
        if isinstance(value, list) and key not in ("expected", "allowed_at")
        else value
        for key, value in row.items()
    }


def _resolved(terms: list[str], words: dict[str, list[str]]) -> list[str]:
    found = list[str]()
    for term in terms:
        if not term.startswith("@"):
            found.append(term)
        elif (name := term[1:]) in words:
            found += _resolved(words[name], words)
        else:
            known = ", ".join(words)
            raise HirescamError(f"vocabulary names words {term!r}: expected one of {known}")
    return found
