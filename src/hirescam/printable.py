"""Printable text: what others wrote, made safe for a terminal and for a spreadsheet.

A name in a file may hold codes that clear a screen, hide what follows or retype a command, and
a cell that begins with "=" is run by spreadsheets as a formula.
"""

import re
from typing import Any

_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control codes but tab and line feed, marks that turn the direction, half surrogates."""

_FORMULA = re.compile(r"[=+@\-\t]")
_NUMBER = re.compile(r"[+-]?\d*\.?\d+(?:[eE][+-]?\d+)?%?")


def printable(text: str) -> str:
    """The text with every code that a terminal would obey spelled out."""
    return _CONTROLS.sub(lambda code: ascii(code[0])[1:-1], text)


def masked(text: str) -> str:
    """The same length of text, with a sign in place of each such code."""
    return _CONTROLS.sub("\ufffd", text)


def table_cell(value: Any) -> Any:
    """A value as a cell of a table: no codes, and an apostrophe before what looks a formula."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def from_table_cell(text: str) -> str:
    """The text that `table_cell` put an apostrophe before."""
    return text[1:] if text[:1] == "'" and _FORMULA.match(text[1:]) else text
