"""Claim: a folder of results says in cohort.json what made it, and takes nothing else."""

import json
from pathlib import Path

from hirescam.cohort.code import code_version
from hirescam.cohort.work import Step
from hirescam.ct.whole_file import whole_file
from hirescam.errors import WriteError

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
    with whole_file(path) as file:
        file.write(text.encode())


def _before(path: Path) -> dict | None:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise WriteError(
            f"{path} cannot be read ({error}): restore it, or choose another folder"
        ) from error


def _check_same(out: Path, before: dict, now: dict, keep_older: bool) -> None:
    """Name the first thing that differs, and what to do about it."""
    old, new = _flat(before), _flat(now)
    differing = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    if not differing or (differing == ["code"] and keep_older):
        return
    name = differing[0]
    keep = ", or kept with --keep-older" if differing == ["code"] else ""
    raise WriteError(
        f"{out} holds results that were made otherwise ({name} was {old.get(name)!r} and is "
        f"{new.get(name)!r}): choose another folder, or have them made anew with "
        f"--overwrite{keep}"
    )


def _flat(stated: dict) -> dict:
    return {
        **stated.get("settings", {}),
        "step": stated.get("step"),
        "code": stated.get("code"),
    }
