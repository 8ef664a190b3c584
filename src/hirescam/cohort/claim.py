"""Claim: a folder of results says in cohort.json what made it, and takes nothing else."""

import json
from pathlib import Path

from hirescam.cohort.work import Step
from hirescam.ct.whole_file import whole_file
from hirescam.errors import WriteError

CLAIM = "cohort.json"


def claim(out: Path, step: Step, *, overwrite: bool = False) -> None:
    """State what the results in `out` are made with; the same bytes for the same settings.

    Raises `WriteError` if `out` holds results of another step, other settings or another
    version, unless it is to `overwrite` them, or files that are not ours.
    """
    path = out / CLAIM
    stated = {"step": step.name, "settings": dict(step.settings)}
    text = json.dumps(stated, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    before = _before(path)
    if before is None and out.exists() and any(out.iterdir()):
        raise WriteError(
            f"{out} exists and holds no {CLAIM}, so it is not ours: choose another folder"
        )
    if before is not None and before != json.loads(text) and not overwrite:
        raise WriteError(
            f"{out} holds results that were made otherwise ({_difference(before, stated)}): "
            f"choose another folder, or have them made anew with --overwrite"
        )
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


def _difference(before: dict, now: dict) -> str:
    """The first thing that differs, in words."""
    if before.get("step") != now["step"]:
        return f"by {before.get('step')}, not {now['step']}"
    old, new = before.get("settings", {}), now["settings"]
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    return f"{names[0]} was {old.get(names[0])!r} and is {new.get(names[0])!r}"
