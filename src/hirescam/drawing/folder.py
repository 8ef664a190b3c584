"""A folder that appears whole or not at all."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from hirescam.errors import WriteError

PROOF = "summary.json"


@contextmanager
def whole_folder(out: Path, *, overwrite: bool = False, proof: str = PROOF) -> Iterator[Path]:
    """A hidden folder beside `out` to write into; it becomes `out` when the block ends well.

    `proof` names the file that tells what we wrote before from a folder of somebody's own.

    If anything fails, or the run is interrupted, all that was written is removed and an older
    summary at `out` is still there. A killed run leaves its hidden folder, never half an `out`.

    Raises `WriteError` if `out` may not be replaced or the disk refuses.
    """
    out = out.absolute()
    _refuse_to_replace(out, overwrite, proof)
    missing = [parent for parent in out.parents if not parent.exists()]
    hidden = f".{out.name}.{secrets.token_hex(4)}"
    part, old = out.with_name(f"{hidden}.part"), out.with_name(f"{hidden}.old")
    try:
        with ExitStack() as undo:
            undo.callback(_remove_empty, missing)
            out.parent.mkdir(parents=True, exist_ok=True)
            undo.callback(shutil.rmtree, part, ignore_errors=True)
            part.mkdir()
            yield part
            if out.exists():
                out.rename(old)
                undo.callback(old.rename, out)
            part.rename(out)
            undo.pop_all()
    except (OSError, WriteError) as error:
        cause = error.__cause__ if isinstance(error, WriteError) else error
        reason = getattr(cause, "strerror", None) or cause
        raise WriteError(
            f"cannot write {out}: {reason}; nothing was left behind: free some space or choose "
            f"another folder"
        ) from error
    shutil.rmtree(old, ignore_errors=True)


def _refuse_to_replace(out: Path, overwrite: bool, proof: str) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise WriteError(f"{out} is not a folder: choose another name for the summary")
    if not out.exists() or not any(out.iterdir()):
        return
    if not overwrite:
        raise WriteError(
            f"{out} exists and is not empty: choose another folder, or overwrite it "
            f"(--overwrite, overwrite=True)"
        )
    if not (out / proof).is_file():
        raise WriteError(
            f"{out} holds no {proof}, so it is not ours and is not overwritten: choose "
            f"another folder"
        )


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:  # the innermost first
        with suppress(OSError):
            folder.rmdir()
