"""Sandbox: the same scan, or a sentence that names the limit that was met."""

import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from hirescam.ct.reading import read_volume
from hirescam.ct.sandbox import read_volume_sandboxed
from hirescam.errors import GeometryError, ReadError
from make import volume
from make_dicom import moving, write_series


def test_the_same_scan_comes_back_with_its_repairs(tmp_path):
    change = moving(lambda i: (0, 0.8 * i, 0))
    write_series(tmp_path / "scan", volume((7, 6, 5), spacing=(3, 2, 1)), change=change)
    here = read_volume(tmp_path / "scan", on_bad_geometry="repair")
    there = read_volume_sandboxed(tmp_path / "scan", on_bad_geometry="repair")
    assert np.array_equal(here.voxels, there.voxels)
    assert here.voxels.dtype == there.voxels.dtype
    assert np.array_equal(here.affine, there.affine)
    assert here.repairs == there.repairs != ()
    with pytest.raises(GeometryError, match=r"scan: .* gantry tilt"):
        read_volume_sandboxed(tmp_path / "scan")


def test_more_memory_than_allowed_is_refused(tmp_path):
    image = nib.Nifti1Image(np.zeros((500, 500, 400), np.int16), np.eye(4))
    nib.save(image, tmp_path / "large.nii")
    with pytest.raises(ReadError, match=r"large.nii: asks for more memory"):
        read_volume_sandboxed(tmp_path / "large.nii", memory_bytes=100 << 20)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_reading_that_never_ends_is_ended(tmp_path):
    os.mkfifo(tmp_path / "scan.nii")  # whoever opens it waits for a writer
    start = time.monotonic()
    with pytest.raises(ReadError, match=r"scan.nii: was not read within 1 s"):
        read_volume_sandboxed(tmp_path / "scan.nii", seconds=1.0)
    assert time.monotonic() - start < 5


def test_a_process_that_dies_is_told_apart(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))  # an interpreter that cannot start
    write_series(tmp_path / "scan", volume((4, 6, 5)))
    with pytest.raises(ReadError, match=r"scan: decoding it ended the process"):
        read_volume_sandboxed(tmp_path / "scan")


linux = pytest.mark.skipif(sys.platform != "linux", reason="confined by Linux's own means")

ASKS = """
import sys
from hirescam.ct.sandbox import read_volume_sandboxed
print("begins", flush=True)
read_volume_sandboxed(sys.argv[1], seconds=60)
"""


def sandboxes():
    """Processes that decode a scan, by their number."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"hirescam.ct.sandbox" in (folder / "cmdline").read_bytes().split(b"\0"):
                yield int(folder.name)
        except OSError:
            continue


@linux
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_the_process_dies_with_its_parent_and_leaves_nothing(tmp_path, how):
    large = np.zeros((400, 512, 512), np.int16)
    nib.save(nib.Nifti1Image(large, np.eye(4)), tmp_path / "large.nii.gz")
    before, temporary = set(sandboxes()), set(Path(tempfile.gettempdir()).glob("hirescam-*"))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", ASKS, tmp_path / "large.nii.gz"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as parent:
        parent.stdout.readline()
        while not (children := set(sandboxes()) - before):
            time.sleep(0.01)
        time.sleep(0.5)
        parent.send_signal(how)
    end = time.monotonic() + 10
    while children & set(sandboxes()) and time.monotonic() < end:
        time.sleep(0.05)
    assert not children & set(sandboxes())
    assert set(Path(tempfile.gettempdir()).glob("hirescam-*")) == temporary


CONFINED = """
import os, sys, socket, subprocess
from pathlib import Path
from hirescam.ct.sandbox import confine
held = open(sys.argv[1] + "/held", "wb")
confine(seconds=2, memory_bytes=1 << 30, parent=os.getppid())
{}
"""


def confined(tmp_path, code):
    """What became of `code` once confined; its standard input stays open, as in the sandbox."""
    child = subprocess.Popen(
        [sys.executable, "-c", CONFINED.format(code), tmp_path],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        said = child.stderr.read()
        return child.wait(60), said


@linux
@pytest.mark.parametrize(
    "code",
    [
        "Path(sys.argv[1], 'new').write_text('x')",
        "Path(sys.argv[1], 'held').unlink()",
        "Path(sys.argv[1], 'held').write_text('x')",
        "Path(sys.argv[1], 'held').rename(sys.argv[1] + '/other')",
        "os.mkdir(sys.argv[1] + '/folder')",
        "socket.socket()",
        "socket.socketpair()",
        "os.execv('/bin/true', ['true'])",
        "subprocess.run(['true'])",
    ],
)
def test_what_decoding_does_not_need_is_refused_by_the_kernel(tmp_path, code):
    status, said = confined(tmp_path, code)
    if status == 0:
        pytest.skip(f"the kernel of this machine allows it: {platform.release()}")
    assert "PermissionError" in said
    assert [path.name for path in tmp_path.iterdir()] == ["held"]


@linux
def test_reading_and_the_file_that_is_open_already_go_on(tmp_path):
    code = "held.write(Path('/proc/self/stat').read_bytes()); held.close()"
    assert confined(tmp_path, code) == (0, "")
    assert (tmp_path / "held").read_bytes()


@linux
def test_a_loop_without_end_is_ended_by_the_limit_of_processor_time(tmp_path):
    status, _ = confined(tmp_path, "while True: pass")
    assert status == -signal.SIGXCPU
