"""Files: reports read one by one from CSV, JSON lines, Parquet or a folder of text files."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from types import ModuleType

from hirescam.errors import MissingPackageError, ReadError
from hirescam.parsing import parse_json
from hirescam.printable import from_table_cell

_UNDECODED = "surrogateescape"


Row = Mapping[str, object]


def read_reports(
    path: Path, *, id_column: str = "id", text_column: str = "report"
) -> Iterator[tuple[str, str | None]]:
    """Name and text of each report in the order of the file, or of the names in a folder.

    A row that is damaged or has no text gives None, and a byte that is not UTF-8 a character
    that is no text, so that `label_stream` refuses this report alone.

    Raises `ReadError` for a file that is none of these, or lacks one of the columns.
    """
    if path.is_dir():
        return _folder(path)
    rows = read_rows(path)
    first = next(rows, None)
    if first is None:
        return iter(())
    for column in (id_column, text_column):
        if column not in first:
            raise ReadError(
                f"{path.name} has no column {column!r} but {', '.join(map(repr, first))}: name "
                f"the right one with --id-column or --text-column"
            )
    return (
        (_name(row.get(id_column)) or f"row {number}", _text(row.get(text_column)))
        for number, row in enumerate(chain([first], rows), 1)
    )


def read_rows(path: Path) -> Iterator[Row]:
    """Each row of a table by its columns' names; a row that cannot be read is empty.

    Raises `ReadError` for a file that is no such table.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None or not path.is_file():
        raise ReadError(
            f"{path} cannot be read: give an existing {', '.join(_READERS)}, or for reports a "
            f"folder of .txt"
        )
    return reader(path)


def _name(value: object) -> str:
    """A report's name; bytes that are no text are spelled out, because it will be printed."""
    return (_text(value) or "").encode("utf-8", "backslashreplace").decode()


def _text(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", _UNDECODED)
    return None if value is None else str(value)


def _csv(path: Path) -> Iterator[Row]:
    with _wide_fields(), path.open(newline="", encoding="utf-8-sig", errors=_UNDECODED) as file:
        rows = csv.DictReader(file)
        _check_columns(path, rows.fieldnames or ())
        for row in rows:
            yield {
                name: from_table_cell(cell) if isinstance(cell, str) else cell
                for name, cell in row.items()
            }


def _check_columns(path: Path, names: Sequence[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1 and name), None)
    if twice is not None:
        raise ReadError(f"{path.name} has two columns named {twice!r}: rename one of them")


@contextmanager
def _wide_fields() -> Iterator[None]:
    """Let a field of a CSV be of any length: a report that is too long is refused later."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _json_lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8", errors=_UNDECODED) as file:
        for line in filter(str.strip, file):
            try:
                row = parse_json(line)
            except ValueError:
                row = {}
            yield row if isinstance(row, dict) else {}


def _parquet(path: Path) -> Iterator[Row]:
    module = parquet()
    try:
        with module.ParquetFile(path) as file:
            _check_columns(path, file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=1024):
                yield from batch.to_pylist()
    except (OSError, ValueError, RuntimeError, NotImplementedError) as error:  # pyarrow's own
        raise ReadError(
            f"{path.name} is no whole Parquet file ({str(error)[:200]}): write it again"
        ) from None


def _folder(path: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(path.rglob("*.txt")):
        name = file.relative_to(path).with_suffix("").as_posix()
        yield name, file.read_text(encoding="utf-8-sig", errors=_UNDECODED)


def parquet() -> ModuleType:
    """The module pyarrow.parquet.

    Raises `MissingPackageError` if it is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingPackageError(
            'Parquet files need pyarrow: pip install "hirescam[tables]"'
        ) from None
    return pyarrow.parquet


_READERS = {".csv": _csv, ".jsonl": _json_lines, ".ndjson": _json_lines, ".parquet": _parquet}
