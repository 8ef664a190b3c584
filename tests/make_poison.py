"""Bad scans that arrive in practice, made of a good one, and harmless ones that look so."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

from hirescam.ct.volume import Volume
from make_dicom import moving, setting, without, write_series


def _series(change):
    return lambda folder, scan: write_series(folder, scan, change=change)[0].parent


def _two_series(folder, scan):
    write_series(folder / "scan", scan)
    write_series(folder / "short", Volume(scan.voxels[5:], scan.affine))
    return folder


def _beside(name, content):
    def make(folder, scan):
        write_series(folder, scan)
        (folder / name).write_bytes(content)
        return folder

    return make


def _single_slice(folder, scan):
    return write_series(folder, Volume(scan.voxels[:1], scan.affine))[0].parent


def _nifti(folder, voxels, affine, name="scan.nii.gz"):
    folder.mkdir(parents=True)
    nib.save(nib.Nifti1Image(voxels, affine), folder / name)
    return folder / name


def _spoilt(spoil):
    def make(folder, scan):
        path = _nifti(folder, scan.voxels, scan.affine)
        path.write_bytes(spoil(path.read_bytes()))
        return path

    return make


def _flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def _picture(folder, scan):
    folder.mkdir(parents=True)
    Image.new("L", (64, 64)).save(folder / "chest.png")
    return folder / "chest.png"


def _sheared(folder, scan):
    affine = scan.affine.copy()
    affine[1, 0] += 2
    return _nifti(folder, scan.voxels, affine)


def _not_numbers(folder, scan):
    voxels = scan.voxels.astype(np.float32)
    voxels[3] = np.nan
    return _nifti(folder, voxels, scan.affine)


POISONS = {
    "three slices missing": _series(moving(lambda i: (0, 0, -24 * (i >= 12)))),
    "two acquisitions": _series(moving(lambda i: (0, 0, 8 * (i == 4)))),
    "localizer in the series": _series(
        setting(of=[2], ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    ),
    "tilted gantry": _series(moving(lambda i: (0, 2 * i, 0))),
    "uneven spacing": _series(moving(lambda i: (0, 0, -3 * max(i - 9, 0)))),
    "no rescale": _series(without("RescaleSlope", "RescaleIntercept")),
    "MONOCHROME1": _series(setting(PhotometricInterpretation="MONOCHROME1")),
    "single slice": _single_slice,
    "cut short": _spoilt(lambda content: content[: len(content) // 2]),
    "a byte flipped": _spoilt(_flipped),
    "no bytes": _spoilt(lambda content: b""),
    "a text": _spoilt(lambda content: gzip.compress(b"no scan")),
    "not numbers": _not_numbers,
    "four axes": lambda folder, scan: _nifti(
        folder, np.stack([scan.voxels] * 2, axis=-1), scan.affine
    ),
    "a sheared grid": _sheared,
    "an 8-bit picture": _picture,
    "raw values": lambda folder, scan: _nifti(
        folder, (scan.voxels + 1024).clip(0).astype(np.int16), scan.affine
    ),
    "not there": lambda folder, scan: folder / "absent.nii.gz",
}
HARMLESS = {
    "an empty file among the slices": _beside("empty.dcm", b""),
    "two series": _two_series,
    "a text beside the slices": _beside("notes.txt", b"seen"),
}


def unreadable(folder, scan):
    """A scan that its owner may not read; root may, unless it gives that right up."""
    path = _nifti(folder, scan.voxels, scan.affine)
    Path(path).chmod(0)
    return path
