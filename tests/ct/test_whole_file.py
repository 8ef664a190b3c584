"""A file appears whole or not at all, whoever else writes it and whoever dies."""

import subprocess
import sys

import pytest

from hirescam.ct.whole_file import whole_file

KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from hirescam.ct.whole_file import whole_file
with whole_file(Path(sys.argv[1])) as file:
    file.write(b"half of what was to be writ")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder):
    return [path.name for path in folder.iterdir()]


@pytest.mark.skipif(sys.platform == "win32", reason="no locks that end with their process")
def test_what_a_killed_process_left_is_written_over(tmp_path):
    path = tmp_path / "one.bin"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, path])
        assert names(tmp_path) == [".one.bin.part"]
    with whole_file(path) as file:
        file.write(b"all")
    assert names(tmp_path) == ["one.bin"]
    assert path.read_bytes() == b"all"


def test_of_two_that_write_at_once_either_is_whole_and_the_last_stays(tmp_path):
    path = tmp_path / "one.bin"
    with whole_file(path) as first:
        first.write(b"the first, ")
        with whole_file(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
        first.write(b"which ended last")
    assert path.read_bytes() == b"the first, which ended last"
    assert names(tmp_path) == ["one.bin"]


def test_a_failure_leaves_the_older_file_and_nothing_else(tmp_path):
    path = tmp_path / "one.bin"
    path.write_bytes(b"older")
    with pytest.raises(ZeroDivisionError), whole_file(path) as file:
        file.write(b"newer" * (1 // 0))
    assert path.read_bytes() == b"older"
    assert names(tmp_path) == ["one.bin"]
