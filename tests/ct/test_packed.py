"""Packed scans: nothing is lost, nothing damaged is taken for a scan."""

import sys
import threading

import blosc2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hirescam.ct.packed import read_packed, side_by_side, write_packed
from hirescam.errors import MissingPackageError, ReadError, ShapeError, WriteError
from make import volume

SHAPE = (7, 30, 20)


@pytest.fixture(scope="module")
def voxels():
    return volume(SHAPE).voxels


@pytest.fixture(scope="module")
def path(voxels, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "scan.b2nd"
    write_packed(voxels, path)
    return path


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 3), SHAPE, (3, 420, 420)])
def test_every_voxel_comes_back(shape, tmp_path):
    random = np.random.default_rng(0)
    voxels = random.integers(-(2**15), 2**15, shape).astype(np.int16)
    write_packed(voxels, tmp_path / "scan.b2nd")
    np.testing.assert_array_equal(read_packed(tmp_path / "scan.b2nd"), voxels)


@given(start=st.integers(-9, 9), stop=st.integers(-9, 9), step=st.sampled_from([1, 2, -1, -3]))
def test_some_slices_are_those_of_the_whole(path, voxels, start, stop, step):
    some = slice(start, stop, step)
    np.testing.assert_array_equal(read_packed(path, slices=some), voxels[some])


def test_what_is_not_asked_for_is_not_read(path, tmp_path):
    """Damage to the last slice is no matter to whoever reads the others."""
    damaged = tmp_path / "scan.b2nd"
    packed = blosc2.open(path)
    damaged.write_bytes(_with_other_byte(path, packed.schunk.get_chunk(6)))
    read_packed(damaged, slices=slice(6))
    with pytest.raises(ReadError, match=r"slice 6 is not what was written\): delete it"):
        read_packed(damaged, slices=slice(6, 7))


def _with_other_byte(path, part):
    """The bytes of a file with one changed in the middle of a part of it."""
    content = bytearray(path.read_bytes())
    content[content.index(part) + len(part) // 2] ^= 1
    return content


def test_no_flipped_bit_and_no_missing_end_goes_unseen(path, voxels, tmp_path):
    random, content = np.random.default_rng(0), path.read_bytes()
    broken = tmp_path / "broken.b2nd"
    for at in random.integers(len(content), size=60):
        flipped = bytearray(content)
        flipped[at] ^= 1 << random.integers(8)
        for bad in (flipped, content[:at]):
            broken.write_bytes(bad)
            try:
                np.testing.assert_array_equal(read_packed(broken), voxels)
            except ReadError:
                continue
            assert len(bad) == len(content), "a file that was cut off was read"


def test_the_same_voxels_give_the_same_bytes(voxels, path, tmp_path):
    write_packed(np.asfortranarray(voxels), tmp_path / "again.b2nd")
    assert (tmp_path / "again.b2nd").read_bytes() == path.read_bytes()


def test_other_readers_of_blosc2_read_it_too(path, voxels):
    np.testing.assert_array_equal(blosc2.open(path)[:], voxels)


def test_noise_of_a_scanner_takes_less_room_than_its_voxels(tmp_path):
    hu = np.random.default_rng(0).normal(-850, 25, (4, 200, 200)).astype(np.int16)
    write_packed(hu, tmp_path / "scan.b2nd")
    assert (tmp_path / "scan.b2nd").stat().st_size < hu.nbytes / 1.8


def test_threads_read_at_once_and_the_lock_is_put_back(path, voxels):
    before = blosc2.set_releasegil(False)
    found = [np.zeros_like(voxels) for _ in range(8)]
    with side_by_side():
        readers = [
            threading.Thread(target=read_packed, args=(path,), kwargs={"out": out})
            for out in found
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    assert blosc2.set_releasegil(before) is False
    assert all(np.array_equal(out, voxels) for out in found)


def test_memory_that_does_not_fit_is_refused(path):
    with pytest.raises(ShapeError, match=r"gives \(7, 30, 20\) voxels"):
        read_packed(path, out=np.empty((7, 30, 21), np.int16))


def test_files_of_others_are_refused(tmp_path, voxels):
    blosc2.asarray(voxels, urlpath=str(tmp_path / "other.b2nd"))
    (tmp_path / "text.b2nd").write_text("no scan")
    for name in ("other.b2nd", "text.b2nd", "missing.b2nd"):
        with pytest.raises(ReadError, match=f"{name} holds no packed scan"):
            read_packed(tmp_path / name)


def test_a_disk_that_refuses_leaves_nothing(voxels, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WriteError):
        write_packed(voxels, tmp_path / "file" / "scan.b2nd")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_without_blosc2_the_cure_is_named(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "blosc2", None)
    with pytest.raises(MissingPackageError, match=r'pip install "hirescam\[train\]"'):
        read_packed(path)
