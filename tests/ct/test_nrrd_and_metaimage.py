"""NRRD and MetaImage: place, and damage that ITK passes over or only prints."""

import subprocess
import sys
import zlib

import numpy as np
import pytest
import SimpleITK as sitk

from hirescam import errors
from hirescam.ct.reading import read_volume
from make import REPO, volume
from make_dicom import PLANTED

FORMATS = [".nrrd", ".nhdr", ".mha", ".mhd"]


def write(path, scan, *, compressed=True):
    """`scan` as ITK stores it: columns first, measured to the left and back."""
    lps = np.diag([-1, -1, 1, 1]) @ scan.affine
    image = sitk.GetImageFromArray(scan.voxels)
    image.SetSpacing(scan.spacing_mm[::-1])
    image.SetOrigin(lps[:3, 3])
    image.SetDirection((lps[:3, :3] / scan.spacing_mm)[:, ::-1].ravel())
    sitk.WriteImage(image, path, useCompression=compressed)
    return path


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("compressed", [True, False])
def test_every_voxel_keeps_its_value_and_its_place(suffix, compressed, tmp_path):
    scan = volume(spacing=(3, 2, 1), origin=(7, 8, 9), tilt_deg=20, flips=(1, -1, 1))
    read = read_volume(write(tmp_path / f"scan{suffix}", scan, compressed=compressed))
    assert np.array_equal(read.voxels, scan.voxels)
    np.testing.assert_allclose(read.affine, scan.affine, atol=1e-9)


def test_a_marker_lies_where_itk_says(tmp_path):
    path = write(tmp_path / "scan.nrrd", volume(spacing=(3, 2, 1), tilt_deg=20))
    left, back, head = sitk.ReadImage(path).TransformIndexToPhysicalPoint((5, 4, 3))
    place = read_volume(path).affine @ [3, 4, 5, 1]
    np.testing.assert_allclose(place[:3], [-left, -back, head], atol=1e-9)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_four_axes_are_refused(suffix, tmp_path, refused):
    image = sitk.JoinSeries([sitk.Image(4, 5, 6, sitk.sitkInt16)] * 2)
    sitk.WriteImage(image, tmp_path / f"scan{suffix}")
    refused(tmp_path / f"scan{suffix}", errors.VoxelError, "4 axes (4, 5, 6, 2)")


@pytest.mark.parametrize(
    ("suffix", "found"), [(".nrrd", "4 axes (3, 4, 5, 6)"), (".mha", "3 values per voxel")]
)
def test_several_values_per_voxel_are_refused(suffix, found, tmp_path, refused):
    image = sitk.Image([4, 5, 6], sitk.sitkVectorInt16, 3)
    sitk.WriteImage(image, tmp_path / f"scan{suffix}")
    refused(tmp_path / f"scan{suffix}", errors.VoxelError, found)


def test_an_nrrd_without_a_space_is_refused(tmp_path, refused):
    header = "NRRD0004\ntype: short\ndimension: 3\nsizes: 2 2 2\nspacings: 1 1 1\n"
    path = tmp_path / "scan.nrrd"
    path.write_bytes(f"{header}endian: little\nencoding: raw\n\n".encode() + bytes(16))
    refused(path, errors.GeometryError, "no `space`", "DICOM")


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("cut", [50, 1000])
def test_a_truncated_file_is_refused_in_silence(
    suffix, compressed, cut, tmp_path, refused, capfd
):
    path = write(tmp_path / f"scan{suffix}", volume(), compressed=compressed)
    path.write_bytes(path.read_bytes()[:-cut])
    refused(path, errors.ReadError, "fetch it again")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_broken_header_is_refused_in_silence(suffix, tmp_path, refused, capfd):
    path = write(tmp_path / f"scan{suffix}", volume())
    path.write_bytes(path.read_bytes().replace(b"3", b"x").replace(b"DimSize", b"Dims"))
    refused(path, errors.ReadError, "fetch it again")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("back", [6, 1000, 2000])
def test_a_flipped_byte_among_compressed_voxels_is_refused(
    suffix, back, tmp_path, refused, capfd
):
    path = write(tmp_path / f"scan{suffix}", volume())
    damaged = bytearray(path.read_bytes())
    damaged[-back] ^= 255
    path.write_bytes(damaged)
    refused(path, errors.ReadError, "damaged")
    assert capfd.readouterr() == ("", "")


def test_voxels_missing_beside_their_header_are_refused(tmp_path, refused):
    path = write(tmp_path / "scan.mhd", volume())
    path.with_suffix(".zraw").unlink()
    refused(path, errors.ReadError, "not in one file beside it")


def test_voxels_elsewhere_on_the_disk_are_refused(tmp_path, refused):
    path = write(tmp_path / "scan.mhd", volume())
    path.write_text(path.read_text().replace("scan.zraw", "../scan.zraw"))
    (tmp_path / "scan.zraw").rename(tmp_path.parent / "scan.zraw")
    refused(path, errors.ReadError, "not in one file beside it")


def nrrd(path, *, data=bytes(16), **changed):
    """A detached or attached NRRD of 2×2×2 zeros; fields are changed, or left out by None."""
    fields = {
        "type": "short",
        "dimension": "3",
        "space": "left-posterior-superior",
        "sizes": "2 2 2",
        "space directions": "(1,0,0) (0,1,0) (0,0,1)",
        "endian": "little",
        "encoding": "raw",
        "space origin": "(0,0,0)",
    } | {name.replace("_", " "): value for name, value in changed.items()}
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    path.write_bytes("\n".join(["NRRD0004", *lines, "\n"]).encode() + data)
    return path


def metaimage(path, *, data=bytes(16), **changed):
    """A MetaImage of 2×2×2 zeros; fields are changed, or left out by None."""
    fields = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": "0 0 0",
        "ElementSpacing": "1 1 1",
        "DimSize": "2 2 2",
        "ElementType": "MET_SHORT",
    } | {name: value for name, value in changed.items() if name != "ElementDataFile"}
    fields["ElementDataFile"] = changed.get("ElementDataFile", "LOCAL")
    lines = [f"{name} = {value}" for name, value in fields.items() if value is not None]
    path.write_bytes("\n".join([*lines, ""]).encode() + data)
    return path


ELSEWHERE = [
    "../scan.raw",
    "/etc/passwd",
    "../sub/scan.raw",
    "missing.raw",
    "LIST",
    "s%02d.raw 0 1 1",
]
TRAPS = {  # writer, fields, error, said
    "NRRD in no known space": (
        nrrd, {"space": "scanner-xyz"}, errors.GeometryError, "none of left-posterior-superior"
    ),
    "NRRD without directions": (
        nrrd, {"space_directions": None}, errors.GeometryError, "lacks `space directions`"
    ),
    "NRRD in metres": (
        nrrd, {"space_units": '"m" "m" "m"'}, errors.GeometryError, "`space units` are not mm"
    ),
    "NRRD of quantised values": (nrrd, {"old_min": "-1000"}, errors.VoxelError, "quantised"),
    "NRRD as text": (nrrd, {"encoding": "text"}, errors.ReadError, "neither raw nor by gzip"),
    "NRRD with skipped bytes": (nrrd, {"byte_skip": "8"}, errors.ReadError, "neither raw nor"),
    "NRRD with bytes left": (
        nrrd, {"data": bytes(18)}, errors.ReadError, "holds 18 bytes of voxels"
    ),
    "NRRD of terabytes": (
        nrrd, {"sizes": "99999 99999 99999"}, errors.VoxelError, "at most 2147483648"
    ),
    "MetaImage without spacing": (
        metaimage, {"ElementSpacing": None}, errors.GeometryError, "no ElementSpacing"
    ),
    "MetaImage without directions": (
        metaimage, {"TransformMatrix": None}, errors.GeometryError, "no TransformMatrix"
    ),
    "MetaImage with a scaling": (
        metaimage, {"ElementToIntensityFunctionSlope": "2"}, errors.VoxelError, "is 2"
    ),
    "MetaImage as text": (
        metaimage, {"BinaryData": "False"}, errors.ReadError, "voxels as text"
    ),
    "MetaImage with bytes left": (
        metaimage, {"data": bytes(18)}, errors.ReadError, "holds 18 bytes of voxels"
    ),
    "MetaImage of terabytes": (
        metaimage, {"DimSize": "99999 99999 99999"}, errors.VoxelError, "at most 2147483648"
    ),
}  # fmt: skip
SUFFIXES = {nrrd: ".nrrd", metaimage: ".mha"}


@pytest.mark.parametrize("trap", TRAPS)
def test_what_itk_would_guess_is_refused(trap, tmp_path, refused, capfd):
    make, fields, error, said = TRAPS[trap]
    refused(make(tmp_path / f"scan{SUFFIXES[make]}", **fields), error, said)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("make", [nrrd, metaimage])
def test_nothing_changed_is_read(make, tmp_path):
    assert read_volume(make(tmp_path / f"scan{SUFFIXES[make]}")).shape == (2, 2, 2)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_voxels_anywhere_but_in_one_file_beside_are_refused(name, tmp_path, refused):
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    for place in (tmp_path, folder / "sub"):
        (place / "scan.raw").write_bytes(bytes(16))
    beside = "not in one file beside it"
    refused(metaimage(folder / "a.mhd", ElementDataFile=name), errors.ReadError, beside)
    refused(nrrd(folder / "a.nhdr", data_file=name), errors.ReadError, beside)
    refused(nrrd(folder / "b.nrrd", datafile=name), errors.ReadError, beside)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_sheared_directions_are_refused_or_repaired(suffix, tmp_path, refused):
    path = tmp_path / f"scan{suffix}"
    if suffix == ".nrrd":
        nrrd(path, space_directions="(1,0,0) (0,1,0) (0,0.268,1)")
    else:
        metaimage(path, TransformMatrix="1 0 0 0 1 0 0 0.258819 0.9659258")
    refused(path, errors.GeometryError, "15.0", "off right angles")
    assert "15.0" in read_volume(path, on_bad_geometry="repair").repairs[0]


@pytest.mark.parametrize("make", [nrrd, metaimage])
def test_compressed_voxels_that_grow_as_no_scan_does_are_refused(make, tmp_path, refused):
    size, lengths = 1 << 30, "1024 1024 512"
    packer = zlib.compressobj(1, wbits=31)
    data = b"".join(packer.compress(bytes(1 << 20)) for _ in range(100)) + packer.flush()
    fields = (
        {"sizes": lengths, "encoding": "gzip"}
        if make is nrrd
        else {"DimSize": lengths, "CompressedData": "True"}
    )
    path = make(tmp_path / f"scan{SUFFIXES[make]}", data=data, **fields)
    refused(path, errors.ReadError, f"announces {size} bytes", "over 200 times")


@pytest.mark.parametrize("make", [nrrd, metaimage])
def test_free_text_appears_nowhere(make, tmp_path, refused, caplog, capfd):
    fields = (
        {"content": PLANTED, "PatientName:=": PLANTED, "# Patient": PLANTED}
        if make is nrrd
        else {"Comment": PLANTED, "PatientName": PLANTED, "Name": PLANTED}
    )
    path = make(tmp_path / f"scan{SUFFIXES[make]}", **fields)
    scan = read_volume(path)
    assert PLANTED not in repr(scan)
    assert PLANTED.encode() not in scan.to_nifti(tmp_path / "out.nii").read_bytes()
    path.write_bytes(path.read_bytes()[:-3])
    refused(path, errors.ReadError)
    assert capfd.readouterr() == ("", "")
    assert PLANTED not in caplog.text


@pytest.mark.parametrize("name", ["sub/scan.raw", "./scan.raw"])
def test_voxels_in_a_folder_beside_are_read(name, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / name).write_bytes(bytes(16))
    assert read_volume(metaimage(tmp_path / "a.mhd", ElementDataFile=name)).shape == (2, 2, 2)
    assert read_volume(nrrd(tmp_path / "a.nhdr", data_file=name)).shape == (2, 2, 2)


def test_attacked_headers_end_in_our_own_errors_and_open_no_other_file():
    """A short run of what benchmarks/fuzz_headers.py does by the ten thousand."""
    script = REPO / "benchmarks" / "fuzz_headers.py"
    run = subprocess.run(
        [sys.executable, script, "400", "50000"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 at fault" in run.stdout
    assert "| read |" in run.stdout
    assert run.stderr == ""
