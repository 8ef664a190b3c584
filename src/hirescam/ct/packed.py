"""Packed: the voxels of a scan in one compressed file, read whole or a few slices of it.

A Blosc2 array (`blosc2.open(path)[:]` reads it too) of int16 with one chunk per slice, shuffled
by bits and compressed by LZ4: chosen by `benchmarks/loader.py` among Blosc2, Zarr and memory
maps. Nothing is lost. Each chunk is checked against its CRC-32, which costs a fifth of the
reading; SHA-256 would double it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from jaxtyping import Int16

from hirescam.atomic import atomic_write
from hirescam.errors import MissingPackageError, ReadError, ShapeError

SUFFIX = ".b2nd"
_SUMS = "crc32"


def write_packed(voxels: Int16[np.ndarray, "slice row column"], path: Path) -> None:
    """Write `voxels`; the same ones always give the same bytes.

    Raises `WriteError`; the file is there whole or not at all.
    """
    blosc2 = _blosc2()
    settings = blosc2.CParams(
        codec=blosc2.Codec.LZ4,
        clevel=5,
        filters=[blosc2.Filter.BITSHUFFLE],
        typesize=voxels.itemsize,
        nthreads=1,  # several would write blocks in the order in which they are done
    )
    plane = (1, *voxels.shape[1:])
    packed = blosc2.asarray(
        np.ascontiguousarray(voxels), chunks=plane, blocks=plane, cparams=settings
    )
    chunks = packed.schunk
    chunks.vlmeta[_SUMS] = [crc32(chunks.get_chunk(index)) for index in range(len(voxels))]
    with atomic_write(path) as file:
        file.write(packed.to_cframe())


def read_packed(
    path: Path,
    *,
    slices: slice = slice(None),
    out: Int16[np.ndarray, "slice row column"] | None = None,
) -> Int16[np.ndarray, "slice row column"]:
    """Voxels that `write_packed` wrote, all or those of some `slices`, into `out` if given.

    Only what is asked for is read. Threads may read at once. Raises `ReadError` for a file that
    is missing, damaged or another's, `ShapeError` if `out` does not fit.
    """
    blosc2 = _blosc2()
    with _damage_refused(path):
        packed = blosc2.open(path, mode="r", mmap_mode="r")
        chunks, (count, *plane) = packed.schunk, packed.shape
        sums = chunks.vlmeta[_SUMS]
        if len(sums) != count or chunks.chunksize != prod(plane) * np.int16().itemsize:
            raise ValueError("its parts do not fit together")
    wanted = range(count)[slices]
    shape = (len(wanted), *plane)
    voxels = np.empty(shape, np.int16) if out is None else out
    if voxels.shape != shape or not voxels.flags.c_contiguous:
        raise ShapeError(
            f"{path.name} gives {shape} voxels, the memory for them is {voxels.shape}: give "
            f"contiguous memory of that shape"
        )
    alone = blosc2.DParams(nthreads=1)
    with _damage_refused(path):
        for into, index in zip(voxels, wanted, strict=True):
            chunk = chunks.get_chunk(index)
            if crc32(chunk) != sums[index]:
                raise ValueError(f"slice {index} is not what was written")
            blosc2.decompress2(chunk, dst=into, dparams=alone)
    return voxels


@contextmanager
def _damage_refused(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a damaged file makes Blosc2 raise errors of many kinds
        raise ReadError(
            f"{path.name} holds no packed scan ({error}): delete it, and it is prepared anew"
        ) from error


@contextmanager
def side_by_side() -> Iterator[None]:
    """Let threads unpack at once, and others run meanwhile, as long as the block lasts."""
    blosc2 = _blosc2()
    before = blosc2.set_releasegil(True)
    try:
        yield
    finally:
        blosc2.set_releasegil(before)


def _blosc2() -> Any:
    try:
        import blosc2
    except ImportError as error:
        raise MissingPackageError(
            'keeping prepared scans needs Blosc2: pip install "hirescam[train]"'
        ) from error
    return blosc2
