"""Vocabulary: the tables that a radiologist can read and correct, checked as they are read.

Four TOML files; every row has a name, an example and the findings that the example must give.
A site's folder may hold files of the same names: a row of a known name replaces ours, any other
is added, and a row with `remove = true` takes ours away.
"""

import hashlib
from difflib import get_close_matches
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from hirescam.errors import HirescamError
from hirescam.parsing import read_toml

Phrases = tuple[str, ...]
System = Literal["lung", "heart", "vessel", "mediastinum", "other"]
Effect = Literal[
    "absent",
    "normal",
    "uncertain",
    "hypothetical",
    "family",
    "past",
    "instruction",
    "none",
    "stop",
    "turn",
    "complement",
]
Reach = Literal["after", "before", "both", "either", "next", "segment", "alternatives"]


class Row(BaseModel):
    """What every row has: a name, phrases, an example and the findings that it must give."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    terms: Phrases = ()
    example: str
    expected: Phrases


class Near(BaseModel):
    """A pair of phrases in one clause, in either order, with few words between them."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    of: Phrases
    word: Phrases
    within: int = 4


class Abnormality(Row):
    """How an abnormality is named, where it lies by definition, and what it includes."""

    bare: Phrases = ()  # terms that name it unless a place elsewhere is told
    near: tuple[Near, ...] = ()
    normal: Phrases = ()  # phrases that say it is absent
    normal_near: tuple[Near, ...] = ()
    not_in: Phrases = ()  # phrases that look like it and are not
    lies_in: Phrases = ()  # locations by definition
    systems: tuple[System, ...] = ("lung", "heart", "vessel", "mediastinum", "other")
    also: Phrases = ()  # other abnormalities that the same words state
    when_large: str = ""  # what it also is above 1 cm
    lasting: bool = False  # what was once done stays visible: "history of sternotomy"


class Place(Row):
    """A word that says where: a side, a zone of the lungs, a location, or several of them."""

    side: Literal["right", "left", "both"] | None = None
    zone: Literal["upper", "mid", "lower"] | None = None
    locations: Phrases = ()
    system: System | Literal["modifier"] | None = None


class Cue(Row):
    """Words that change the status of findings around them, and how far they reach."""

    effect: Effect
    reach: Reach = "after"


class Heading(Row):
    """A heading of a report: whether findings are read below it, and where they lie."""

    read: bool = True
    lies_in: Phrases = ()


class Vocabulary(BaseModel):
    """All tables of one labeller."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    words: dict[str, Phrases]  # `@heart` in a phrase stands for any word of `heart`
    within: dict[str, Phrases]  # location: those that contain it
    abnormalities: tuple[Abnormality, ...]
    places: tuple[Place, ...]
    cues: tuple[Cue, ...]
    headings: tuple[Heading, ...]

    @property
    def version(self) -> str:
        """A hash of every row: two vocabularies of one version label alike."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    @property
    def tables(self) -> dict[str, tuple["Row", ...]]:
        """The tables whose rows have examples."""
        return {name: getattr(self, name) for name in _LISTS}


Table = dict[str, Any]
_LISTS = ("abnormalities", "places", "cues", "headings")  # tables of rows with names
_TABLES = ("words", "within")


def read_vocabulary(folder: Path | None = None) -> Vocabulary:
    """Our tables, with a site's `folder` of corrections laid over them."""
    tables = _read(files("hirescam.reports.default") / "vocabulary")
    if folder is not None:
        if not folder.is_dir():
            raise HirescamError(f"{folder.name} is no folder: give one that holds TOML files")
        theirs = _read(folder)
        tables = {name: tables[name] | theirs[name] for name in tables}
    try:
        return Vocabulary.model_validate(
            {name: _content(name, tables[name]) for name in tables}
        )
    except ValidationError as error:
        raise HirescamError(_told(error, tables)) from None


def _told(error: ValidationError, tables: dict[str, Table]) -> str:
    """Which row is wrong and how; for an unknown field, the nearest that there is."""
    errors = sorted(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    table, row, *field = map(str, errors[0]["loc"])
    name = list(_kept(tables[table]))[int(row)] if table in _LISTS else row
    what = f"{'.'.join(field)}: {errors[0]['msg']}"
    if errors[0]["type"] == "extra_forbidden" and table in _LISTS:
        (row_type,) = get_args(Vocabulary.model_fields[table].annotation)[:1]
        known = [*row_type.model_fields]
        near = get_close_matches(field[-1], known, n=1) or known
        what = f"it has no field {field[-1]!r}, do you mean {' or '.join(near)}?"
    return f"vocabulary row {name!r} of {table} is not valid ({what}): correct it in its file"


def _read(folder: Path | Traversable) -> dict[str, Table]:
    """All TOML files of a folder: rows by table and name."""
    tables: dict[str, Table] = {name: {} for name in (*_LISTS, *_TABLES)}
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if not path.name.endswith(".toml"):
            continue
        try:
            content = read_toml(path)
        except ValueError as error:
            raise HirescamError(f"{path.name} is no TOML file ({error}): correct it") from None
        for table, rows in content.items():
            if table not in tables:
                raise HirescamError(
                    f"{path.name} has a table {table!r}: expected one of {', '.join(tables)}"
                )
            named = {row.get("name"): row for row in rows} if table in _LISTS else rows
            tables[table].update(named)
    return tables


def _kept(rows: Table) -> Table:
    return {name: row for name, row in rows.items() if not row.get("remove")}


def _content(table: str, rows: Table) -> object:
    return tuple(_kept(rows).values()) if table in _LISTS else rows
