"""Read mutated DICOM: only our own errors, no reading over 5 s, no growth over 1 GiB.

Small series in every transfer syntax are written, then bytes and header values are changed at
random; each case has a seed, by which it can be run again. Cases run in processes of their own,
so that a decoder that crashes is counted and the rest goes on.

    python benchmarks/fuzz_dicom.py --cases 10000
    python benchmarks/fuzz_dicom.py --first 1234 --cases 1
"""

import argparse
import collections
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from hirescam.ct.reading import read_volume
from hirescam.errors import HirescamError
from make import volume
from make_dicom import write_enhanced, write_series

MOST_SECONDS, MOST_MIB = 5.0, 1024.0
CASES_EACH = 500
SCAN = volume((4, 24, 20), spacing=(3, 2, 1))
EXTREMES = ("", "0", "-1", "nan", "inf", "1e308", "1e-308", "65535", "4294967295", "x" * 200)
KEYWORDS = (
    "Rows Columns NumberOfFrames BitsAllocated BitsStored HighBit PixelRepresentation "
    "SamplesPerPixel PixelSpacing ImagePositionPatient ImageOrientationPatient RescaleSlope "
    "RescaleIntercept RescaleType SliceThickness PixelPaddingValue PixelPaddingRangeLimit "
    "Modality ImageType SeriesInstanceUID SOPClassUID AcquisitionNumber InstanceNumber "
    "PhotometricInterpretation SpecificCharacterSet"
)
LENGTHS = (0, 1, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)


def rewritten(file: Path, syntax: str) -> None:
    """Write a slice again with its pixels or elements packed in another way."""
    header = dcmread(file)
    if syntax in (RLELossless, JPEGLSLossless):
        header.compress(syntax)
        header.save_as(file)
    elif syntax.startswith("JPEG"):
        by_gdcm(file, syntax)
    else:
        header.file_meta.TransferSyntaxUID = syntax
        header.save_as(file, implicit_vr=syntax == ImplicitVRLittleEndian)


def by_gdcm(file: Path, name: str) -> None:
    import gdcm

    reader, writer = gdcm.ImageReader(), gdcm.ImageWriter()
    reader.SetFileName(str(file))
    reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, name)))
    change.SetInput(reader.GetImage())
    change.Change()
    writer.SetFileName(str(file))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.Write()
    header = dcmread(file)
    header.RescaleType = "HU"
    header.save_as(file)


SYNTAXES = (
    None,
    ImplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEGLSLossless,
    "JPEGLosslessProcess14_1",
    "JPEG2000Lossless",
)


def write_bases(folder: Path) -> list[list[bytes]]:
    """Sound series, as the bytes of their files."""
    bases = []
    for number, syntax in enumerate(SYNTAXES):
        files = write_series(folder / str(number), SCAN)
        for file in files if syntax else ():
            rewritten(file, syntax)
        bases.append([file.read_bytes() for file in files])
    for change in (lambda header: None, lambda header: header.compress(RLELossless)):
        bases.append([write_enhanced(folder / "enhanced", SCAN, change=change).read_bytes()])
    return bases


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Other bytes, most of them in the header."""
    return chance.choice([flipped, cut, repeated, lengthened, revalued, revalued])(data, chance)


def place(data: bytes, chance: random.Random) -> int:
    end = len(data) if chance.random() < 0.5 else min(len(data), 1200)
    return chance.randrange(min(128, end - 1), end)


def flipped(data: bytes, chance: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(chance.choice([1, 2, 5, 30])):
        out[place(data, chance)] = chance.randrange(256)
    return bytes(out)


def cut(data: bytes, chance: random.Random) -> bytes:
    return data[: place(data, chance)]


def repeated(data: bytes, chance: random.Random) -> bytes:
    begin, end = sorted(place(data, chance) for _ in range(2))
    times = chance.choice([0, 2, 50, 1000])
    return data[:begin] + data[begin:end][:5000] * times + data[end:]


def lengthened(data: bytes, chance: random.Random) -> bytes:
    at = place(data, chance)
    length = chance.choice(
        [0, 1, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF, chance.randrange(1 << 24)]
    )
    return data[:at] + struct.pack(chance.choice("<>") + "I", length) + data[at + 4 :]


def revalued(data: bytes, chance: random.Random) -> bytes:
    """One header value made extreme, the file still sound as a file."""
    try:
        header = dcmread(BytesIO(data))
        holder = chance.choice([header, *inner(header)])
        keyword, value = chance.choice(KEYWORDS.split()), chance.choice(EXTREMES)
        if chance.random() < 0.2 and keyword in holder:
            del holder[keyword]
        elif isinstance(holder.get(keyword), int):
            setattr(holder, keyword, chance.choice([0, 1, 7, 255, 32767, 65535]))
        else:
            holder.add_new(keyword, "LO", [value] * chance.choice([1, 1, 2, 3, 6]))
        out = BytesIO()
        header.save_as(out)
        return out.getvalue()
    except Exception:  # pydicom does not read or write everything: mutate bytes instead
        return flipped(data, chance)


def inner(header: Dataset) -> list[Dataset]:
    groups = header.get("PerFrameFunctionalGroupsSequence") or []
    return [element[0] for group in groups for element in (it.value for it in group)]


def read_case(seed: int, bases: list[list[bytes]], folder: Path) -> str:
    """Write and read one case; what became of it."""
    chance = random.Random(seed)
    files = list(chance.choice(bases))
    for _ in range(chance.choice([1, 1, 2, len(files)])):
        index = chance.randrange(len(files))
        files[index] = mutated(files[index], chance)
    path = folder / "case.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for index, data in enumerate(files):
            archive.writestr(f"{index}.dcm", data)
    if chance.random() < 0.7:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder / "case")
        path = folder / "case"
    elif chance.random() < 0.3:
        path.write_bytes(flipped(path.read_bytes(), chance))
    options = {
        "on_bad_geometry": chance.choice(["error", "repair"]),
        "assume_hu": chance.random() < 0.5,
    }
    start = time.perf_counter()
    try:
        scan = read_volume(path, **options)
        outcome = "repaired" if scan.repairs else "read"
    except HirescamError as error:
        outcome = type(error).__name__
    except Exception:
        print(traceback.format_exc(), file=sys.stderr)
        outcome = "FOREIGN ERROR"
    return "TOO SLOW" if time.perf_counter() - start > MOST_SECONDS else outcome


def work(first: int, cases: int) -> None:
    """Run cases in this process, one line each: seed, outcome, peak of memory."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as root:
        bases = write_bases(Path(root))
        for seed in range(first, first + cases):
            with tempfile.TemporaryDirectory(dir=root) as folder:
                outcome = read_case(seed, bases, Path(folder))
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(seed, f"{peak:.0f}", outcome, sep="\t", flush=True)


def main(first: int, cases: int) -> int:
    outcomes: collections.Counter[str] = collections.Counter()
    bad, growth, seed = [], 0.0, first
    while seed < first + cases:
        count = min(CASES_EACH, first + cases - seed)
        command = [sys.executable, __file__, "--worker", "--first", str(seed)]
        done = subprocess.run(
            [*command, "--cases", str(count)], stdout=subprocess.PIPE, text=True, check=False
        )
        lines = [line.split("\t") for line in done.stdout.splitlines()]
        peaks = [float(peak) for _, peak, _ in lines]
        growth = max(growth, max(peaks, default=0.0) - min(peaks, default=0.0))
        outcomes.update(outcome for *_, outcome in lines)
        bad += [f"{number}: {outcome}" for number, _, outcome in lines if outcome.isupper()]
        seed += len(lines)
        if done.returncode:
            outcomes["CRASH"] += 1
            bad.append(f"{seed}: CRASH ({done.returncode})")
            seed += 1
    print(f"{cases} cases from seed {first}: {dict(outcomes.most_common())}")
    print(f"memory grew by up to {growth:.0f} MiB; {len(bad)} cases broke a promise: {bad}")
    return int(bool(bad) or growth > MOST_MIB)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0, help="seed of the first case")
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker:
        work(chosen.first, chosen.cases)
    else:
        sys.exit(main(chosen.first, chosen.cases))
