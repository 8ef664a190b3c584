"""Transfer syntaxes: however pixels are packed, of however many bits, the scan is the same."""

import zlib
from importlib.util import find_spec

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.decoders.base import Decoder
from pydicom.uid import (
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEGExtended12Bit,
    JPEGLSLossless,
    RLELossless,
)

from hirescam.ct.dicom.pixels import is_whole
from hirescam.ct.reading import read_volume
from hirescam.errors import MissingPackageError, ReadError, VoxelError
from make import volume
from make_dicom import setting, write_series, zipped

SCAN = volume((5, 16, 12), spacing=(3, 2, 1))


def as_syntax(uid):
    """Write each file again, its elements packed in another way."""

    def rewrite(file):
        header = dcmread(file)
        header.file_meta.TransferSyntaxUID = uid
        header.save_as(file, implicit_vr=uid.is_implicit_VR)

    return rewrite


def as_big_endian(file):
    header = Dataset()
    header.update({element.tag: element for element in dcmread(file)})
    header.PixelData = np.frombuffer(header.PixelData, "<u2").astype(">u2").tobytes()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    header.save_as(file, enforce_file_format=True)


def compressed(uid):
    def rewrite(file):
        header = dcmread(file)
        header.compress(uid)
        header.save_as(file)

    return rewrite


def by_gdcm(name):
    """Write each file again with the pixels in one of GDCM's syntaxes."""

    def rewrite(file):
        gdcm = pytest.importorskip("gdcm", reason="needs hirescam[dicom]")
        reader, writer = gdcm.ImageReader(), gdcm.ImageWriter()
        reader.SetFileName(str(file))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, name)))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFileName(str(file))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        header = dcmread(file)
        header.RescaleType = "HU"  # which GDCM has made unspecified
        header.save_as(file)

    return rewrite


SYNTAXES = {
    "implicit": as_syntax(ImplicitVRLittleEndian),
    "big endian": as_big_endian,
    "deflated": as_syntax(DeflatedExplicitVRLittleEndian),
    "run lengths": compressed(RLELossless),
    "JPEG-LS": compressed(JPEGLSLossless),
    "JPEG-LS by GDCM": by_gdcm("JPEGLSLossless"),
    "JPEG lossless": by_gdcm("JPEGLosslessProcess14_1"),
    "JPEG lossless of any predictor": by_gdcm("JPEGLosslessProcess14"),
    "JPEG 2000": by_gdcm("JPEG2000Lossless"),
}


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("name", SYNTAXES)
def test_however_pixels_are_packed_the_scan_is_the_same(name, signed, tmp_path):
    change = setting(PixelRepresentation=1) if signed else setting()
    files = write_series(
        tmp_path / "scan", SCAN, change=change, intercept=0 if signed else -1024
    )
    for file in files:
        SYNTAXES[name](file)
    for path in (tmp_path / "scan", zipped(tmp_path / "scan")):
        assert np.array_equal(read_volume(path).voxels[::-1], SCAN.voxels)


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("bits", [12, 13, 15])
def test_bits_above_those_stored_are_no_part_of_the_value(bits, signed, tmp_path):
    stored = SCAN.voxels + (0 if signed else 1024)

    def fewer(header, index):
        header.BitsStored, header.HighBit, header.PixelRepresentation = bits, bits - 1, signed
        low = stored[index].astype(np.uint16) & ((1 << bits) - 1)
        header.PixelData = (low | (0xA5A5 << bits) & 0xFFFF).astype(np.uint16).tobytes()

    write_series(tmp_path / "scan", SCAN, change=fewer, intercept=0 if signed else -1024)
    assert np.array_equal(read_volume(tmp_path / "scan").voxels[::-1], SCAN.voxels)


@pytest.mark.parametrize("bits", [11, 12, 16])
def test_a_stream_without_a_sign_is_read_where_the_sign_is_of_no_matter(
    bits, tmp_path, refused
):
    change = setting(BitsStored=bits, HighBit=bits - 1)
    for file in write_series(tmp_path / "scan", SCAN, change=change):
        by_gdcm("JPEG2000Lossless")(file)
        header = dcmread(file)
        header.PixelRepresentation = 1
        header.save_as(file)
    if (SCAN.voxels + 1024).max() < 1 << (bits - 1):
        assert np.array_equal(read_volume(tmp_path / "scan").voxels[::-1], SCAN.voxels)
    else:
        refused(
            tmp_path / "scan",
            VoxelError,
            "JPEG 2000 stream without a sign",
            "PixelRepresentation",
        )


def test_32_bit_values_are_read_as_stored(tmp_path):
    def wide(header, index):
        header.BitsAllocated, header.BitsStored, header.HighBit = 32, 32, 31
        header.PixelRepresentation = 1
        header.PixelData = SCAN.voxels[index].astype(np.int32).tobytes()

    write_series(tmp_path / "scan", SCAN, change=wide, intercept=0)
    assert np.array_equal(read_volume(tmp_path / "scan").voxels[::-1], SCAN.voxels)


def test_a_deflated_file_that_grows_as_no_scan_is_refused(tmp_path, refused):
    first, *_ = write_series(tmp_path / "scan", SCAN)
    as_syntax(DeflatedExplicitVRLittleEndian)(first)
    packed = first.read_bytes()
    header = dcmread(first)
    meta = packed[: 132 + 12 + header.file_meta.FileMetaInformationGroupLength]
    bomb = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    first.write_bytes(meta + bomb.compress(bytes(100 << 20)) + bomb.flush())
    refused(tmp_path / "scan", ReadError, "000.dcm: inflates from")


def test_a_frame_of_another_size_than_its_header_says_is_not_decoded(tmp_path, refused):
    for file in write_series(tmp_path / "scan", SCAN):
        compressed(JPEGLSLossless)(file)
    data = bytearray(file.read_bytes())
    at = data.find(b"\xff\xf7") + 5
    data[at : at + 4] = b"\xff\xff\xff\xff"
    file.write_bytes(data)
    refused(tmp_path / "scan", VoxelError, "65535 × 65535 pixels", "announces 16 × 12")


@pytest.mark.parametrize("name", ["JPEG-LS", "JPEG lossless", "JPEG 2000"])
def test_a_compressed_frame_that_was_cut_short_is_refused(name, tmp_path, refused):
    for file in write_series(tmp_path / "scan", SCAN):
        SYNTAXES[name](file)
    header = dcmread(file)
    (frame,) = generate_frames(header.PixelData, number_of_frames=1)
    syntax = header.file_meta.TransferSyntaxUID
    assert is_whole(frame, syntax)
    assert not is_whole(frame[: len(frame) // 2], syntax)  # so that no decoder sees it
    header.PixelData = encapsulate([frame[: len(frame) // 2]])
    header.save_as(file)
    refused(tmp_path / "scan", ReadError, "004.dcm: is damaged, cut short")


def test_a_huge_frame_in_a_small_file_is_refused_before_it_is_decoded(tmp_path, refused):
    files = write_series(tmp_path / "scan", SCAN, change=setting(Rows=60000, Columns=60000))
    refused(tmp_path / "scan", VoxelError, "announces 18000000000 voxels")
    for file in files:
        header = dcmread(file)
        header.Rows = header.Columns = 20000
        header.save_as(file)
    refused(tmp_path / "scan", ReadError, "is damaged")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(find_spec("libjpeg") is not None, reason="a package here decodes it")
def test_lossy_jpeg_of_12_bits_is_said_to_be_so(tmp_path, refused):
    lossy = dcmread(get_testdata_file("JPEG-lossy.dcm"))
    for file in write_series(tmp_path / "scan", volume((3, 1024, 256))):
        header = dcmread(file)
        header.file_meta.TransferSyntaxUID = JPEGExtended12Bit
        header.PixelData, header["PixelData"].VR = lossy.PixelData, "OB"
        header["PixelData"].is_undefined_length = True
        header.BitsStored, header.HighBit = 12, 11
        header.save_as(file)
    said = "is lossy JPEG of 12 bits", "install pylibjpeg-libjpeg", "uncompressed"
    refused(tmp_path / "scan", ReadError, *said)


def test_sequences_nested_deeper_than_any_scan_are_refused(tmp_path, refused):
    first, *_ = write_series(tmp_path / "scan", SCAN)
    opened = b"\x40\x00\x70\xa7SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    data = first.read_bytes()
    at = data.find(b"\x28\x00\x02\x00US")
    first.write_bytes(data[:at] + opened * 5000 + data[at:])
    refused(tmp_path / "scan", ReadError, "000.dcm: is nested deeper")


@pytest.mark.parametrize(
    ("syntax", "error", "phrase"),
    [
        (JPEGLSLossless, MissingPackageError, r'pip install "hirescam\[dicom\]"'),
        (HTJ2KLossless, ReadError, "as no package here decodes"),
        (MPEG2MPML, ReadError, "as no package here decodes"),
    ],
)
def test_a_missing_decoder_is_told_before_anything_is_decoded(
    syntax, error, phrase, tmp_path, monkeypatch
):
    monkeypatch.setattr(Decoder, "is_available", property(lambda decoder: False))
    for file in write_series(tmp_path / "scan", SCAN):
        compressed(RLELossless)(file)
        header = dcmread(file)
        header.file_meta.TransferSyntaxUID = syntax
        header.save_as(file)
    with pytest.raises(error, match=phrase):
        read_volume(tmp_path / "scan")
