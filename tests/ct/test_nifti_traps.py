"""NIfTI: each trap that others fall into ends in a right volume or in one sentence."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from hirescam import errors
from hirescam.ct.reading import read_volume
from make import affine
from make_dicom import PLANTED

VOXELS = np.random.default_rng(0).integers(-1000, 800, (6, 7, 8)).astype(np.int16)
OBLIQUE = affine(tilt_deg=20, spacing=(3, 2, 1), origin=(7, 8, 9))[:, [2, 1, 0, 3]]


def write(path, *, voxels=VOXELS, **fields):
    """An oblique image whose raw header fields are then overwritten, checked by nobody."""
    image = nib.Nifti1Image(voxels.T, OBLIQUE)
    image.set_sform(OBLIQUE, 1)
    image.set_qform(OBLIQUE, 1)
    content = bytearray(image.to_bytes())
    header = np.frombuffer(content, nib.Nifti1Header.template_dtype, count=1)
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def dims(*lengths):
    return np.array([len(lengths), *lengths, *[1] * (7 - len(lengths))], np.int16)


def pixdim(*spacing, first=1.0):
    return np.array([first, *spacing, 1, 1, 1, 1], np.float32)


def test_nothing_overwritten_is_read(tmp_path):
    scan = read_volume(write(tmp_path / "scan.nii"))
    assert np.array_equal(scan.voxels, VOXELS)
    np.testing.assert_allclose(scan.affine, OBLIQUE[:, [2, 1, 0, 3]], atol=1e-5)


REFUSED = {
    "slope 0 with an intercept": ({"scl_slope": 0, "scl_inter": -1024}, "scl_slope is 0"),
    "no slope with an intercept": ({"scl_slope": np.nan, "scl_inter": -1024}, "slope is nan"),
    "slope without an intercept": ({"scl_slope": 1, "scl_inter": np.nan}, "scl_inter is nan"),
    "infinite slope": ({"scl_slope": np.inf, "scl_inter": 0}, "scl_slope is inf"),
    "fewer voxels than held": ({"dim": dims(8, 7, 5)}, "holds 672 bytes of voxels"),
    "more voxels than held": ({"dim": dims(8, 7, 7)}, "announces 784"),
    "a negative length": ({"dim": dims(-8, -7, 6)}, "expected 3 of at least 1 voxel"),
    "no length": ({"dim": dims(8, 7, 0)}, "expected 3 of at least 1 voxel"),
    "two axes": ({"dim": dims(8, 42)}, "2 axes"),
    "2¹⁵ cubed": ({"dim": dims(32767, 32767, 32767)}, "expected at most 2147483648"),
    "another type of voxel": ({"datatype": 16, "bitpix": 32}, "announces 1344"),
    "voxels from a later byte": ({"vox_offset": 354}, "holds 670 bytes"),
    "voxels within the header": ({"vox_offset": 64}, "byte 64, within its header"),
    "voxels in another file": ({"magic": b"ni1"}, "another file (.img)"),
    "complex": ({"datatype": 32, "bitpix": 64}, "2688"),
    "spacing 0 where sform tells it": ({"pixdim": pixdim(0, 0, 0)}, "0 × 0 × 0 mm apart"),
    "spacing other than sform's": ({"pixdim": pixdim(1, 2, 5)}, "1 × 2 × 5 mm apart, sform"),
    "spacing 0 without sform": ({"pixdim": pixdim(0, 2, 3), "sform_code": 0}, "above 0 mm"),
    "spacing below 0": ({"pixdim": pixdim(-1, 2, 3), "sform_code": 0}, "above 0 mm"),
    "spacing NaN": ({"pixdim": pixdim(np.nan, 2, 3), "sform_code": 0}, "above 0 mm"),
    "qform elsewhere": ({"qoffset_x": 30}, "place a corner of the image 23.0 mm apart"),
    "qform turned": ({"quatern_b": 0, "quatern_c": 0, "quatern_d": 0}, "sform and qform place"),
    "sform beyond the world": ({"srow_x": 1e30}, "sform holds a number that is no place"),
    "qform beyond numbers": ({"qoffset_x": np.nan}, "qform holds a number that is no place"),
    "no form": ({"sform_code": 0, "qform_code": 0}, "neither sform nor qform"),
    "an unknown form": ({"sform_code": 9}, "sform_code is 9, expected 0 to 5"),
    "metres": ({"xyzt_units": 1}, "in meter, expected mm"),
    "microns": ({"xyzt_units": 3}, "in micron, expected mm"),
}  # fmt: skip


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("trap", REFUSED)
def test_a_trap_is_refused_with_its_numbers(trap, suffix, tmp_path):
    fields, said = REFUSED[trap]
    path = write(tmp_path / f"scan{suffix}", **fields)
    with pytest.raises(errors.ReadError) as caught:
        read_volume(path)
    if suffix == ".nii":  # a packed file tells how many bytes it holds only as far as read
        assert said in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"scl_slope": 0, "scl_inter": 0},
        {"scl_slope": np.nan, "scl_inter": np.nan},
        {"scl_slope": 0, "scl_inter": np.nan},
        {"scl_slope": 1, "scl_inter": 0},
    ],
    ids=str,
)
def test_no_scaling_in_any_of_its_spellings_is_none(fields, tmp_path):
    assert np.array_equal(read_volume(write(tmp_path / "s.nii", **fields)).voxels, VOXELS)


def test_qform_alone_places_the_image_as_nibabel_does(tmp_path):
    path = write(tmp_path / "scan.nii", sform_code=0)
    expected = nib.load(path).affine[:, [2, 1, 0, 3]]
    np.testing.assert_allclose(read_volume(path).affine, expected, atol=1e-6)


def test_an_unset_handedness_is_right_handed_by_the_standard(tmp_path):
    one = write(
        tmp_path / "0.nii", sform_code=0, pixdim=pixdim(1, 2, 3, first=0), quatern_b=0.1
    )
    other = write(tmp_path / "1.nii", sform_code=0, pixdim=pixdim(1, 2, 3), quatern_b=0.1)
    assert np.array_equal(read_volume(one).affine, read_volume(other).affine)


def test_rounding_between_the_forms_is_no_contradiction(tmp_path):
    offset = np.float32(OBLIQUE[0, 3] + 0.2)
    assert read_volume(write(tmp_path / "scan.nii", qoffset_x=offset))


def test_bytes_behind_the_voxels_are_refused(tmp_path, refused):
    path = write(tmp_path / "scan.nii")
    path.write_bytes(path.read_bytes() + b"0123456789")
    refused(path, errors.ReadError, "holds 682 bytes", "announces 672", "header was changed")


def test_a_second_member_behind_the_voxels_is_refused(tmp_path, refused):
    path = write(tmp_path / "scan.nii.gz")
    path.write_bytes(path.read_bytes() + gzip.compress(b"more"))
    refused(path, errors.ReadError, "holds 676 bytes", "announces 672")


def test_the_other_byte_order_is_read(tmp_path):
    image = nib.Nifti1Image(VOXELS.T, OBLIQUE).as_reoriented(
        nib.orientations.axcodes2ornt("RAS")
    )
    swapped = image.header.as_byteswapped(">")
    nib.save(nib.Nifti1Image(image.dataobj, image.affine, swapped), tmp_path / "scan.nii")
    assert np.array_equal(read_volume(tmp_path / "scan.nii").voxels, VOXELS)


def test_a_megabyte_that_grows_to_gigabytes_is_refused_before_memory_is_taken(
    tmp_path, refused
):
    path = tmp_path / "scan.nii.gz"
    image = nib.Nifti1Image(VOXELS.T, OBLIQUE)
    header = image.header.copy()
    header.set_data_shape((1024, 1024, 1500))
    header["vox_offset"], header["magic"] = 352, b"n+1"
    header.set_sform(OBLIQUE, 1)
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(header.binaryblock + bytes(4))
        for _ in range(100):  # of 3,000 MiB announced
            stream.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 20
    refused(path, errors.ReadError, "announces 3145728352 bytes", "over 200 times")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_free_text_and_extensions_appear_nowhere(suffix, tmp_path, refused, caplog, capfd):
    planted = PLANTED.encode()
    path = tmp_path / f"scan{suffix}"
    image = nib.Nifti1Image(VOXELS.T, OBLIQUE)
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", planted * 9))
    for field, length in {
        "descrip": 80,
        "aux_file": 24,
        "intent_name": 16,
        "db_name": 18,
    }.items():
        image.header[field] = planted[:length]
    nib.save(image, path)
    scan = read_volume(path)
    assert PLANTED not in repr(scan)
    written = scan.to_nifti(tmp_path / "out.nii").read_bytes()
    assert planted[:16] not in written
    content = bytearray(path.read_bytes())
    path.write_bytes(content[:-30])
    refused(path, errors.ReadError)
    assert capfd.readouterr() == ("", "")
    assert PLANTED not in caplog.text
