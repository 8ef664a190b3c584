"""What is sent to the listener is explained and comes back, whole and once."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pydicom
import pynetdicom
import pytest

from hirescam.errors import HirescamError, WriteError
from hirescam.hospital.dimse import Peer, listening, read_peer, send_file
from hirescam.hospital.explaining import explainer
from hirescam.hospital.queue import Queue, hashed, work
from make_dicom import PLANTED


def send(files, port, *, title="SCANNER", to="HIRESCAM"):
    """The status of each C-STORE, or None where no association came about."""
    entity = pynetdicom.AE(ae_title=title)
    entity.add_requested_context("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1")
    association = entity.associate("127.0.0.1", port, ae_title=to)
    if not association.is_established:
        return None
    try:
        return [association.send_c_store(pydicom.dcmread(file)).Status for file in files]
    finally:
        association.release()


@contextmanager
def working(queue, explain, send_back, said):
    stop = threading.Event()
    thread = threading.Thread(
        target=work,
        args=(queue, explain, send_back, said.append),
        kwargs={"stopped": stop.is_set, "wait_s": 0.05, "tries": 3},
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def until(held, seconds=120):
    end = time.monotonic() + seconds
    while not held():
        assert time.monotonic() < end, f"not so after {seconds} s"
        time.sleep(0.05)


def as_copied(home, out):
    """In place of an explanation: two objects that are copies of slices, and a report."""
    part = out.with_name(f"{out.name}.part")
    (part / "dicom").mkdir(parents=True)
    for name, file in zip(
        ("map-01", "organs", "report"), sorted(home.glob("*.dcm")), strict=False
    ):
        (part / "dicom" / f"{name}.dcm").write_bytes(file.read_bytes())
    part.rename(out)


def test_a_series_comes_back_from_an_archive_with_all_kinds_of_objects(
    archive, series, model, tmp_path
):
    queue, said = Queue(tmp_path / "queue", quiet_s=1.0), []
    peer = Peer("ARCHIVE", "127.0.0.1", archive.dicom)
    with (
        listening(queue, title="HIRESCAM", port=0, senders=["SCANNER"]) as port,
        working(
            queue, explainer(model), lambda path: send_file(path, peer, title="HIRESCAM"), said
        ),
    ):
        assert set(send(series, port)) == {0}
        until(lambda: list((tmp_path / "queue" / "done").iterdir()))
        kinds = archive.modalities()
        again = set(send(series, port))
        until(lambda: not any((tmp_path / "queue" / "arriving").iterdir()))
    assert {"SEG", "SR", "OT"} <= set(kinds), kinds
    assert again == {0}
    assert archive.modalities() == kinds, "what was sent twice is explained once"
    assert not any((tmp_path / "queue" / "ready").iterdir())
    assert not any((tmp_path / "queue" / "explained").iterdir())
    assert PLANTED not in " ".join(said)
    study = archive.get("/studies?expand")
    assert [each["MainDicomTags"]["StudyInstanceUID"] for each in study] == ["1.2.3.4"]


def test_only_listed_titles_may_send_and_only_to_ours(series, tmp_path):
    queue = Queue(tmp_path, quiet_s=60)
    with listening(queue, title="HIRESCAM", port=0, senders=["SCANNER"]) as port:
        assert send(series[:1], port, title="STRANGER") is None
        assert send(series[:1], port, to="OTHER") is None
        assert send(series[:1], port) == [0]
    assert len(list(tmp_path.glob("arriving/*/*.dcm"))) == 1


def test_a_full_queue_refuses_and_names_of_patients_reach_no_path(series, tmp_path):
    queue = Queue(tmp_path, most_bytes=2 * series[0].stat().st_size + 5000, quiet_s=60)
    with listening(queue, title="HIRESCAM", port=0, senders=["SCANNER"]) as port:
        statuses = send(series[:4], port)
    assert statuses[0] == 0
    assert statuses[-1] == 0xA700
    assert tmp_path.stat().st_mode & 0o077 == 0
    uid = str(pydicom.dcmread(series[0]).SeriesInstanceUID)
    for path in tmp_path.rglob("*"):
        assert uid not in str(path)
        assert PLANTED not in str(path)
    assert (tmp_path / "arriving" / hashed(uid)).is_dir()


def test_what_came_is_kept_bit_by_bit(series, tmp_path):
    queue = Queue(tmp_path, quiet_s=60)
    with listening(queue, title="HIRESCAM", port=0, senders=["SCANNER"]) as port:
        send(series[:1], port)
    (kept,) = tmp_path.glob("arriving/*/*.dcm")
    one, other = pydicom.dcmread(kept), pydicom.dcmread(series[0])
    assert one == other
    assert one.PixelData == other.PixelData


def test_slices_that_come_late_are_explained_with_the_others(series, tmp_path):
    made_of = []

    def explain(home, out):
        made_of.append(len(list(home.glob("*.dcm"))))
        as_copied(home, out)

    queue, said = Queue(tmp_path, quiet_s=0.3), []
    with listening(queue, title="HIRESCAM", port=0, senders=["SCANNER"]) as port:
        send(series[:5], port)
        with working(queue, explain, lambda path: None, said):
            until(lambda: list((tmp_path / "done").iterdir()))
            send(series, port)
            until(lambda: len(made_of) == 2 and not any((tmp_path / "ready").iterdir()))
    assert made_of == [5, len(series)]


def test_an_archive_that_is_away_is_tried_again_and_no_object_sent_twice(series, tmp_path):
    queue, said, sent, refusals = Queue(tmp_path, quiet_s=0.2), [], [], [0]

    def send_back(path):
        if path.stem == "organs" and refusals[0] < 2:
            refusals[0] += 1
            raise WriteError("away")
        sent.append(path.stem)

    for file in series[:3]:
        made = pydicom.dcmread(file)
        queue.add(made.SeriesInstanceUID, made.SOPInstanceUID, file.read_bytes())
    with working(queue, as_copied, send_back, said):
        until(lambda: list((tmp_path / "done").iterdir()))
    assert sent == ["map-01", "organs", "report"]
    assert refusals == [2]


def test_what_cannot_be_explained_or_sent_is_put_aside_with_its_reason(series, tmp_path):
    def explain(home, out):
        raise HirescamError("no lung")

    queue, said = Queue(tmp_path, quiet_s=0.2), []
    queue.add("1.2", "1.2.1", series[0].read_bytes())
    with working(queue, explain, lambda path: None, said):
        until(lambda: any((tmp_path / "failed").iterdir()))
    (aside,) = (tmp_path / "failed").iterdir()
    until(lambda: (aside / "reason.txt").is_file())
    assert "no lung" in (aside / "reason.txt").read_text()
    assert len(list(aside.glob("*.dcm"))) == 1


def test_a_killed_listener_goes_on_where_it_was(archive, series, model, tmp_path):
    command = [
        *(sys.executable, "-m", "hirescam", "listen", "--port", "0", "--from", "SCANNER"),
        *("--send-to", f"ARCHIVE@127.0.0.1:{archive.dicom}", "--model", str(model)),
        *("--queue", str(tmp_path / "queue"), "--quiet-s", "1"),
    ]

    @contextmanager
    def running():
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as server:
            try:
                yield server, int(server.stdout.readline().split(":")[1].split(".")[0])
            finally:
                if server.poll() is None:
                    server.send_signal(signal.SIGINT)
                server.wait(60)

    with running() as (server, port):
        assert set(send(series, port)) == {0}
        until(lambda: any((tmp_path / "queue" / "explained").glob("*/sent.txt")))
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
    kept = archive.modalities()
    with running() as (server, _):
        until(lambda: list((tmp_path / "queue" / "done").iterdir()))
        server.send_signal(signal.SIGINT)
        told = server.stderr.read()
    whole = archive.modalities()
    assert sum(kept.values()) <= sum(whole.values())
    assert whole["SR"] == 1
    assert PLANTED not in told
    counts = [series["Instances"] for series in archive.get("/series?expand")]
    assert all(len(set(instances)) == len(instances) for instances in counts)


@pytest.mark.parametrize("text", ["ARCHIVE", "A@b", "A@b:0", "A@b:99999", "A B C@h:1", "@h:1"])
def test_an_address_of_an_archive_is_taken_apart_or_refused(text):
    with pytest.raises(HirescamError, match="AET@host:port"):
        read_peer(text)
    assert read_peer("ARCHIVE@10.0.0.1:104") == Peer("ARCHIVE", "10.0.0.1", 104)


def test_an_archive_with_another_title_refuses_in_one_sentence(archive, series):
    with pytest.raises(WriteError, match="WRONG at 127"):
        send_file(series[0], Peer("WRONG", "127.0.0.1", archive.dicom), title="HIRESCAM")
