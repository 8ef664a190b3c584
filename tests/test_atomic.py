"""Folders and files appear whole or not at all, and nothing that is the user's is lost."""

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest

from hirescam import atomic
from hirescam.atomic import (
    LOCK,
    MARK,
    atomic_files,
    atomic_folder,
    atomic_write,
    claim_folder,
    folder_kind,
    only_writer,
    refuse_overwriting,
    remove_abandoned,
)
from hirescam.errors import WriteError

posix = pytest.mark.skipif(sys.platform == "win32", reason="no locks that end with a process")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def contents(folder):
    """Every file below, by name, but the marks."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != MARK)
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def write(out, text, *, overwrite=False, **files):
    with atomic_folder(out, "summary", overwrite=overwrite) as folder:
        (folder / "summary.json").write_text(text)
        (folder / "maps").mkdir()
        (folder / "maps" / "one.txt").write_text(text)
        for name, content in files.items():
            (folder / name).write_text(content)


# --- files ---------------------------------------------------------------------------------

KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from hirescam.atomic import atomic_write
with atomic_write(Path(sys.argv[1])) as file:
    file.write(b"half of what was to be writ")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@posix
def test_what_a_killed_process_left_is_written_over(tmp_path):
    path = tmp_path / "one.bin"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, path])
        assert names(tmp_path) == [".one.bin.hirescam-part"]
    with atomic_write(path) as file:
        file.write(b"all")
    assert names(tmp_path) == ["one.bin"]
    assert path.read_bytes() == b"all"


@posix
def test_only_what_was_left_behind_is_removed(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, tmp_path / "one.bin"])
    kept = [".git", ".one.bin.part", ".ssh", "download.part"]
    for name in kept:
        (tmp_path / name).write_text("the user's")
    with atomic_write(tmp_path / "two.bin"):
        remove_abandoned(tmp_path)
        assert names(tmp_path) == sorted([*kept, ".two.bin.hirescam-part"])


def test_of_two_that_write_at_once_either_is_whole_and_the_last_stays(tmp_path):
    path = tmp_path / "one.bin"
    with atomic_write(path) as first:
        first.write(b"the first, ")
        with atomic_write(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
        first.write(b"which ended last")
    assert path.read_bytes() == b"the first, which ended last"
    assert names(tmp_path) == ["one.bin"]


def test_a_failure_leaves_the_older_file_and_nothing_else(tmp_path):
    path = tmp_path / "one.bin"
    path.write_bytes(b"older")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as file:
        file.write(b"newer" * (1 // 0))
    assert path.read_bytes() == b"older"
    assert names(tmp_path) == ["one.bin"]


# --- folders that are replaced as a whole --------------------------------------------------


def test_nothing_is_to_be_seen_before_the_block_ends_well(tmp_path):
    out = tmp_path / "deep" / "out"
    with atomic_folder(out, "summary") as folder:
        assert not out.exists()
        assert folder.parent == out.parent  # the same disk, so that a rename is enough
        assert folder.name.startswith(".")
    assert names(out) == [MARK]


def write_half(out, problem):
    with atomic_folder(out, "summary") as folder:
        (folder / "half").write_text("x")
        raise problem


@pytest.mark.parametrize("problem", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_nothing_not_even_the_parents_it_made(tmp_path, problem):
    with pytest.raises(problem):
        write_half(tmp_path / "a" / "b" / "out", problem)
    assert names(tmp_path) == []


def test_a_failed_overwrite_leaves_the_old_one_whole(tmp_path):
    write(tmp_path / "out", "old")
    with (
        pytest.raises(RuntimeError),
        atomic_folder(tmp_path / "out", "summary", overwrite=True),
    ):
        raise RuntimeError
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out" / "summary.json").read_text() == "old"


@pytest.mark.parametrize("exchanges", [True, False])
def test_an_overwrite_replaces_what_was_ours_and_keeps_what_was_not(
    tmp_path, monkeypatch, exchanges
):
    if not exchanges:
        monkeypatch.setattr(atomic, "_exchange", lambda one, other: False)
    out = tmp_path / "out"
    write(out, "old", **{"gone.txt": "of the first only", "kept": "ours"})
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "summary.json").write_text("elsewhere")
    (out / "notes.txt").write_text("years of work")
    (out / "maps" / "drawing.txt").write_text("by hand")
    (out / "empty").mkdir()
    (out / "link").symlink_to(outside)
    write(out, "new", overwrite=True)
    assert names(tmp_path) == ["out", "outside"]
    assert names(outside) == ["summary.json"]
    assert (out / "empty").is_dir()
    assert (out / "link").is_symlink()
    assert {name: text for name, text in contents(out).items() if "link" not in name} == {
        "maps/drawing.txt": "by hand",
        "maps/one.txt": "new",
        "notes.txt": "years of work",
        "summary.json": "new",
    }


def test_what_is_the_users_keeps_its_content_where_we_now_write_the_same_name(tmp_path):
    write(tmp_path / "out", "old")
    (tmp_path / "out" / "notes.txt").write_text("years of work")
    write(tmp_path / "out", "new", overwrite=True, **{"notes.txt": "ours"})
    assert contents(tmp_path / "out")["notes.txt"] == "ours"
    assert contents(tmp_path / "out")["notes-2.txt"] == "years of work"


def test_a_link_in_place_of_a_folder_of_ours_leads_no_removal_outside(tmp_path):
    write(tmp_path / "out", "old")
    (tmp_path / "out" / "maps" / "one.txt").unlink()
    (tmp_path / "out" / "maps").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "one.txt").write_text("the user's")
    (tmp_path / "out" / "maps").symlink_to(tmp_path / "elsewhere")
    write(tmp_path / "out", "new", overwrite=True)
    assert (tmp_path / "elsewhere" / "one.txt").read_text() == "the user's"


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    write(tmp_path / "out", "new")
    assert contents(tmp_path / "out") == {"summary.json": "new", "maps/one.txt": "new"}


def test_a_full_folder_is_refused_without_overwrite(tmp_path):
    write(tmp_path / "out", "old")
    with pytest.raises(WriteError, match="exists and is not empty"):
        write(tmp_path / "out", "new")


def test_a_folder_that_is_not_ours_is_never_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    (tmp_path / "summary.json").write_text("of another program")
    with pytest.raises(WriteError, match="holds no list of what we wrote"):
        write(tmp_path, "new", overwrite=True)
    assert names(tmp_path) == ["summary.json", "thesis.txt"]


def test_a_folder_of_another_kind_is_not_overwritten(tmp_path):
    with atomic_folder(tmp_path / "out", "evaluation"):
        pass
    with pytest.raises(WriteError, match="holds an evaluation"):
        write(tmp_path / "out", "new", overwrite=True)


@pytest.mark.parametrize(
    "mark", ["", "[]", '{"kind": 3}', '{"kind": "summary"}', "[" * 100_000]
)
def test_a_mark_that_we_cannot_have_written_makes_no_folder_ours(tmp_path, mark):
    (tmp_path / MARK).write_text(mark)
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(WriteError, match="not overwritten"):
        write(tmp_path, "new", overwrite=True)
    assert contents(tmp_path) == {"thesis.txt": "years of work"}


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(WriteError, match="is not a folder"):
        write(tmp_path / "out", "new", overwrite=True)


def test_a_file_among_the_parents_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(WriteError, match=r"cannot write .*/out: .*; nothing was left"):
        write(tmp_path / "file" / "out", "new")


# --- killed -------------------------------------------------------------------------------


def killed_in(out, moment, exchanges):
    """Overwrite `out` and die when `moment` is reached; the block itself is a moment too."""

    def die(*arguments):
        os.kill(os.getpid(), signal.SIGKILL)

    if not exchanges:
        atomic._exchange = lambda one, other: False
    if moment == "between the renames":
        rename = atomic.Path.rename
        atomic.Path.rename = lambda self, to: (
            die() if self.suffix == ".part" else rename(self, to)
        )
    elif moment != "block":
        setattr(atomic, moment, die)
    with atomic_folder(out, "summary", overwrite=True) as folder:
        (folder / "summary.json").write_text("new")
        if moment == "block":
            die()


KILLS = [
    ("block", True),
    ("mark_folder", True),
    ("replace_folder", True),
    ("_retire", True),
    ("_retire", False),
    ("between the renames", False),
]


@posix
@pytest.mark.parametrize(("moment", "exchanges"), KILLS)
def test_after_a_kill_nothing_of_the_users_is_lost_and_nothing_of_ours_left(
    tmp_path, moment, exchanges
):
    out = tmp_path / "out"
    write(out, "old")
    (out / "notes.txt").write_text("years of work")
    process = multiprocessing.get_context("fork").Process(
        target=killed_in, args=(out, moment, exchanges)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    if exchanges:
        assert contents(out)["summary.json"] in {"old", "new"}
    write(out, "newest", overwrite=True)
    assert names(tmp_path) == ["out"]
    assert contents(out) == {
        "notes.txt": "years of work",
        "maps/one.txt": "newest",
        "summary.json": "newest",
    }


@posix
def test_what_another_process_is_writing_is_left_alone(tmp_path):
    with atomic_folder(tmp_path / "one", "summary") as first:
        (first / "half").write_text("x")
        write(tmp_path / "two", "whole")
        assert names(first) == [MARK, "half"]
    assert names(tmp_path) == ["one", "two"]


# --- folders that grow --------------------------------------------------------------------


def test_a_new_an_empty_and_an_own_folder_are_claimed(tmp_path):
    assert not claim_folder(tmp_path / "new" / "run", "training run")
    (tmp_path / "empty").mkdir()
    assert not claim_folder(tmp_path / "empty", "training run")
    assert claim_folder(tmp_path / "empty", "training run")
    assert folder_kind(tmp_path / "empty") == "training run"


def test_a_foreign_folder_is_refused_and_untouched(tmp_path):
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_text("secret")
    with pytest.raises(WriteError, match=r"not ours, such as '\.ssh'"):
        claim_folder(tmp_path, "training run")
    assert names(tmp_path) == [".ssh"]


def test_a_folder_of_another_kind_is_refused(tmp_path):
    claim_folder(tmp_path / "out", "cohort")
    with pytest.raises(WriteError, match="holds a cohort"):
        claim_folder(tmp_path / "out", "training run")


def test_a_folder_of_a_version_without_marks_is_known_by_its_files(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(WriteError, match="not ours"):
        claim_folder(tmp_path, "training run", older=("config.json", "made_with.json"))
    (tmp_path / "made_with.json").write_text("{}")
    assert claim_folder(tmp_path, "training run", older=("config.json", "made_with.json"))


# --- one writer -----------------------------------------------------------------------------


@posix
def test_there_is_one_writer_at_a_time_and_a_kill_frees_the_place(tmp_path):
    code = "import os, sys, signal; from pathlib import Path; from hirescam.atomic import *\n"
    code += "with only_writer(Path(sys.argv[1]), 'x'): print(1, flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, tmp_path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, **pipes) as other:
        other.stdout.readline()
        refused = pytest.raises(WriteError, match="another process is at work on the run")
        with refused, only_writer(tmp_path, "run"):
            pass
        other.kill()
    with only_writer(tmp_path, "run"):
        assert names(tmp_path) == [LOCK]


def test_a_file_system_without_locks_is_refused_unless_there_is_one_writer(
    tmp_path, monkeypatch
):
    def no_locks(file, how):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(atomic, "flock", no_locks)
    refused = pytest.raises(WriteError, match=r"no locks .* HIRESCAM_SINGLE_WRITER=1")
    with refused, only_writer(tmp_path, "run"):
        pass
    monkeypatch.setenv("HIRESCAM_SINGLE_WRITER", "1")
    with only_writer(tmp_path, "run"):
        assert names(tmp_path) == [LOCK]


# --- files that the user names --------------------------------------------------------------


def test_a_file_of_somebody_else_and_an_input_are_not_overwritten(tmp_path):
    path, link = tmp_path / "labels.csv", tmp_path / "link.csv"
    refuse_overwriting(path, ours=False)
    path.write_text("x")
    link.symlink_to(path)
    with pytest.raises(WriteError, match="did not write it"):
        refuse_overwriting(path, ours=False)
    refuse_overwriting(path, ours=True)
    with pytest.raises(WriteError, match="is what is read"):
        refuse_overwriting(link, ours=True, inputs=(path,))


@posix
def test_several_files_replace_theirs_together_and_a_kill_leaves_nothing_for_long(tmp_path):
    one, two = tmp_path / "labels.csv", tmp_path / "labels.csv.json"
    code = "import os, sys, signal; from pathlib import Path; from hirescam.atomic import *\n"
    code += "with atomic_files(*map(Path, sys.argv[1:])) as parts:\n"
    code += "    [part.write_text('half') for part in parts.values()]\n"
    code += "    os.kill(os.getpid(), signal.SIGKILL)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code, one, two], env=environment)
    assert len(names(tmp_path)) == 2
    with atomic_files(one, two) as parts:
        parts[one].write_text("all")
        parts[two].unlink()
        with atomic_files(tmp_path / "other") as others:
            others[tmp_path / "other"].write_text("beside")
    assert names(tmp_path) == ["labels.csv", "other"]
    assert one.read_text() == "all"
