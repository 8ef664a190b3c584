"""A folder appears whole or not at all."""

import pytest

from hirescam.drawing.folder import whole_folder
from hirescam.errors import WriteError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write(out, text, *, overwrite=False):
    with whole_folder(out, overwrite=overwrite) as folder:
        (folder / "summary.json").write_text(text)


def test_nothing_is_to_be_seen_before_the_block_ends_well(tmp_path):
    out = tmp_path / "deep" / "out"
    with whole_folder(out) as folder:
        assert not out.exists()
        assert folder.parent == out.parent  # the same disk, so that a rename is enough
        assert folder.name.startswith(".")
    assert names(out) == []


def write_half(out, problem):
    with whole_folder(out) as folder:
        (folder / "half").write_text("x")
        raise problem


@pytest.mark.parametrize("problem", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_nothing_not_even_the_parents_it_made(tmp_path, problem):
    with pytest.raises(problem):
        write_half(tmp_path / "a" / "b" / "out", problem)
    assert names(tmp_path) == []


def test_a_failed_overwrite_leaves_the_old_one_whole(tmp_path):
    write(tmp_path / "out", "old")
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "out", overwrite=True):
        raise RuntimeError
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out" / "summary.json").read_text() == "old"


def test_an_overwrite_replaces_all_of_the_old_one(tmp_path):
    write(tmp_path / "out", "old")
    (tmp_path / "out" / "stray").write_text("x")
    write(tmp_path / "out", "new", overwrite=True)
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["summary.json"]
    assert (tmp_path / "out" / "summary.json").read_text() == "new"


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    write(tmp_path / "out", "new")
    assert names(tmp_path / "out") == ["summary.json"]


def test_a_full_folder_is_refused_without_overwrite(tmp_path):
    write(tmp_path / "out", "old")
    with pytest.raises(WriteError, match="exists and is not empty"):
        write(tmp_path / "out", "new")


def test_a_folder_that_is_no_summary_is_never_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(WriteError, match=r"holds no summary\.json"):
        write(tmp_path, "new", overwrite=True)
    assert names(tmp_path) == ["thesis.txt"]


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(WriteError, match="is not a folder"):
        write(tmp_path / "out", "new", overwrite=True)


def test_a_file_among_the_parents_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(WriteError, match=r"cannot write .*/out: File exists; nothing was left"):
        write(tmp_path / "file" / "out", "new")


def test_what_a_killed_run_left_is_in_nobodys_way(tmp_path):
    run = whole_folder(tmp_path / "out")
    left = run.__enter__()  # killed here: the block never ends
    write(tmp_path / "out", "new")
    assert names(tmp_path) == [left.name, "out"]
