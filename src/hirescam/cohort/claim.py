"""Claim: a folder of results says in cohort.json what made it, and takes nothing else."""

import json
from pathlib import Path
from typing import Any

from hirescam.atomic import atomic_write
from hirescam.cohort.code import code_version
from hirescam.cohort.work import Step
from hirescam.errors import WriteError
from hirescam.parsing import read_json

CLAIM = "cohort.json"


def claim(out: Path, step: Step, *, overwrite: bool = False, keep_older: bool = False) -> None:
    """State what the results in `out` are made with; the same bytes for the same settings.

    Raises `WriteError` if `out` holds results of another step, other settings or other code,
    unless it is to `overwrite` them, or to `keep_older` ones that only differ in code; and if
    it holds files that are not ours.
    """
    path = out / CLAIM
    stated = {"step": step.name, "settings": dict(step.settings), "code": code_version()}
    text = json.dumps(stated, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    before = _before(path)
    if before is None and out.exists() and any(out.iterdir()):
        raise WriteError(
            f"{out} exists and holds no {CLAIM}, so it is not ours: choose another folder"
        )
    if before is not None and not overwrite:
        _check_same(out, before, json.loads(text), keep_older)
    with atomic_write(path) as file:
        file.write(text.encode())


def _before(path: Path) -> dict | None:
    try:
        return dict(read_json(path))
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
