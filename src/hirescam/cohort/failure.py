"""Failure: an error as a sentence and as lines of code, without words about a patient."""

import traceback
from collections.abc import Iterator

from hirescam.errors import HirescamError


def reason(error: BaseException) -> str:
    """A sentence that may be kept: our own errors name no patient, others might."""
    if isinstance(error, HirescamError):
        return str(error)
    return (
        f"{type(error).__name__}, which should not happen: its traceback is in the ledger; "
        f"report it"
    )


def trace(error: BaseException) -> str:
    """The traceback of an error and of those that it arose from, the first of them first."""
    return "\n".join(reversed([_of_one(each) for each in _chain(error)]))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its causes, those too that were kept from being printed."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _of_one(error: BaseException) -> str:
    words = str(error) if isinstance(error, HirescamError) else "(its words are not kept)"
    lines = traceback.format_tb(error.__traceback__)
    return f"{''.join(lines)}{type(error).__name__}: {words}"
