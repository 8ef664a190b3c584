"""Atomic output: files and folders that appear whole or not at all, and whose they are.

A folder that we write holds `.hirescam.json`, its mark: what kind of folder it is and which
files in it are ours. All else that lies there is the user's and outlives every command.
"""

import ctypes
import errno
import gzip
import json
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

from hirescam.errors import WriteError

try:
    from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
except ImportError:  # Windows
    flock = None  # type: ignore[assignment]

MARK, LOCK = ".hirescam.json", ".hirescam.lock"
_HIDDEN_FOLDER = re.compile(r"\..+\.[0-9a-f]{8}\.(part|old)")
_HIDDEN_FILE = re.compile(r"\..+\.hirescam-part")
_MARK_BYTES = 64 << 20
_ABANDONED_S = 24 * 3600
"""Age from which a hidden folder is taken for left behind where no lock can tell."""


# --- files ---------------------------------------------------------------------------------


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """A hidden file beside `path` to write into; it becomes `path` when the block ends well.

    A name that ends in .gz is compressed, without a date, so that the same content gives the
    same bytes. Missing folders are made. If anything fails, an older file at `path` is still
    whole and nothing else is left; a refusal of the disk is a `WriteError`. What a killed
    process left is overwritten by the next that writes the same file, or removed by
    `remove_abandoned`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _hidden_file(path) as part:
            with part.open("wb") as raw:
                if path.suffix == ".gz":
                    packed = gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0)
                    with packed:
                        yield cast(IO[bytes], packed)
                else:
                    yield raw
            part.replace(path)
    except OSError as error:
        raise WriteError(
            f"cannot write {path}: {error.strerror}; free some space or choose another folder"
        ) from error


@contextmanager
def atomic_files(*targets: Path) -> Iterator[dict[Path, Path]]:
    """Files to write to in place of the targets, which they replace when the block ends well.

    A target whose file was taken away again is removed. What killed processes left in the
    folder is removed first; a refusal of the disk is a `WriteError`.
    """
    token = secrets.token_hex(4)
    parts = {out: out.with_name(f".{out.name}.{token}.hirescam-part") for out in targets}
    try:
        targets[0].parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(targets[0].parent)
        with ExitStack() as held:
            for part in parts.values():
                held.callback(part.unlink, missing_ok=True)
                held.enter_context(_locked_file(part))
            yield parts
            for out, part in parts.items():
                if part.exists():
                    part.replace(out)
                else:
                    out.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(
            f"cannot write {targets[0]}: {error.strerror or error}; free some space or choose "
            f"another place"
        ) from error


@contextmanager
def _hidden_file(path: Path) -> Iterator[Path]:
    """A name beside `path` under which no one else writes; it does not outlive the block.

    It is the usual one unless another process is at it. Another name is drawn by chance.
    """
    usual = path.with_name(f".{path.name}.hirescam-part")
    with _locked_file(usual) as alone:
        other = path.with_name(f".{path.name}.{secrets.token_hex(4)}.hirescam-part")
        part = usual if alone else other
        try:
            yield part
        finally:
            with suppress(OSError):
                part.unlink()


@contextmanager
def _locked_file(path: Path) -> Iterator[bool]:
    """Whether the file at `path`, made if missing, is ours; a lock ends with its process."""
    if flock is None:
        yield False
        return
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            flock(handle, LOCK_EX | LOCK_NB)
            alone = os.path.samestat(os.fstat(handle), path.stat())  # or was renamed meanwhile
        except (BlockingIOError, FileNotFoundError):
            alone = False
        except OSError:  # a file system without locks
            alone = False
            path.unlink(missing_ok=True)
        yield alone
    finally:
        os.close(handle)


def refuse_overwriting(path: Path, *, ours: bool, inputs: Iterable[Path] = ()) -> None:
    """Raise `WriteError` if a file is at `path` that we did not write, or that is an input."""
    for each in inputs:
        if path.exists() and each.exists() and path.samefile(each):
            raise WriteError(f"{path} is what is read: give another name as --out")
    if os.path.lexists(path) and not ours:
        raise WriteError(
            f"{path} is there and hirescam did not write it: choose another name, or move it"
        )


# --- locks ---------------------------------------------------------------------------------


@contextmanager
def only_writer(folder: Path, what: str) -> Iterator[None]:
    """Be the only process that writes to `folder`, for as long as the block runs.

    The lock ends with its process, however that ends. Raises `WriteError` if another one has
    it, or if the file system knows no locks, unless HIRESCAM_SINGLE_WRITER=1 states that no two
    processes are ever started on the same folder.
    """
    with (folder / LOCK).open("ab") as file:
        if not lock_file(file, folder, shared=False):
            raise WriteError(
                f"another process is at work on the {what} in {folder}: wait for it, or "
                f"choose another folder"
            )
        yield


def lock_file(file: IO[bytes], folder: Path, *, shared: bool) -> bool:
    """Lock an open file until it is closed; False if another process has a lock in the way."""
    try:
        if flock is not None:
            flock(file, (LOCK_SH if shared else LOCK_EX) | LOCK_NB)
        else:
            import msvcrt  # Windows knows no shared locks there: every lock is alone

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except BlockingIOError:
        return False
    except OSError as error:
        if flock is None and error.errno in (errno.EACCES, errno.EDEADLOCK):
            return False
        if os.environ.get("HIRESCAM_SINGLE_WRITER") != "1":
            raise WriteError(
                f"the file system of {folder} has no locks ({error.strerror}), and two "
                f"processes at once would harm each other's results: use another folder, or "
                f"make sure that there is only one and set HIRESCAM_SINGLE_WRITER=1"
            ) from error
    return True


# --- folders -------------------------------------------------------------------------------


def folder_kind(folder: Path) -> str | None:
    """What kind of folder of ours this is; None for anybody else's."""
    mark = _read_mark(folder)
    return None if mark is None else str(mark["kind"])


def claim_folder(folder: Path, kind: str, *, older: Iterable[str] = ()) -> bool:
    """Make `folder` ours, for results of `kind` that are added one by one.

    True if it was ours before: it has our mark, or holds all that `older` names, as
    versions without a mark wrote them. A new or empty folder is made and marked. Raises
    `WriteError`, before anything is changed, if it holds something else.
    """
    found = folder_kind(folder)
    older = tuple(older)
    if found == kind:
        return True
    if found is not None:
        raise WriteError(f"{folder} holds {_a(found)}: choose another folder")
    if older and all((folder / name).exists() for name in older):
        _write_mark(folder, kind, None)
        return True
    _refuse_foreign(folder, kind)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_mark(folder, kind, None)
    except OSError as error:
        raise WriteError(
            f"cannot write {folder}: {error.strerror}; choose another folder"
        ) from error
    return False


def _refuse_foreign(folder: Path, kind: str) -> None:
    """Raise `WriteError` unless `folder` is missing, empty or a folder of ours."""
    if folder.exists() and not folder.is_dir():
        raise WriteError(f"{folder} is not a folder: choose another name for the {kind}")
    if not folder.exists() or folder_kind(folder) is not None:
        return
    names = sorted(each.name for each in folder.iterdir())
    stranger = next((name for name in names if not _HIDDEN_FILE.fullmatch(name)), None)
    if stranger is not None:
        raise WriteError(
            f"{folder} holds files that are not ours, such as {stranger!r}: give "
            f"{_a(kind)} a new or empty folder"
        )


@contextmanager
def atomic_folder(out: Path, kind: str, *, overwrite: bool = False) -> Iterator[Path]:
    """A hidden folder beside `out` to write into; it becomes `out` when the block ends well.

    If anything fails, or the run is interrupted, all that was written is removed and an older
    folder at `out` is still there. It is replaced in one stroke where the system can, and what
    the user had put into it lies in the new one. What killed runs left beside `out` is removed.

    Raises `WriteError` if `out` may not be replaced or the disk refuses.
    """
    out = out.absolute()
    _recover(out)
    refuse_to_replace(out, kind, overwrite=overwrite)
    missing = [parent for parent in out.parents if not parent.exists()]
    part = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    try:
        with ExitStack() as undo:
            undo.callback(_remove_empty, missing)
            out.parent.mkdir(parents=True, exist_ok=True)
            part.mkdir()
            undo.enter_context(removed_on_failure(part))
            with _locked_folder(part):
                _write_mark(part, kind, None)
                yield part
                mark_folder(part, kind)
                replace_folder(part, out)
            undo.pop_all()
    except (OSError, WriteError) as error:
        cause = error.__cause__ if isinstance(error, WriteError) else error
        reason = getattr(cause, "strerror", None) or cause
        raise WriteError(
            f"cannot write {out}: {reason}; nothing was left behind: free some space or choose "
            f"another folder"
        ) from error


@contextmanager
def removed_on_failure(folder: Path) -> Iterator[None]:
    """Remove a hidden folder if the block fails, unless it has changed places with another."""
    made = folder.stat()
    try:
        yield
    except BaseException:
        with suppress(OSError):
            if os.path.samestat(folder.stat(), made):
                shutil.rmtree(folder)
        raise


def mark_folder(folder: Path, kind: str) -> None:
    """State that `folder` is ours with all that it holds now."""
    files = sorted(path.relative_to(folder).as_posix() for path in _walk(folder))
    _write_mark(folder, kind, [name for name in files if name != MARK])


def replace_folder(part: Path, out: Path) -> None:
    """Put a marked folder at `out`; what was not ours in an older one goes on in the new one.

    `out` is at no moment missing where the system can exchange two names; where it cannot, a
    kill between two renames is mended by the next `atomic_folder` for the same name.
    """
    if not out.exists() or not any(out.iterdir()):
        with suppress(FileNotFoundError):
            out.rmdir()  # Windows renames onto no folder, not even an empty one
        part.rename(out)
        return
    if _exchange(part, out):
        old = part
    else:
        old = part.with_suffix(".old")
        out.rename(old)
        try:
            part.rename(out)
        except BaseException:
            old.rename(out)
            raise
    _retire(old, out)


def remove_abandoned(folder: Path) -> None:
    """Remove the hidden files that killed processes left in `folder`, and nothing else."""
    for path in _matching(folder, _HIDDEN_FILE):
        if path.is_file() and not path.is_symlink() and _is_abandoned(path):
            with suppress(OSError):
                path.unlink()


def refuse_to_replace(out: Path, kind: str, *, overwrite: bool) -> None:
    """Raise `WriteError` unless `atomic_folder` may put a folder of this kind at `out`."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise WriteError(f"{out} is not a folder: choose another name for the {kind}")
    if not out.exists() or not any(out.iterdir()):
        return
    if not overwrite:
        raise WriteError(
            f"{out} exists and is not empty: choose another folder, or overwrite it "
            f"(--overwrite, overwrite=True)"
        )
    mark = _read_mark(out)
    if mark is None or mark["kind"] != kind or mark["files"] is None:
        held = "no list of what we wrote" if mark is None else _a(mark["kind"])
        raise WriteError(
            f"{out} holds {held}, so it is not overwritten by {_a(kind)}: choose another folder"
        )


def finish_replacement(hidden: Path, target: Path) -> None:
    """End what a killed `replace_folder(hidden, target)` began.

    `hidden` is either what was to come, never put in place, or what was before, with things of
    the user in it perhaps: these go on in `target`, the rest is removed. Without a list of its
    files it was never complete and holds nothing of the user.
    """
    mark = _read_mark(hidden)
    if hidden.is_symlink() or not hidden.is_dir() or not _is_abandoned(hidden):
        return
    with suppress(OSError):
        if mark is None or mark["files"] is None:
            shutil.rmtree(hidden)
        else:
            _retire(hidden, target)


def _recover(out: Path) -> None:
    """End what killed runs began beside `out`."""
    hidden = _matching(out.parent, _HIDDEN_FOLDER)
    for path in sorted(hidden, key=lambda path: path.suffix, reverse=True):  # .part before .old
        target = path.with_name(path.name[1:].rsplit(".", 2)[0])
        replaced = path if path.suffix == ".old" else path.with_suffix(".old")
        if _read_mark(path) is None or not _is_abandoned(path):
            continue
        if replaced.is_dir() and not target.exists():  # killed between two renames
            with suppress(OSError):
                path.rename(target)
        else:
            finish_replacement(path, target)


def _retire(old: Path, new: Path) -> None:
    """Remove from `old` what its mark calls ours; all else moves into `new`, or stays."""
    mark = _read_mark(old)
    ours = set(mark["files"] or ()) if mark else set()
    for path in _walk(old):
        name = path.relative_to(old).as_posix()
        if name in (MARK, LOCK):
            continue
        with suppress(OSError):
            if name in ours:
                path.unlink()
            elif new.is_dir():
                place = _free(new / name)
                place.parent.mkdir(parents=True, exist_ok=True)
                path.rename(place)
    for root, _, _ in os.walk(old, topdown=False):
        with suppress(OSError):  # something is left that we could not move
            if Path(root) == old and {path.name for path in old.iterdir()} <= {MARK, LOCK}:
                (old / LOCK).unlink(missing_ok=True)
                (old / MARK).unlink()
            Path(root).rmdir()


def _walk(folder: Path) -> Iterator[Path]:
    """Every file, link and empty folder below, never through a link."""
    for root, folders, files in os.walk(folder):
        here = Path(root)
        links = [name for name in folders if (here / name).is_symlink()]
        yield from (here / name for name in sorted([*files, *links]))
        if here != folder and not folders and not files:
            yield here


def _free(path: Path) -> Path:
    """`path`, or a name like it that nothing has yet."""
    taken, number = path, 1
    while os.path.lexists(path):
        number += 1
        path = taken.with_name(f"{taken.stem}-{number}{taken.suffix}")
    return path


def _matching(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name))
    except OSError:
        return []


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _read_mark(folder: Path) -> dict[str, Any] | None:
    """The mark of a folder, if it has one that we can have written."""
    try:
        with (folder / MARK).open("rb") as file:
            mark = json.loads(file.read(_MARK_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(mark, dict) or not isinstance(mark.get("kind"), str):
        return None
    files = mark.get("files")
    named = isinstance(files, list) and all(isinstance(name, str) for name in files)
    return {"kind": mark["kind"], "files": files if named else None}


def _write_mark(folder: Path, kind: str, files: list[str] | None) -> None:
    content = {"kind": kind, "files": files}
    with atomic_write(folder / MARK) as file:
        file.write((json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def _exchange(one: Path, other: Path) -> bool:
    """Let two names change places in one stroke; False where the system cannot."""
    if os.name != "posix":
        return False
    library = ctypes.CDLL(None)
    names = os.fsencode(one), os.fsencode(other)
    if sys.platform == "linux" and hasattr(library, "renameat2"):
        at, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
        return library.renameat2(at, names[0], at, names[1], swap) == 0
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        return library.renamex_np(*names, 2) == 0  # RENAME_SWAP
    return False


@contextmanager
def _locked_folder(folder: Path) -> Iterator[None]:
    """Show other processes that somebody is at work in `folder`; a kill ends that."""
    if flock is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            flock(handle, LOCK_EX | LOCK_NB)
        yield
    finally:
        os.close(handle)


def _is_abandoned(path: Path) -> bool:
    """Whether nobody is at work there: its lock is free, or without locks it is a day old."""
    if flock is not None:
        with suppress(OSError):
            handle = os.open(path, os.O_RDONLY)
            try:
                flock(handle, LOCK_EX | LOCK_NB)
                return True
            except BlockingIOError:
                return False
            finally:
                os.close(handle)
    return time.time() - path.lstat().st_mtime > _ABANDONED_S


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:  # the innermost first
        with suppress(OSError):
            folder.rmdir()
