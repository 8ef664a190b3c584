"""Settings lock: cohort.json says what made the results of a folder, which takes no others."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hirescam.atomic import LOCK, atomic_write, claim_folder, lock_file
from hirescam.cohort.work import Step, code_version
from hirescam.errors import WriteError
from hirescam.parsing import parse_json, read_json

CLAIM = "cohort.json"


@contextmanager
def locked_settings(
    out: Path, step: Step, *, overwrite: bool = False, keep_older: bool = False
) -> Iterator[None]:
    """State what the results in `out` are made with, and let nobody state otherwise meanwhile.

    Any number of shards may be at work with the same settings. Only a run that is alone may
    change them: it holds a lock for itself until that is done, and shares it from then on.

    Raises `WriteError`, before anything is changed, if `out` holds files that are not ours or
    results of another step, other settings or other code, unless it is to `overwrite` them, or
    to `keep_older` ones that only differ in code; and if another run is at work on them.
    """
    path = out / CLAIM
    stated = {"step": step.name, "settings": dict(step.settings), "code": code_version()}
    text = json.dumps(stated, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if _before(path) is None:
        claim_folder(out, "cohort")
    with (out / LOCK).open("ab") as lock:
        alone = lock_file(lock, out, shared=False)
        before = _before(path)
        if before is not None and not overwrite:
            _check_same(out, before, parse_json(text), keep_older)
        if before != parse_json(text):
            if not alone:
                raise WriteError(
                    f"another run is at work in {out} with other settings: wait for it, or "
                    f"choose another folder"
                )
            with atomic_write(path) as file:
                file.write(text.encode())
        if not lock_file(lock, out, shared=True):
            raise WriteError(f"another run has just begun in {out}: try again")
        yield


def _before(path: Path) -> dict | None:
    try:
        stated = read_json(path)
        if not isinstance(stated, dict) or not {"step", "settings", "code"} <= stated.keys():
            raise ValueError("it is not of a cohort of ours")
        return stated
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise WriteError(
            f"{path} cannot be read ({error}): restore it, or choose another folder"
        ) from error


def _check_same(out: Path, before: dict, now: dict, keep_older: bool) -> None:
    """Name the first thing that differs, and what to do about it."""
    old, new = _flat(before), _flat(now)
    names = sorted({*old, *new}, key=lambda name: (name == "code", name))  # choices first
    differing = [name for name in names if old.get(name) != new.get(name)]
    if not differing or (differing == ["code"] and keep_older):
        return
    first = differing[0]
    change = (
        f"{first.removeprefix('settings.')} was {old.get(first)!r} and is {new.get(first)!r}"
    )
    keep = ", or kept with --keep-older" if differing == ["code"] else ""
    raise WriteError(
        f"{out} holds results that were made otherwise ({change}): choose another folder, or "
        f"have them made anew with --overwrite{keep}"
    )


def _flat(stated: Any, name: str = "") -> dict[str, Any]:
    """Each single setting under its full name, so that one that differs can be told."""
    if not isinstance(stated, dict):
        return {name: stated}
    inside = (_flat(each, f"{name}.{key}" if name else key) for key, each in stated.items())
    return {key: each for part in inside for key, each in part.items()}
