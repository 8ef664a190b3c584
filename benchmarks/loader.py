"""Loader: from a scan's file to the network's input, by format, beside the published loader.

Simulated chests at 0.8 mm, and a real one where $HIRESCAM_DATA or ../shared/data has it. All
formats take turns in one run on the same disk, one thread, files in the page cache: what is
compared is the work. The published loader, restated: a compressed npz of the whole scan in
int16, decompressed, centre-cropped to 405×420×420, slices grouped in threes, clipped to -1000
and 800 HU in float32, scaled and shifted (Draelos and Carin, arXiv:2011.08891).

    python benchmarks/loader.py [ROUNDS]
    python benchmarks/loader.py flat [READS]     memory over many reads
"""

import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter

import blosc2
import numpy as np
import torch
from measure import hardware, in_turn, ratios, resident_mib, table

import hirescam
from hirescam.ct.packed import read_packed, write_packed
from hirescam.ct.preparation import Preparation, place, windowed
from hirescam.training.datasets.cases import Case
from hirescam.training.loader import PreparedScans, loading
from hirescam.training.prepared import Files, Grid
from hirescam.training.sampler import FlipRotation, SamplerItem

PREPARATION = Preparation()
PUBLISHED = "published loader (npz)"
REAL = "ct/fuzun"
LOW, HIGH = PREPARATION.window_hu


def main(rounds):
    torch.set_num_threads(1)
    print(
        f"\n## From a file to the network's input\n\n{hardware()}; one thread, {rounds} rounds"
    )
    chest = hirescam.simulate(17, spacing_mm=(0.8, 0.8, 0.8)).volume
    placed = place(chest, PREPARATION).voxels
    with tempfile.TemporaryDirectory() as folder:
        print(f"\nSimulated chest, {_size(chest.voxels)}; on the grid {_size(placed)}\n")
        formats(Path(folder), placed, rounds, chest.voxels)
        loaders(Path(folder), placed, rounds)
    data = Path(os.environ.get("HIRESCAM_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (data / REAL).exists():
        print(f"\nNo real scan: {REAL} is not in {data}; set $HIRESCAM_DATA.")
        return
    real = hirescam.read_volume(data / REAL)
    placed = place(real, PREPARATION.model_copy(update={"shape": (78, 420, 420)})).voxels
    with tempfile.TemporaryDirectory() as folder:
        print(f"\nReal scan {REAL}, {_size(real.voxels)}; on the grid {_size(placed)}\n")
        formats(Path(folder), placed, 3 * rounds, real.voxels)


def formats(folder, placed, rounds, whole):
    """Each format: size, time to write, time to int16 in memory, time of one slice in ten."""
    into = np.zeros_like(placed)
    np.savez_compressed(folder / "whole.npz", ct=whole)
    readers, some, rows = {}, {}, []
    for name, (write, read) in FORMATS.items():
        path = folder / name.replace(" ", "-").replace(",", "")
        began = perf_counter()
        write(path, placed)
        wrote = perf_counter() - began
        np.testing.assert_array_equal(read(path, slice(None), into), _kept(name, placed))
        readers[name] = partial(read, path, slice(None), into)
        some[name] = partial(read, path, slice(None, None, 10), into[::10])
        rows.append((name, _bytes(path) / 1e6, wrote))
    readers[PUBLISHED] = partial(decompressed, folder / "whole.npz")
    seconds = in_turn(readers, rounds=rounds)
    partly = in_turn(some, rounds=rounds)
    faster = ratios(seconds, PUBLISHED)
    copying = min(in_turn({"copy": lambda: np.copyto(into, placed)}, rounds=9)["copy"])
    table(
        (
            "format",
            "MB",
            "write s",
            "read ms",
            "a tenth ms",
            "× published npz",
            "of copy speed",
        ),
        [
            (
                name,
                f"{size:.1f}",
                f"{wrote:.2f}",
                f"{1e3 * min(seconds[name]):.0f}",
                f"{1e3 * min(partly[name]):.0f}",
                f"{faster[name]:.1f}×",
                f"{copying / min(seconds[name]):.0%}",
            )
            for name, size, wrote in rows
        ],
    )
    print(
        f"\n{PUBLISHED}, decompressing alone: {1e3 * min(seconds[PUBLISHED]):.0f} ms, "
        f"{_bytes(folder / 'whole.npz') / 1e6:.1f} MB; copying int16 in memory "
        f"{1e3 * copying:.0f} ms ({placed.nbytes / copying / 1e9:.1f} GB/s). uint8 loses "
        f"{(HIGH - LOW) / 255 / 2:.1f} HU at most, the others nothing."
    )


def loaders(folder, placed, rounds):
    """The whole way to the float32 input, and how near it comes to memory bandwidth."""
    path, npz = folder / "scan.b2nd", folder / "whole.npz"
    write_packed(placed, path)
    sampler_items = [SamplerItem(0)] * 8
    x = torch.zeros(PREPARATION.input_shape)
    voxels = np.zeros_like(placed)

    def one():
        windowed(torch.from_numpy(read_packed(path, out=voxels)), PREPARATION, out=x)

    ways = {
        PUBLISHED: lambda: published(npz),
        "ours, one by one": one,
        "its reading alone": lambda: read_packed(path, out=voxels),
        "its transform alone": lambda: windowed(torch.from_numpy(voxels), PREPARATION, out=x),
    }
    seconds = in_turn(ways, rounds=rounds)
    for threads in (1, 2):
        scans = few_scans(path)
        began = perf_counter()
        with loading(
            scans, sampler_items * rounds, device=x.device, threads=threads
        ) as samples:
            count = sum(1 for _ in samples)
        name = f"ours, loader with {threads} thread{'s'[: threads > 1]} ahead"
        seconds[name] = [(perf_counter() - began) / count] * rounds
    faster = ratios(seconds, PUBLISHED)
    moved = path.stat().st_size + 2 * placed.nbytes + 4 * placed.size
    other = torch.ones_like(x)
    copying = min(in_turn({"copy": lambda: x.copy_(other)}, rounds=5)["copy"])
    bandwidth = 2 * x.nbytes / copying  # it is read and written
    print(f"\n## To the 135×3×420×420 float32 input; memory moves {bandwidth / 1e9:.1f} GB/s\n")
    table(
        ("way", "s per scan", "scans/s", "× published", "of the bandwidth limit"),
        [
            (
                name,
                f"{min(each):.3f}",
                f"{1 / min(each):.1f}",
                f"{faster[name]:.1f}×",
                f"{moved / bandwidth / min(each):.0%}" if name.startswith("ours") else "",
            )
            for name, each in seconds.items()
        ],
    )


def flat(reads):
    """Memory of the loader after so many reads, against that after a hundred."""
    preparation = Preparation(shape=(45, 140, 140))
    voxels = np.random.default_rng(0).normal(-500, 300, preparation.shape).astype(np.int16)
    turns = [FlipRotation(), FlipRotation(-1, 1), FlipRotation(-3, 2)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scan.b2nd"
        write_packed(voxels, path)
        sampler_items = (SamplerItem(0, turns[n % len(turns)]) for n in range(reads))
        rows, began = [], perf_counter()
        scans = few_scans(path, preparation)
        with loading(scans, sampler_items, device=torch.device("cpu"), threads=2) as samples:
            for number, _ in enumerate(samples, start=1):
                if number == 100 or number % (reads // 4) == 0:
                    rate = number / (perf_counter() - began)
                    rows.append((number, f"{resident_mib():.1f}", f"{rate:.0f}"))
    print(f"\n## Memory over {reads} reads of {_size(voxels)}\n\n{hardware()}\n")
    table(("reads", "resident MiB", "scans/s"), rows)


def few_scans(path, preparation=PREPARATION):
    case = Case("one", path, np.zeros(1, np.float32), np.zeros((1, 3), bool))
    grid = Grid(preparation, cells=None)
    return PreparedScans((case,), (Files(path, None),), grid, {"lung_nodule": ("right_lung",)})


def decompressed(path):
    """The first step of the published loader."""
    with np.load(path) as file:
        return file["ct"]


def published(path):
    """From the compressed whole scan to the network's input, as the published code does."""
    ct = decompressed(path)
    shapes = list(zip(PREPARATION.shape, ct.shape, strict=True))
    short = [max(wanted - had, 0) for wanted, had in shapes]
    if any(short):
        ends = [(each // 2, each - each // 2) for each in short]
        ct = np.pad(ct, ends, constant_values=ct.min())
    starts = [max(had - wanted, 0) // 2 for wanted, had in shapes]
    ct = ct[tuple(slice(at, at + n) for at, n in zip(starts, PREPARATION.shape, strict=True))]
    x = torch.from_numpy(ct.reshape(PREPARATION.input_shape)).float()
    x = (x.clamp(LOW, HIGH) - LOW) / (HIGH - LOW)
    return x - PREPARATION.mean


def write_blosc2(codec, shuffle, level):
    def write(path, voxels):
        plane = (1, *voxels.shape[1:])
        settings = blosc2.CParams(
            codec=codec, clevel=level, filters=[shuffle], typesize=2, nthreads=1
        )
        blosc2.asarray(
            voxels, chunks=plane, blocks=plane, cparams=settings, urlpath=str(path), mode="w"
        )

    return write


def read_blosc2(path, slices, into):
    array = blosc2.open(path, mode="r", mmap_mode="r")
    chunks, alone = array.schunk, blosc2.DParams(nthreads=1)
    for plane, index in zip(into, range(len(array))[slices], strict=True):
        blosc2.decompress2(chunks.get_chunk(index), dst=plane, dparams=alone)
    return into


def write_zarr(path, voxels):
    import zarr
    from zarr.codecs import BloscCodec

    zarr.config.set({"threading.max_workers": 1, "async.concurrency": 1})
    array = zarr.create_array(
        store=path,
        shape=voxels.shape,
        dtype=voxels.dtype,
        chunks=(15, *voxels.shape[1:]),
        compressors=BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle"),
    )
    array[:] = voxels


def read_zarr(path, slices, into):
    import zarr

    into[:] = zarr.open_array(path, mode="r")[slices]
    return into


def read_mapped(path, slices, into):
    np.copyto(into, np.load(f"{path}.npy", mmap_mode="r")[slices])
    return into


def write_bytes(path, voxels):
    steps = np.rint((np.clip(voxels, LOW, HIGH) - LOW) * (255 / (HIGH - LOW)))
    np.save(f"{path}.npy", steps.astype(np.uint8))


def read_bytes(path, slices, into):
    steps = np.load(f"{path}.npy", mmap_mode="r")[slices]
    np.copyto(into, HU_OF_BYTE[steps])
    return into


HU_OF_BYTE = np.rint(LOW + np.arange(256) * (HIGH - LOW) / 255).astype(np.int16)


def read_npz(path, slices, into):
    with np.load(f"{path}.npz") as file:
        np.copyto(into, file["ct"][slices])
    return into


BIT, BYTE = blosc2.Filter.BITSHUFFLE, blosc2.Filter.SHUFFLE
FORMATS = {
    "ours: LZ4, bits, CRC-32": (
        lambda path, voxels: write_packed(voxels, path),
        lambda path, slices, into: read_packed(path, slices=slices, out=_whole(into)),
    ),
    "Blosc2 LZ4, bits": (write_blosc2(blosc2.Codec.LZ4, BIT, 5), read_blosc2),
    "Blosc2 LZ4, bytes": (write_blosc2(blosc2.Codec.LZ4, BYTE, 5), read_blosc2),
    "Blosc2 zstd 1, bits": (write_blosc2(blosc2.Codec.ZSTD, BIT, 1), read_blosc2),
    "Blosc2 zstd 5, bits": (write_blosc2(blosc2.Codec.ZSTD, BIT, 5), read_blosc2),
    "Zarr 3 Blosc LZ4, bits": (write_zarr, read_zarr),
    "int16 memory map": (lambda path, voxels: np.save(f"{path}.npy", voxels), read_mapped),
    "uint8 memory map": (write_bytes, read_bytes),
    "npz": (
        lambda path, voxels: np.savez_compressed(f"{path}.npz", ct=voxels),
        read_npz,
    ),
}


def _whole(into):
    """Contiguous memory of the same shape: every tenth slice of a larger array is not."""
    return into if into.flags.c_contiguous else np.empty_like(into)


def _kept(name, placed):
    """What a format gives back: bytes have lost something."""
    if "uint8" not in name:
        return placed
    steps = np.rint((np.clip(placed, LOW, HIGH) - LOW) * (255 / (HIGH - LOW)))
    return HU_OF_BYTE[steps.astype(np.uint8)]


def _bytes(path):
    named = [path, Path(f"{path}.npy"), Path(f"{path}.npz")]
    found = next(each for each in named if each.exists())
    parts = found.rglob("*") if found.is_dir() else [found]
    return sum(part.stat().st_size for part in parts if part.is_file())


def _size(voxels):
    return f"{'×'.join(map(str, voxels.shape))} {voxels.dtype}, {voxels.nbytes / 1e6:.0f} MB"


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["flat", *reads]:
            flat(int(*reads or ["10000"]))
        case rounds:
            main(int(*rounds or ["5"]))
