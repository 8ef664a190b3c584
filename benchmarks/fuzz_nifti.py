"""Damaged NIfTI files, and what reading them does: only our own errors, soon, in little memory.

    python benchmarks/fuzz_nifti.py [files] [first seed]

Each file is a small sound one that its seed damages: header fields set to extremes or noise,
bits flipped, parts cut out, doubled or overwritten, before or after packing. It must be read as
a volume, or end in a `ReadError` of one line that repeats nothing of the header's text, within
5 s and 1 GiB. What does not is told by its seed, and the exit code is then 1.
"""

import gzip
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from measure import growth_mib, hardware, table

from hirescam.ct.reading import read_volume
from hirescam.ct.volume import Volume
from hirescam.errors import ReadError

PLANTED = "PLANTED"
MOST_SECONDS, MOST_MIB = 5.0, 1024.0
_TOGETHER = 20  # files between two looks at memory
_EXTREMES = (0, 1, -1, 127, 255, 32767, -32768, 2**31 - 1, -(2**31), 1e-30, 1e30)
_HEADERS = {348: nib.Nifti1Header, 540: nib.Nifti2Header}

Damage = Callable[[bytes, np.random.Generator], bytes]


@dataclass(frozen=True)
class Outcome:
    """What reading one file came to; `fault` is what must not happen."""

    kind: str
    seconds: float
    fault: str


def sound(random: np.random.Generator) -> bytes:
    """A small image of either standard, some type and place, a patient in its free text."""
    kind = random.choice([nib.Nifti1Image, nib.Nifti2Image])
    dtype = random.choice(["<i2", "<u2", "<i4", "<f4", ">i2", "<f8"])
    voxels = random.integers(0, 2000, (12, 10, 8)).astype(dtype)
    affine = np.diag([-0.8, -0.7, 2.5, 1.0])
    affine[:3, 3] = random.uniform(-300, 300, 3)
    image = kind(voxels, affine, dtype=voxels.dtype)
    image.set_qform(affine, code=int(random.integers(0, 2)))
    image.header["descrip"] = PLANTED.encode()
    if random.random() < 0.5:
        image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", PLANTED.encode()))
    return image.to_bytes()


def field(content: bytes, random: np.random.Generator) -> bytes:
    """One number of the header becomes an extreme, or noise."""
    size = int.from_bytes(content[:4], "little")
    if size not in _HEADERS or len(content) < size:
        return content
    damaged = bytearray(content)
    header = np.frombuffer(damaged, _HEADERS[size].template_dtype, count=1)
    name = str(random.choice(header.dtype.names))
    cell = header[name].reshape(-1)[:1] if header[name].ndim == 1 else header[name][0, :]
    where = int(random.integers(len(cell)))
    if cell.dtype.kind in "if" and random.random() < 0.8:
        with np.errstate(over="ignore", invalid="ignore"):
            extremes = [*_EXTREMES, *((np.nan, np.inf) if cell.dtype.kind == "f" else ())]
            cell[where] = np.array(extremes[random.integers(len(extremes))]).astype(cell.dtype)
    else:
        cell[where] = np.frombuffer(random.bytes(cell.itemsize), cell.dtype)[0]
    return bytes(damaged)


def bits(content: bytes, random: np.random.Generator) -> bytes:
    """Some bits flip, most of them where the header is."""
    damaged = bytearray(content)
    for _ in range(random.integers(1, 9)):
        reach = len(damaged) if random.random() < 0.5 else min(len(damaged), 352)
        if reach:
            damaged[random.integers(reach)] ^= 1 << random.integers(8)
    return bytes(damaged)


def cut(content: bytes, random: np.random.Generator) -> bytes:
    """The end is missing."""
    return content[: random.integers(len(content) + 1)]


def spliced(content: bytes, random: np.random.Generator) -> bytes:
    """A part is left out, doubled or replaced by noise."""
    start, stop = sorted(random.integers(len(content) + 1, size=2))
    part = (b"", content[start:stop] * 2, random.bytes(stop - start))[random.integers(3)]
    return content[:start] + part + content[stop:]


def longer(content: bytes, random: np.random.Generator) -> bytes:
    """Something follows the end."""
    return content + random.bytes(random.integers(1, 2000))


DAMAGES: tuple[Damage, ...] = (field, field, field, bits, cut, spliced, longer)  # as often


def damaged(seed: int) -> tuple[str, bytes]:
    """Name and content of the file that belongs to `seed`."""
    random = np.random.default_rng(seed)
    content = sound(random)
    packed = random.random() < 0.5
    late = packed and random.random() < 0.3
    chosen = [DAMAGES[random.integers(len(DAMAGES))] for _ in range(random.integers(1, 4))]
    for damage in [] if late else chosen:
        content = damage(content, random)
    if packed:
        content = gzip.compress(content, mtime=0)
    for damage in chosen if late else []:
        content = damage(content, random)
    return f"scan{seed}.nii{'.gz' if packed else ''}", content


def outcome(seed: int, folder: Path) -> Outcome:
    """Read the file that belongs to `seed`, and judge what comes of it."""
    name, content = damaged(seed)
    path = folder / name
    path.write_bytes(content)
    start = time.perf_counter()
    try:
        came: Volume | Exception = read_volume(path)
    except Exception as error:
        came = error
    seconds = time.perf_counter() - start
    path.unlink()
    if isinstance(came, Volume):
        return Outcome(_change(seed, came, folder / "sound.nii"), seconds, _slow(seconds))
    return Outcome(type(came).__name__, seconds, _fault(name, came) or _slow(seconds))


def _change(seed: int, volume: Volume, path: Path) -> str:
    path.write_bytes(sound(np.random.default_rng(seed)))
    before = read_volume(path)
    same_values = np.array_equal(before.voxels, volume.voxels)
    same_place = np.allclose(before.affine, volume.affine)
    return {
        (True, True): "read, unchanged",
        (True, False): "read, elsewhere",
        (False, True): "read, other values",
        (False, False): "read, otherwise",
    }[same_values, same_place]


def _slow(seconds: float) -> str:
    return f"took {seconds:.1f} s" if seconds > MOST_SECONDS else ""


def _fault(name: str, error: Exception) -> str:
    said = str(error)
    faults = (
        (not isinstance(error, ReadError), f"is {type(error).__name__}: {said}"),
        ("\n" in said or not said.startswith(f"{name}: "), f"is unclear: {said}"),
        (PLANTED in said, f"betrays the patient: {said}"),
    )
    return "; ".join(fault for found, fault in faults if found)


def main(files: int, first: int) -> int:
    """Read them all, print what came of them, return how many were at fault."""
    outcomes: dict[int, Outcome] = {}
    mib: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for start in range(first, first + files, _TOGETHER):
            seeds = range(start, min(start + _TOGETHER, first + files))
            mib[start] = growth_mib(
                lambda seeds=seeds: outcomes.update(
                    {seed: outcome(seed, Path(folder)) for seed in seeds}
                )
            )
    print(f"{files} damaged NIfTI files, seeds {first} to {first + files - 1}; {hardware()}\n")
    table(("outcome", "files"), Counter(it.kind for it in outcomes.values()).most_common())
    longest = max(it.seconds for it in outcomes.values())
    print(
        f"\nlongest {longest:.2f} s, largest growth over {_TOGETHER} files "
        f"{max(mib.values()):.1f} MiB"
    )
    faults = {seed: it.fault for seed, it in outcomes.items() if it.fault}
    faults |= {
        seed: f"and those after it took {grown:.0f} MiB"
        for seed, grown in mib.items()
        if grown > MOST_MIB
    }
    for seed, fault in faults.items():
        print(f"seed {seed} {fault}")
    print(f"{len(faults)} at fault")
    return len(faults)


if __name__ == "__main__":
    files, first = [int(argument) for argument in sys.argv[1:]] + [2000, 0][len(sys.argv) - 1 :]
    sys.exit(bool(main(files, first)))
