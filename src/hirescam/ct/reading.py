"""read_volume: a path becomes a volume; its format is picked once, from a table of readers."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Literal

import numpy as np

from hirescam.ct.formats import DICOM_READER, READERS
from hirescam.ct.formats.ct_rate import check_not_raw
from hirescam.ct.formats.payload import check_regular
from hirescam.ct.grid import rectangular
from hirescam.ct.validation import OR_REPAIR, as_read_error
from hirescam.ct.volume import Volume, degrees_off, is_rectangular
from hirescam.errors import GeometryError, ReadError, UnknownFormatError, VoxelError


def read_volume(
    path: str | Path,
    *,
    series: str | None = None,
    acquisition: str | None = None,
    on_bad_geometry: Literal["error", "repair"] = "error",
    assume_hu: bool = False,
    prefer_form: Literal["sform", "qform"] | None = None,
) -> Volume:
    """The scan in a file, or in a folder or zip that holds DICOM.

    Reads NIfTI, RAD-ChestCT NPZ, NPY with a sidecar, NRRD, MetaImage and DICOM. What cannot be
    read without a guess is a `ReadError` that names the file, never its place on disk nor its
    patient.

    Of several DICOM series `series` names one by its UID; left out, the original one with the
    most slices is the scan (`list_series` tells). Where acquisitions of the series overlap in
    depth, `acquisition` chooses one. With `on_bad_geometry="repair"` uneven,
    missing, doubled or tilted slices are resampled onto an even grid with right angles, and
    `Volume.repairs` says so. `assume_hu` takes DICOM values without a rescale for HU. Of a
    NIfTI file whose sform and qform differ, `prefer_form` says which one is right.
    """
    path = Path(path).absolute()  # so that "." has a name too
    with as_read_error(path):
        if not path.exists():
            raise ReadError("there is no such file or folder: check the path")
        check_regular(path)
        reader = _reader(path)
        options: dict[str, object] = {}
        if reader == DICOM_READER:
            options = {
                "series": series,
                "acquisition": acquisition,
                "on_bad_geometry": on_bad_geometry,
                "assume_hu": assume_hu,
            }
        elif reader == READERS[".nii"]:
            options = {"prefer_form": prefer_form}
        module, function = reader.split(":")
        read: Callable[..., Volume] = getattr(import_module(module), function)
        volume = read(path, **options)
        _check_values(volume)
        check_not_raw(path, volume.voxels)
        if on_bad_geometry == "repair":
            volume = rectangular(volume)
        _check_angles(volume)
    return volume


def _reader(path: Path) -> str:
    if path.is_dir():
        return DICOM_READER
    for suffix, reader in READERS.items():
        if path.name.lower().endswith(suffix):
            return reader
    if _begins_as_dicom(path):
        return DICOM_READER
    raise UnknownFormatError(
        f"no reader knows this kind of file: give a folder that holds a DICOM series, "
        f"or a file ending in {', '.join(READERS)}"
    )


def _begins_as_dicom(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(132).endswith(b"DICM")


def _check_values(volume: Volume) -> None:
    bad = volume.voxels.size - sum(np.count_nonzero(np.isfinite(it)) for it in volume.voxels)
    if bad:
        raise VoxelError(
            f"{bad} of {volume.voxels.size} voxels are NaN or infinite: "
            f"write the scan again with air (−1000 HU) in their place"
        )


def _check_angles(volume: Volume) -> None:
    if not is_rectangular(volume.affine):
        raise GeometryError(
            f"its axes are {degrees_off(volume.affine):.2f}° off right angles, as by gantry "
            f"tilt: resample the scan to a rectangular grid first, {OR_REPAIR}"
        )
