"""MaskTable: which structures of another program make up each organ.

A table is a TOML or JSON file. `[organs]` lists the structures of each organ; `[codes]` gives
the number of each structure in a label image, or names a table of ours that does. Structures
that have a code but belong to no organ are known and left out.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

from hirescam.errors import ReadError
from hirescam.parsing import parse_json, parse_toml

_FOLDER = files(__package__) / "tables"
_LOADERS = {".toml": parse_toml, ".json": parse_json}

TABLES = tuple(sorted(row.name.removesuffix(".toml") for row in _FOLDER.iterdir()))
"""Names of the tables that hirescam brings."""


class MaskTable(BaseModel):
    """Organs by the structures they are made of, and structures by their codes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    organs: Mapping[str, tuple[str, ...]]
    codes: Mapping[str, PositiveInt] = {}

    @property
    def structures(self) -> tuple[str, ...]:
        """Every structure that the table knows."""
        used = (name for names in self.organs.values() for name in names)
        return tuple(dict.fromkeys([*self.codes, *used]))


def load_table(table: str | Path | MaskTable) -> MaskTable:
    """A table of ours by name, a user's own by its file; `ReadError` says what is wrong."""
    if isinstance(table, MaskTable):
        return table
    if str(table) in TABLES:
        return _parsed(f"{table}.toml", (_FOLDER / f"{table}.toml").read_text("utf-8"))
    path = Path(table)
    if path.suffix.lower() not in _LOADERS:
        raise ReadError(
            f"no table is called {table}{_meant(str(table), TABLES)}: choose one of "
            f"{', '.join(TABLES)}, or give a .toml or .json file"
        )
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"{path.name}: cannot be read as text: check the path") from error
    return _parsed(path.name, text)


def check_known(structures: set[str], table: MaskTable) -> None:
    """Refuse structures that the table does not know, naming those that may be meant."""
    unknown = sorted(structures - set(table.structures))
    if unknown:
        raise ReadError(
            f"holds {', '.join(unknown[:3])}{' …' * (len(unknown) > 3)}"
            f"{_meant(unknown[0], table.structures)}, which the table does not know: choose "
            f"another table, or add {'it' if len(unknown) == 1 else 'them'} to one of your own"
        )


def _parsed(name: str, text: str) -> MaskTable:
    try:
        content: dict[str, Any] = _LOADERS[Path(name).suffix.lower()](text)
        if isinstance(content.get("codes"), str):
            content["codes"] = load_table(content["codes"]).codes
        return MaskTable(**content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ReadError(f"{name}: {place}: {first['msg']}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise ReadError(f"{name}: is no table: {error}") from error


def _meant(name: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(name, known, n=1)
    return f" (is {close[0]} meant?)" if close else ""
