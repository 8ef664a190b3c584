"""JSON and TOML that somebody else may have written: bounded in size, depth and numbers.

A file of a few bytes can nest brackets until a parser runs out of stack, or name a number of a
million digits. What is refused here is a `ValueError`, as for any other text that is not JSON
or TOML, so that callers name the file and the cure in one place.
"""

import json
import tomllib
from collections.abc import Callable
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

MOST_BYTES = 256 << 20
DEEPEST = 100
"""Levels of nesting; ours have fewer than ten."""


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text. Raises `ValueError` for anything else."""
    return _bounded(text, lambda: json.loads(text))


def parse_toml(text: str) -> dict[str, Any]:
    """The table of a TOML text. Raises `ValueError` for anything else."""
    table: dict[str, Any] = _bounded(text, lambda: tomllib.loads(text))
    return table


def read_json(path: Path) -> Any:
    """The value of a JSON file. Raises `OSError` or `ValueError`."""
    with path.open("rb") as file:
        return parse_json(file.read(MOST_BYTES + 1))


def read_toml(path: Path | Traversable) -> dict[str, Any]:
    """The table of a TOML file. Raises `OSError` or `ValueError`."""
    with path.open("rb") as file:
        return parse_toml(file.read(MOST_BYTES + 1).decode("utf-8"))


def _bounded(text: str | bytes, parse: Callable[[], Any]) -> Any:
    if len(text) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES >> 20} MiB of text")
    try:
        value = parse()
    except RecursionError:
        raise ValueError(f"nested more than {DEEPEST} levels deep") from None
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return value
    raise ValueError(f"nested more than {DEEPEST} levels deep")


def _inside(value: Any) -> list[Any]:
    """The containers that a container holds directly."""
    each = list(value.values()) if isinstance(value, dict) else value
    return [one for one in each if isinstance(one, dict | list)]
