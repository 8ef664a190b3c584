"""How long a DICOM series takes to open: ours beside bare loops of pydicom and SimpleITK.

The bare loop is `dcmread(file).pixel_array` of each file and nothing else: no order, no place,
no Hounsfield units. Ours does all of that, and every check. Needs research data that is not
part of this repository: name its folder in $HIRESCAM_DATA.

    python benchmarks/dicom.py [slices of the long series, 400 by default]
"""

import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from measure import growth_mib, hardware, in_turn, ratios, table
from pydicom import dcmread
from pydicom.uid import JPEGLSLossless, RLELossless

import hirescam

ROUNDS = 5


def bare(folder: Path) -> np.ndarray:
    return np.stack([dcmread(file).pixel_array for file in sorted(folder.iterdir())])


def simpleitk(folder: Path) -> np.ndarray:
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    return sitk.GetArrayFromImage(sitk.ReadImage(names))


READERS = {"pydicom, bare": bare, "SimpleITK": simpleitk, "hirescam": hirescam.read_volume}


def repeated(series: Path, folder: Path, slices: int) -> Path:
    """A longer series of the same slices, 1 mm apart."""
    folder.mkdir()
    files = sorted(series.iterdir())
    for index in range(slices):
        header = dcmread(files[index % len(files)])
        header.ImagePositionPatient = [*header.ImagePositionPatient[:2], float(index)]
        header.InstanceNumber = index
        header.save_as(folder / f"{index:04}.dcm")
    return folder


def compressed(series: Path, folder: Path, syntax: str) -> Path:
    folder.mkdir()
    for file in series.iterdir():
        header = dcmread(file)
        header.compress(syntax)
        header.save_as(folder / file.name)
    return folder


def all_series(data: Path, folder: Path, slices: int) -> Iterator[tuple[str, Path]]:
    native = data / "ct/fuzun"
    yield "uncompressed", native
    yield "uncompressed, repeated", repeated(native, folder / "long", slices)
    yield "JPEG-LS", compressed(native, folder / "jpegls", JPEGLSLossless)
    yield "run lengths", compressed(native, folder / "rle", RLELossless)
    yield "JPEG 2000", data / "ct/abdomen/dicom"


def measured(name: str, series: Path) -> tuple[object, ...]:
    seconds = in_turn(
        {reader: partial(read, series) for reader, read in READERS.items()}, rounds=ROUNDS
    )
    times = [f"{1000 * statistics.median(seconds[reader]):.0f} ms" for reader in READERS]
    slower = {reader: 1 / ratio for reader, ratio in ratios(seconds, "pydicom, bare").items()}
    shape = " × ".join(map(str, hirescam.read_volume(series).shape))
    growth = growth_mib(partial(hirescam.read_volume, series))
    return name, shape, *times, f"{slower['hirescam']:.2f}", f"{growth:.0f} MiB"


def main(slices: int) -> None:
    data = Path(os.environ.get("HIRESCAM_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (data / "ct/fuzun").is_dir():
        raise SystemExit("no real series here: name the folder of the data in $HIRESCAM_DATA")
    print(f"\n## Opening a DICOM series, median of {ROUNDS} rounds\n\n{hardware()}\n")
    with tempfile.TemporaryDirectory() as folder:
        found = all_series(data, Path(folder), slices)
        rows = [measured(name, series) for name, series in found]
    table(("pixels", "slices", *READERS, "hirescam / bare", "its memory"), rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
