"""What a run of a cohort does, does again, and leaves alone."""

import csv
import json
import os
import resource
import shutil
import time

import pytest

from hirescam.cohort.executor import Processes
from hirescam.cohort.ledger import Status, open_ledger, read_ledgers
from hirescam.cohort.manifest import Entry, Shard, parse_shard, read_manifest
from hirescam.cohort.run import Which, run_cohort
from hirescam.cohort.settings_lock import locked_settings
from hirescam.errors import HirescamError, ReadError, WriteError
from make_cohort import Here, Obeying, contents, write_cohort


@pytest.fixture
def cohort(tmp_path):
    """Four scans, of which one is refused and one breaks the step."""
    manifest = write_cohort(tmp_path / "data", ["fine", "refuse", "fine", "break"])
    return read_manifest(manifest), tmp_path / "out", Obeying(tmp_path)


def statuses(out):
    return {id: tries[-1].status for id, tries in read_ledgers(out).items()}


def test_scans_that_fail_stop_no_other_and_are_told(cohort):
    entries, out, step = cohort
    tally = run_cohort(step, entries, out, Here())
    assert (tally.done, tally.failed, tally.killed, tally.left) == (2, 2, 0, 2)
    assert sorted(path.name for path in (out / "cases").iterdir()) == ["scan-00", "scan-02"]
    refused, broken = read_ledgers(out)["scan-01"][-1], read_ledgers(out)["scan-03"][-1]
    assert (refused.error, refused.reason) == ("VoxelError", "scan-01.txt: is no CT")
    assert broken.error == "KeyError"
    assert "make_cohort.py" in broken.traceback
    assert "raise KeyError" in broken.traceback
    with (out / "ledger.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert [row["status"] for row in rows] == ["done", "failed", "done", "failed"]
    assert [row["split"] for row in rows] == ["test", "train"] * 2


def test_words_of_foreign_errors_are_not_kept(cohort):
    entries, out, step = cohort
    run_cohort(step, entries, out, Here())
    kept = b"".join(each for name, each in contents(out).items() if name.startswith("ledger"))
    assert b"break 3" not in kept
    assert b"KeyError" in kept


def test_a_second_run_does_what_failed_and_nothing_else(cohort):
    entries, out, step = cohort
    run_cohort(step, entries, out, Here())
    entries[1].path.write_text("fine now")
    tally = run_cohort(step, entries, out, Here())
    assert (tally.before, tally.todo, tally.done, tally.failed) == (2, 2, 1, 1)
    tries = read_ledgers(out)
    assert [len(tries[entry.id]) for entry in entries] == [1, 2, 1, 2]


def test_a_changed_scan_or_a_lost_result_is_made_anew(cohort):
    entries, out, step = cohort
    run_cohort(step, entries, out, Here())
    entries[0].path.write_text("fine, and longer")
    shutil.rmtree(out / "cases/scan-02")
    assert run_cohort(step, entries, out, Here()).done == 2
    assert (out / "cases/scan-00/copy.txt").read_text() == "fine, and longer"


def test_other_settings_are_refused_unless_they_are_to_overwrite(cohort):
    entries, out, step = cohort
    run_cohort(step, entries, out, Here())
    other = Obeying(step.marks, settings_given="other")
    with pytest.raises(WriteError, match="given was '' and is 'other'"):
        run_cohort(other, entries, out, Here())
    assert run_cohort(other, entries, out, Here(), overwrite=True).done == 2


def test_what_differs_is_told_by_itself_however_deep_it_lies(cohort):
    _, out, step = cohort
    run_cohort(Obeying(step.marks, settings_given={"a": {"b": 1, "c": 2}}), [], out, Here())
    with pytest.raises(WriteError, match=r"\(given\.a\.c was 2 and is 3\)"):
        run_cohort(Obeying(step.marks, settings_given={"a": {"b": 1, "c": 3}}), [], out, Here())


def test_a_folder_of_somebody_else_is_left_alone(cohort):
    entries, out, step = cohort
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(WriteError, match="not ours"):
        run_cohort(step, entries, out, Here(), overwrite=True)
    assert [path.name for path in out.iterdir()] == ["notes.txt"]


def test_limit_and_retry_failed_choose_among_what_is_missing(cohort):
    entries, out, step = cohort
    tally = run_cohort(step, entries, out, Here(), which=Which(limit=2))
    assert (tally.done, tally.failed, tally.left) == (1, 1, 3)
    run_cohort(step, entries, out, Here(), which=Which(retry_failed=True))
    assert set(statuses(out)) == {"scan-00", "scan-01"}


def test_shards_share_the_work_without_overlap(cohort):
    entries, out, step = cohort
    for number in (1, 2, 3):
        run_cohort(step, entries, out, Here(), which=Which(Shard(number, 3)))
    assert all(len(tries) == 1 for tries in read_ledgers(out).values())
    assert len(read_ledgers(out)) == 4
    assert run_cohort(step, entries, out, Here()).before == 2


@pytest.mark.parametrize("text", ["0/4", "5/4", "3", "a/b", "-1/4"])
def test_a_shard_that_is_none_is_refused(text):
    with pytest.raises(HirescamError, match="i/n"):
        parse_shard(text)


def test_two_runs_cannot_share_a_ledger(cohort):
    entries, out, step = cohort
    run_cohort(step, entries, out, Here())
    with open_ledger(out, Shard()), pytest.raises(WriteError, match="another run is at work"):
        run_cohort(step, entries, out, Here())


def test_a_line_that_a_crash_cut_short_costs_only_itself(cohort):
    entries, out, step = cohort
    run_cohort(step, entries, out, Here())
    ledger = out / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes()[:-20])
    tally = run_cohort(step, entries, out, Here())
    assert (tally.before, tally.todo) == (2, 2)
    assert statuses(out)["scan-03"] is Status.failed


def test_any_number_of_processes_gives_the_same_bytes(tmp_path):
    entries = read_manifest(write_cohort(tmp_path / "data", ["fine"] * 8))
    for jobs in (1, 3):
        run_cohort(Obeying(tmp_path), entries, tmp_path / f"{jobs}", Processes(jobs))
    assert contents(tmp_path / "1" / "cases") == contents(tmp_path / "3" / "cases")
    assert len(contents(tmp_path / "1" / "cases")) == 8


def test_a_killed_process_is_told_apart_and_its_scan_tried_once_more(tmp_path):
    said = ["fine", "die once", "fine", "die always", "no memory", "fine"]
    entries = read_manifest(write_cohort(tmp_path / "data", said))
    tally = run_cohort(Obeying(tmp_path), entries, tmp_path / "out", Processes(2))
    assert (tally.done, tally.failed, tally.killed) == (4, 0, 2)
    tries = read_ledgers(tmp_path / "out")
    ends = {
        id: [each.status for each in of if each.status != "started"] for id, of in tries.items()
    }
    assert ends["scan-01"] == [Status.killed, Status.done]
    assert ends["scan-03"] == ends["scan-04"] == [Status.killed, Status.killed]
    assert ends["scan-00"] == ends["scan-02"] == ends["scan-05"] == [Status.done]
    killed, died, starved = (tries[f"scan-0{number}"][1] for number in (1, 3, 4))
    assert (killed.error, died.error, starved.error) == ("SIGKILL", "SIGSEGV", "MemoryError")
    assert "memory" in killed.reason
    assert tries["scan-00"][-1].peak_memory_mib > 10


def test_a_full_disk_is_told_of_each_scan_and_stops_no_other(tmp_path):
    entries = read_manifest(write_cohort(tmp_path / "data", ["fine", "fill", "fine"]))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, hard))
    try:
        tally = run_cohort(Obeying(tmp_path), entries, tmp_path / "out", Here())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tally.done, tally.failed) == (2, 1)
    assert "free some space" in read_ledgers(tmp_path / "out")["scan-01"][-1].reason
    assert run_cohort(Obeying(tmp_path), entries, tmp_path / "out", Here()).done == 1


def test_results_of_other_code_are_refused_overwritten_or_kept(cohort, monkeypatch):
    entries, out, step = cohort
    run_cohort(step, entries, out, Here())
    for module in ("settings_lock", "run", "work"):
        monkeypatch.setattr(f"hirescam.cohort.{module}.code_version", lambda: "other")
    with pytest.raises(WriteError, match="keep-older"):
        run_cohort(step, entries, out, Here())
    assert run_cohort(step, entries, out, Here(), keep_older=True).before == 2
    assert run_cohort(step, entries, out, Here(), keep_older=True, overwrite=True).before == 2
    assert run_cohort(step, entries, out, Here(), overwrite=True).done == 2


def test_what_the_user_put_beside_a_result_outlives_a_new_result(cohort):
    entries, out, step = cohort
    run_cohort(step, entries, out, Here())
    (out / "cases/scan-00/notes.txt").write_text("years of work")
    entries[0].path.write_text("fine, and longer")
    run_cohort(step, entries, out, Here())
    assert (out / "cases/scan-00/notes.txt").read_text() == "years of work"
    assert (out / "cases/scan-00/copy.txt").read_text() == "fine, and longer"
    assert [path.name for path in out.glob(".staging*")] == []


def set_clock(path, number, at):
    """Let a line of a ledger tell another time."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[number]["at"] = at
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_worker_whose_clock_is_behind_has_nothing_redone(cohort):
    entries, out, step = cohort
    run_cohort(step, entries[:1], out, Processes(1))
    set_clock(out / "ledger.jsonl", 1, "1999-01-01T00:00:00")  # done long before it was begun
    tally = run_cohort(step, entries[:1], out, Here())
    assert (tally.before, tally.todo) == (1, 0)


def test_of_two_runs_the_later_counts_whatever_the_clocks_say(cohort):
    entries, out, step = cohort
    run_cohort(step, entries, out, Here(), which=Which(Shard(2, 2)))
    entries[1].path.write_text("fine now")
    run_cohort(step, entries, out, Here())
    for number in range(2):
        set_clock(out / "ledger.jsonl", number, "1999-01-01T00:00:00")
    assert statuses(out)["scan-01"] is Status.done
    assert run_cohort(step, entries, out, Here()).before == 3


def test_a_file_that_is_gone_or_cut_short_is_made_again(cohort):
    entries, out, step = cohort
    run_cohort(step, entries, out, Here())
    (out / "cases/scan-00/copy.txt").unlink()
    (out / "cases/scan-02/copy.txt").write_text("fi")
    tally = run_cohort(step, entries, out, Here())
    assert (tally.before, tally.done) == (0, 2)
    assert (out / "cases/scan-02/copy.txt").read_text() == "fine 2"


def test_changed_bytes_of_the_same_size_are_found_where_asked(cohort):
    entries, out, step = cohort
    run_cohort(step, entries, out, Here())
    (out / "cases/scan-00/notes.txt").write_text("the user's, no part of the result")
    (out / "cases/scan-02/copy.txt").write_text("fine 3")
    assert run_cohort(step, entries, out, Here()).before == 2
    tally = run_cohort(step, entries, out, Here(), verify=True)
    assert (tally.before, tally.done) == (1, 1)
    assert (out / "cases/scan-02/copy.txt").read_text() == "fine 2"
    assert (out / "cases/scan-00/notes.txt").exists()


def test_a_refused_run_leaves_the_settings_as_they_were(cohort):
    entries, out, step = cohort
    run_cohort(step, entries, out, Here())
    before = (out / "cohort.json").read_bytes()
    other = Obeying(step.marks, "other")
    with (
        open_ledger(out, Shard()) as _,
        pytest.raises(WriteError, match="another run is at work"),
    ):
        run_cohort(step, entries, out, Here())
    with locked_settings(out, step), pytest.raises(WriteError, match="another run is at work"):
        run_cohort(other, entries, out, Here(), overwrite=True)
    assert (out / "cohort.json").read_bytes() == before


def test_shards_with_the_same_settings_work_at_once(cohort):
    entries, out, step = cohort
    with locked_settings(out, step):
        assert run_cohort(step, entries, out, Here(), which=Which(Shard(1, 2))).done == 2


def test_a_file_of_that_name_by_somebody_else_makes_no_folder_ours(cohort):
    entries, out, step = cohort
    out.mkdir()
    (out / "cohort.json").write_text('{"patients": 12}')
    for overwrite in (False, True):
        with pytest.raises(WriteError, match="not of a cohort of ours"):
            run_cohort(step, entries, out, Here(), overwrite=overwrite)
    assert [path.name for path in out.iterdir()] == ["cohort.json"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "x", "status": "done", "colour": 3}', "has 'colour', as of a newer hirescam"),
        ('{"id": "x", "status": "paused"}', "paused"),
        ('{"status": "done"}', "lacks an id"),
        ("[1, 2]", "no table of values"),
        ('{"id": 7, "status": "done"}', "lacks an id"),
        ('{"id": "x", "status": "done", "files": 3}', "something else than files"),
    ],
)
def test_a_line_of_another_shape_is_one_sentence(cohort, line, message):
    entries, out, step = cohort
    run_cohort(step, entries, out, Here())
    with (out / "ledger.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ReadError, match=message):
        run_cohort(step, entries, out, Here())


@pytest.mark.parametrize("line", ["{", '{"id": "sca', "[" * 200_000])
def test_a_line_that_a_crash_cut_short_is_passed_over(cohort, line):
    entries, out, step = cohort
    run_cohort(step, entries, out, Here())
    with (out / "ledger.jsonl").open("a") as file:
        file.write(line + "\n")
    assert run_cohort(step, entries, out, Here()).before == 2


def test_a_rerun_of_forty_thousand_scans_takes_seconds(tmp_path):
    """Their ledger is read, their results are looked at, and nothing is done."""
    count = 40_000 if os.environ.get("HIRESCAM_SLOW") else 4_000
    scan = tmp_path / "scan.txt"
    scan.write_text("fine")
    entries = [Entry(f"scan-{number:05}", scan) for number in range(count)]
    step, out = Obeying(tmp_path), tmp_path / "out"
    run_cohort(step, entries[:1], out, Here())
    done = json.loads((out / "ledger.jsonl").read_text())
    begun = {"id": done["id"], "status": "started", "run": done["run"]}
    with (out / "ledger.jsonl").open("a") as file:
        for entry in entries[1:]:
            (out / "cases" / entry.id).mkdir()
            (out / "cases" / entry.id / "copy.txt").write_text("fine")
            for line in (begun, done):
                file.write(json.dumps(line | {"id": entry.id, "at": "1970"}) + "\n")
    start = time.process_time()
    tally = run_cohort(step, entries, out, Here())
    assert (tally.before, tally.todo) == (count, 0)
    assert time.process_time() - start < count / 500
