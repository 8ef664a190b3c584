"""A battery of DICOM quirks: each read voxel for voxel, repaired on record, or refused.

Quirks are those of files that scanners, archives and converters write, as the issue trackers of
dcm2niix, pydicom, GDCM and vtk-dicom tell of them.
"""

import gzip
import shutil
import tarfile
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.encaps import generate_frames
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from hirescam.cli.main import main
from hirescam.ct.dicom.read import list_series
from hirescam.ct.reading import read_volume
from hirescam.ct.volume import Volume
from hirescam.errors import GeometryError, ReadError, VoxelError
from make import affine, volume
from make_dicom import PLANTED, moving, setting, without, write_series

SCAN = volume((12, 16, 16), spacing=(1.25, 0.7, 0.7), origin=(4, 5, 6))
THIN = volume((12, 16, 16), spacing=(0.625, 0.7, 0.7), origin=(4, 5, 6))
LONG = volume((36, 4, 4), spacing=(1.25, 0.7, 0.7))
TILTED = volume((12, 16, 16), spacing=(1.25, 0.7, 0.7), tilt_deg=17)
RANDOM = np.random.default_rng(3).uniform(-1, 1, (40, 3))
ORIGINAL = ["ORIGINAL", "PRIMARY", "AXIAL"]
LOCALIZER = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
UID = "1.2.3"


@dataclass(frozen=True)
class Quirk:
    """How a series is written, and what has to come of reading it.

    Without `error`, every voxel is kept, in its place within a tenth of a pixel and of a gap,
    and `said` stands in the record; else the error says it.
    """

    write: object
    said: tuple[str, ...] = ()
    error: type | None = None
    scan: Volume = SCAN
    options: dict = field(default_factory=dict)


def headers(*changes, scan=SCAN, **values):
    """A series with changed headers."""

    def write(folder):
        def change(header, index):
            for each in (*changes, setting(**values)):
                each(header, index)

        return write_series(folder, scan, change=change)

    return write


def files(change, *, of=slice(None), base=None):
    """A series of which some files are changed afterwards."""

    def write(folder):
        for file in (base or headers())(folder)[of]:
            change(file)

    return write


def beside(add, *, base=None):
    """A series and something else in its folder."""

    def write(folder):
        add(folder, (base or headers(SeriesInstanceUID=UID))(folder))

    return write


def kept(write, *said, scan=SCAN, **options):
    return Quirk(write, said, scan=scan, options=options)


def refused(write, *said, error=GeometryError, **options):
    return Quirk(write, said, error, options=options)


# --- what is done to headers ------------------------------------------------------------------


def rounded(digits):
    def change(header, index):
        position = [round(float(mm), digits) for mm in header.ImagePositionPatient]
        header.ImagePositionPatient = position

    return change


def turned(angle):
    def change(header, index):
        sine = np.sin(angle * RANDOM[index, 0])
        cosine = np.cos(angle * RANDOM[index, 0])
        header.ImageOrientationPatient = [cosine, sine, 0, -sine, cosine, 0]

    return change


def each(keyword, value):
    """Another value for every slice."""
    return lambda header, index: setattr(header, keyword, value(index))


def stored(pack, **values):
    """Other stored numbers: `pack` makes them of HU."""

    def change(header, index):
        setting(**values)(header, index)
        header.PixelData = pack(SCAN.voxels[index].astype(np.int64)).tobytes()

    return change


def signed(bits, above=0):
    """Signed numbers of few bits, with others in the bits above."""
    return stored(
        lambda hu: ((hu & ((1 << bits) - 1)) | (above << bits)).astype(np.uint16),
        PixelRepresentation=1,
        BitsStored=bits,
        HighBit=bits - 1,
        RescaleIntercept=0,
    )


def icon(header, index):
    """A thumbnail, whose pixels come before those of the slice."""
    item = Dataset()
    item.update({"Rows": 2, "Columns": 2, "BitsAllocated": 8, "PixelRepresentation": 0})
    item.PixelData = b"\1\2\3\4"
    header.IconImageSequence = [item]


def long_numbers(header, index):
    header.ImagePositionPatient = [
        f"{float(mm):.13f}"[:16] for mm in header.ImagePositionPatient
    ]


# --- what is done to files --------------------------------------------------------------------


def without_preamble(file):
    file.write_bytes(file.read_bytes()[132:])


def without_meta(file, *, preamble=None, implicit=True):
    header = plain(dcmread(file))
    header.preamble = preamble
    dcmwrite(file, header, implicit_vr=implicit, little_endian=True, enforce_file_format=False)


def plain(header):
    """The elements alone, without what the file said of their encoding."""
    alone = Dataset()
    alone.update({element.tag: element for element in header})
    return alone


def gzipped(file):
    file.with_suffix(".dcm.gz").write_bytes(gzip.compress(file.read_bytes()))
    file.unlink()


def as_syntax(uid):
    def change(file):
        header = dcmread(file)
        header.file_meta.TransferSyntaxUID = uid
        if uid == ExplicitVRBigEndian:
            swapped = plain(header)
            swapped.PixelData = np.frombuffer(header.PixelData, "<u2").astype(">u2").tobytes()
            swapped.file_meta = header.file_meta
            swapped.save_as(file, enforce_file_format=True)
        else:
            header.save_as(file, implicit_vr=uid.is_implicit_VR)

    return change


def appended(content):
    return lambda file: file.write_bytes(file.read_bytes() + content)


def cut(length):
    return lambda file: file.write_bytes(file.read_bytes()[:length])


def renamed(by):
    return lambda file: file.rename(file.with_name(by(file)))


def dropped(keyword):
    def change(file):
        header = dcmread(file)
        delattr(header, keyword)
        header.save_as(file)

    return change


def replaced(old, new):
    def change(file):
        content = file.read_bytes()
        assert old in content
        file.write_bytes(content.replace(old, new, 1))

    return change


def item(content):
    return b"\xfe\xff\x00\xe0" + len(content).to_bytes(4, "little") + content


def encapsulated(*, end=b"\0", fragments=1, table=False, cut=0, uid=JPEGLSLossless):
    """Compressed pixels with the last byte, fragments and offset table of some writers."""

    def change(file):
        header = dcmread(file)
        header.compress(uid, generate_instance_uid=False)
        frame = next(generate_frames(header.PixelData, number_of_frames=1))
        if uid == JPEGLSLossless:
            frame = frame.rstrip(b"\0") + end
        frame = frame[: len(frame) - cut]
        size = len(frame) // fragments // 2 * 2
        parts = [frame[size * at : size * (at + 1)] for at in range(fragments - 1)]
        parts.append(frame[size * (fragments - 1) :])
        begin = item(bytes(4)) if table else item(b"")
        end_of_all = b"\xfe\xff\xdd\xe0\0\0\0\0"
        header.PixelData = begin + b"".join(map(item, parts)) + end_of_all
        header["PixelData"].is_undefined_length = True
        header["PixelData"].VR = "OB"
        header.save_as(file, enforce_file_format=True)

    return change


# --- what lies beside -------------------------------------------------------------------------


def other(name, change=lambda header: None, *, of=0, then=lambda file: None):
    """A copy of a slice, changed, under a name of its own."""

    def add(folder, series):
        header = dcmread(series[of])
        header.SOPInstanceUID = "1.2.3.4.5"
        change(header)
        header.save_as(folder / name, enforce_file_format=True)
        then(folder / name)

    return add


def content(name, data):
    return lambda folder, series: (folder / name).write_bytes(data)


def report(header):
    header.SOPClassUID, header.Modality = "1.2.840.10008.5.1.4.1.1.88.67", "SR"
    for keyword in ("Rows", "Columns", "PixelData", "ImagePositionPatient"):
        delattr(header, keyword)


def capture(header):
    header.SOPClassUID, header.ImageType = (
        SecondaryCaptureImageStorage,
        ["DERIVED", "SECONDARY"],
    )


def screenshot(header):
    capture(header)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(header, keyword)


def scout(marked, *, small=False):
    def change(header):
        header.ImageType = LOCALIZER if marked else ORIGINAL
        header.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
        if small:
            header.Rows, header.PixelData = 8, header.PixelData[:256]

    return change


def foreign(header):
    header.SeriesInstanceUID, header.Modality = "1.2.9", "MR"
    header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"


def copies(of):
    def add(folder, series):
        for file in series[of]:
            shutil.copy(file, folder / f"copy_{file.name}")

    return add


def twice(folder):
    headers(SeriesInstanceUID=UID)(folder / "a")
    shutil.copytree(folder / "a", folder / "b")


def moved_to_series(uid, of, **values):
    return headers(
        setting(SeriesInstanceUID=UID), setting(of=of, SeriesInstanceUID=uid, **values)
    )


def two_series(scan, **values):
    def write(folder):
        headers(SeriesInstanceUID=UID)(folder / "a")
        headers(scan=scan, SeriesInstanceUID="1.2.4", **values)(folder / "b")

    return write


def passes(shift_mm, first, second, *, slices=12):
    """Two passes of one series; the second lies `shift_mm` further."""

    def write(folder):
        headers(SeriesInstanceUID=UID, **first)(folder / "a")
        away = moving(lambda index: (0, 0, -shift_mm))
        late = headers(setting(SeriesInstanceUID=UID), away, **second)(folder / "b")
        for file in late[slices:]:
            file.unlink()

    return write


def tar_beside(folder, series):
    with tarfile.open(folder / "rest.tar", "w") as archive:
        archive.add(series[0], "x.dcm")


# --- the battery ------------------------------------------------------------------------------

QUIRKS = {
    # where slices lie
    **{
        f"depth jitters by {mm} mm": kept(
            headers(moving(lambda index, mm=mm: (0, 0, mm * RANDOM[index, 0])))
        )
        for mm in (0.001, 0.005, 0.02, 0.05, 0.1)
    },
    **{
        f"thin slices jitter by {mm} mm": kept(
            headers(moving(lambda index, mm=mm: (0, 0, mm * RANDOM[index, 0])), scan=THIN),
            scan=THIN,
        )
        for mm in (0.005, 0.02, 0.05)
    },
    **{
        f"slices jitter in plane by {mm} mm": kept(
            headers(moving(lambda index, mm=mm: (*(mm * RANDOM[index, 1:]), 0)))
        )
        for mm in (0.005, 0.02, 0.05)
    },
    **{
        f"positions have {digits} decimals": kept(headers(rounded(digits)))
        for digits in (1, 2, 3)
    },
    **{
        f"thin positions have {digits} decimals": kept(
            headers(rounded(digits), scan=THIN), scan=THIN
        )
        for digits in (1, 2)
    },
    **{
        f"directions turn by {angle}": kept(headers(turned(angle)))
        for angle in (5e-5, 2e-4, 1e-3)
    },
    "directions of length 0.998": kept(
        headers(ImageOrientationPatient=[0.998, 0, 0, 0, 0.998, 0])
    ),
    "oblique directions with four decimals": kept(
        headers(
            lambda header, index: setattr(
                header,
                "ImageOrientationPatient",
                [round(float(cosine), 4) for cosine in header.ImageOrientationPatient],
            ),
            scan=TILTED,
        ),
        scan=TILTED,
    ),
    "oblique slices": kept(headers(scan=TILTED), scan=TILTED),
    "sagittal slices": kept(
        headers(scan=(sagittal := Volume(SCAN.voxels, affine()[:, [2, 0, 1, 3]]))),
        scan=sagittal,
    ),
    "pixel spacing of two writers": kept(
        headers(setting(PixelSpacing=[0.7, 0.7001], of=(1, 5)))
    ),
    "pixel spacing of three decimals in some": kept(
        headers(setting(PixelSpacing=[0.7003, 0.7003], of=(0, 3)))
    ),
    "numbers of sixteen characters": kept(headers(long_numbers)),
    "positions padded with zero bytes": kept(
        files(replaced(b"\x28\0\x53\x10DS\x04\x001.0 ", b"\x28\0\x53\x10DS\x04\x001.0\0"))
    ),
    "no instance numbers": kept(headers(without("InstanceNumber"))),
    "instance numbers all alike": kept(headers(InstanceNumber=1)),
    "instance numbers backwards": kept(
        headers(each("InstanceNumber", lambda index: 90 - index))
    ),
    "names backwards": kept(files(renamed(lambda file: f"{99 - int(file.stem):03}.dcm"))),
    "no thickness": kept(headers(without("SliceThickness"))),
    "thickness of another series": kept(headers(SliceThickness=5)),
    "slice location of another axis": kept(
        headers(each("SliceLocation", lambda index: -index))
    ),
    "spacing between slices that is wrong": kept(headers(SpacingBetweenSlices=-3)),
    "gantry tilt that is only said": kept(headers(GantryDetectorTilt=15)),
    "patient position that contradicts": kept(headers(PatientPosition="FFP")),
    # what headers say, or do not
    "no unit": kept(headers()),
    **{
        f"unit {unit!r}": kept(headers(RescaleType=unit))
        for unit in ("HU", "hu", "HU_MOD", "Hounsfield Unit", "HOUNSFIELD")
    },
    "modality in lower case": kept(headers(Modality="ct")),
    "no modality": kept(headers(without("Modality"))),
    "image type in lower case": kept(headers(ImageType=["original", "primary", "axial"])),
    "image type of one word": kept(headers(ImageType="ORIGINAL")),
    "derived alone": kept(headers(ImageType=["DERIVED", "PRIMARY", "AXIAL"]), "DERIVED"),
    "secondary alone": kept(headers(ImageType=["DERIVED", "SECONDARY"]), "DERIVED"),
    "lossy image compression stated": kept(headers(LossyImageCompression="01")),
    "no series UID": kept(headers(without("SeriesInstanceUID"))),
    "no SOP class": kept(files(dropped("SOPClassUID"))),
    "no SOP instance UID": kept(files(dropped("SOPInstanceUID"))),
    "image type lost in some": kept(
        headers(setting(ImageType=ORIGINAL), without("ImageType", of=(0, 5, 11)))
    ),
    "one SOP instance UID for all": kept(headers(SOPInstanceUID="1.2.3.4")),
    "study UID of each slice": kept(headers(each("StudyInstanceUID", lambda at: f"1.2.{at}"))),
    "no patient": kept(headers(without("PatientName", "PatientID"))),
    "no samples per pixel": kept(headers(without("SamplesPerPixel"))),
    "no photometric interpretation": kept(headers(without("PhotometricInterpretation"))),
    "no high bit": kept(headers(without("HighBit"))),
    "one frame stated": kept(headers(NumberOfFrames=1)),
    "acquisition of each slice": kept(headers(each("AcquisitionNumber", lambda at: at + 1))),
    "abutting acquisitions": kept(headers(each("AcquisitionNumber", lambda at: 1 + at // 6))),
    "abutting tube voltages": kept(headers(each("KVP", lambda at: 100 + 20 * (at // 6)))),
    "abutting kernels": kept(headers(each("ConvolutionKernel", lambda at: "BL"[at // 6]))),
    "acquisition number that is empty": kept(headers(AcquisitionNumber=None)),
    "time of each slice": kept(headers(each("ContentTime", lambda at: f"1010{at:02}"))),
    "two times in turn": kept(headers(each("ContentTime", lambda at: f"10{at // 2:02}00"))),
    "a thumbnail before the pixels": kept(headers(icon)),
    "a trailing padding element": kept(
        headers(lambda header, index: header.add_new(0xFFFCFFFC, "OB", bytes(1026)))
    ),
    "private elements": kept(
        headers(lambda header, index: header.add_new(0x00091001, "UN", b"\xff" * 64))
    ),
    "pixels followed by more": kept(
        headers(
            lambda header, index: setattr(header, "PixelData", header.PixelData + bytes(128))
        )
    ),
    # how values are kept
    **{f"signed values of {bits} bits": kept(headers(signed(bits))) for bits in (12, 13, 16)},
    **{
        f"signed values of {bits} bits below others": kept(headers(signed(bits, above=5)))
        for bits in (12, 13)
    },
    "unsigned values below an overlay": kept(
        headers(
            stored(
                lambda hu: ((hu + 1024) | 0x5000).astype(np.uint16), BitsStored=12, HighBit=11
            )
        )
    ),
    "half slope": kept(
        headers(stored(lambda hu: (2 * (hu + 1024)).astype(np.uint16), RescaleSlope=0.5))
    ),
    "slope of each slice": kept(
        headers(
            lambda header, index: stored(
                lambda hu: ((hu + 1024) * (1 + index % 2)).astype(np.uint16),
                RescaleSlope=1 / (1 + index % 2),
            )(header, index)
        )
    ),
    "intercept of each slice": kept(
        headers(
            lambda header, index: stored(
                lambda hu: (hu + 1024 + index).astype(np.uint16),
                RescaleIntercept=-1024 - index,
            )(header, index)
        )
    ),
    "negative slope": kept(
        headers(
            stored(
                lambda hu: (2000 - hu).astype(np.uint16), RescaleSlope=-1, RescaleIntercept=2000
            )
        )
    ),
    "32 bits": kept(
        headers(
            stored(
                lambda hu: hu.astype(np.int32),
                BitsAllocated=32,
                BitsStored=32,
                HighBit=31,
                PixelRepresentation=1,
                RescaleIntercept=0,
            )
        )
    ),
    **{
        f"padding {padding} that no voxel has": kept(headers(PixelPaddingValue=padding))
        for padding in (63536, 40000, 4000)
    },
    # how files are packed
    **{
        f"{name}, {which}": kept(files(change, of=of))
        for name, change in {
            "no preamble": without_preamble,
            "no file meta": without_meta,
            "no file meta, explicit": partial(without_meta, implicit=False),
            "no file meta behind a preamble": partial(without_meta, preamble=bytes(128)),
            "gzip": gzipped,
        }.items()
        for which, of in {
            "all": slice(None),
            "last": slice(8, None),
            "one": slice(4, 5),
        }.items()
    },
    "implicit": kept(files(as_syntax(ImplicitVRLittleEndian))),
    "implicit in some": kept(files(as_syntax(ImplicitVRLittleEndian), of=slice(0, 12, 3))),
    "big endian": kept(files(as_syntax(ExplicitVRBigEndian))),
    "deflated": kept(files(as_syntax(DeflatedExplicitVRLittleEndian))),
    "run lengths": kept(files(encapsulated(uid=RLELossless))),
    **{
        f"JPEG-LS that ends in {end!r}": kept(files(encapsulated(end=end)))
        for end in (b"", b"\0", b"\xff", b"\x20", b"\0\0", b"\xff\xff", b"\0\0\0")
    },
    **{
        f"JPEG-LS in {fragments} fragments{' and a table' * table}": kept(
            files(encapsulated(fragments=fragments, table=table))
        )
        for fragments in (1, 2, 3)
        for table in (False, True)
    },
    "compressed in some": kept(files(encapsulated(), of=slice(0, 12, 2))),
    "no suffix": kept(files(renamed(lambda file: file.stem))),
    "suffix .IMA": kept(files(renamed(lambda file: f"{file.stem}.IMA"))),
    "suffix of a number": kept(files(renamed(lambda file: f"CT.1.2.3.{file.stem}"))),
    "zeros behind the file": kept(files(appended(bytes(512)))),
    # what lies beside
    "a text": kept(beside(content("a.txt", b"notes")), "1 files", "1 .txt"),
    "a name as suffix": kept(beside(content("a.Doe^Jane", b"notes")), "1 files", "1 other"),
    "DICOMDIR and hidden files": kept(
        beside(
            lambda folder, series: [
                (folder / name).write_bytes(b"any") for name in ("DICOMDIR", ".DS_Store", "._a")
            ]
        )
    ),
    "a zip": kept(beside(content("a.zip", b"PK\3\4")), "1 .zip"),
    "a tar": kept(beside(tar_beside), "1 .tar"),
    "a file of two bytes": kept(beside(content("a", b"\1\2")), "1 files"),
    "a blank file": kept(beside(content("notes", bytes(999))), "1 files that are blank"),
    "an empty file": kept(beside(content("notes", b"")), "1 files that are blank"),
    "a foreign file cut short": kept(
        beside(other("zz.dcm", foreign, then=cut(400))),
    ),
    "a foreign file of nothing but DICM": kept(
        beside(content("zz.dcm", bytes(128) + b"DICM")), "1 DICOM files that cannot be read"
    ),
    "a foreign file of noise": kept(
        beside(content("zz.dcm", bytes(128) + b"DICM" + bytes(range(256)) * 4)),
        "1 DICOM files that cannot be read",
    ),
    "a link that leads nowhere": kept(
        beside(lambda folder, series: (folder / "zz.dcm").symlink_to("missing")),
        "1 DICOM files that cannot be read",
    ),
    "an image of another modality": kept(beside(other("zz.dcm", foreign))),
    "a report in the series": kept(beside(other("zz.dcm", report)), "1 images of the series"),
    "a secondary capture in the series": kept(
        beside(other("zz.dcm", capture)), "1 images of the series"
    ),
    "a screenshot in the series": kept(
        beside(other("zz.dcm", screenshot)), "1 images of the series"
    ),
    **{
        f"a localizer, {'marked' if marked else 'unmarked'}{', smaller' * small}": kept(
            beside(other("zz.dcm", scout(marked, small=small))),
            "1 images" if marked else "1 of 13 images lie at an angle",
        )
        for marked in (True, False)
        for small in (True, False)
    },
    "copies of three slices": kept(beside(copies(slice(2, 5))), "3 of 15 slices equal"),
    "everything twice": kept(twice, "12 of 24 slices equal"),
    "a thicker series": kept(
        two_series(volume((3, 16, 16), spacing=(5, 0.7, 0.7), origin=(4, 5, 6))), series=UID
    ),
    "a series that goes on with the one that is named": kept(
        two_series(volume((12, 16, 16), spacing=(1.25, 0.7, 0.7), origin=(4, 5, 21))),
        "12 images of 1 other series continue",
        series=UID,
    ),
    "a derived series": kept(two_series(SCAN, ImageType=["DERIVED", "SECONDARY"], KVP=1)),
    # refused
    "a slice lost within": refused(
        files(lambda file: file.unlink(), of=slice(4, 5)), "1.250 to 2.500 mm", "complete"
    ),
    "a blank slice": refused(
        files(lambda file: file.write_bytes(b""), of=slice(11, 12)),
        "1 files are blank",
        "fetch them again",
        error=ReadError,
    ),
    "a slice of nothing but DICM": refused(
        files(cut(132), of=slice(11, 12)), "1 such DICOM files may be slices", error=ReadError
    ),
    **{
        f"a last slice of {length} bytes": refused(
            files(cut(length), of=slice(11, 12)), "011.dcm", error=ReadError
        )
        for length in (140, 200, 300, 500, 700, 900, 1100, 1400)
    },
    "a slice under another name cut short": refused(
        files(
            lambda file: (cut(900)(file), renamed(lambda each: "late")(file)), of=slice(11, 12)
        ),
        "late",
        error=ReadError,
    ),
    "a slice that was not fetched": refused(
        files(
            lambda file: (file.unlink(), file.symlink_to(file.parent / "annex" / "x")),
            of=slice(11, 12),
        ),
        "leads nowhere",
        "git annex get",
        error=ReadError,
    ),
    "the last slices of a short series under another UID": refused(
        moved_to_series("1.2.4", range(9, 12)), "holds 2 series of 9 and 3 slices", "--series"
    ),
    "the last slices under another series UID": refused(
        headers(
            setting(SeriesInstanceUID=UID),
            setting(of=range(33, 36), SeriesInstanceUID="1.2.4"),
            scan=LONG,
        ),
        "3 images of 1 other series continue the grid of the 33 slices",
        "--series",
    ),
    "a slice in the middle under another series UID": refused(
        headers(
            setting(SeriesInstanceUID=UID),
            setting(of=[20], SeriesInstanceUID="1.2.4"),
            scan=LONG,
        ),
        "1 images of 1 other series continue the grid of the 35 slices",
        "--series",
    ),
    "the last slices marked as localizers": refused(
        headers(setting(SeriesInstanceUID=UID), setting(of=range(9, 12), ImageType=LOCALIZER)),
        "3 of 12 images of the series are of another kind",
    ),
    "the last slices marked as localizers of another series": refused(
        moved_to_series("1.2.4", range(9, 12), ImageType=LOCALIZER),
        "3 images of 1 other series continue the grid of the 9 slices",
        "--series",
    ),
    "a slice in the middle of another modality": refused(
        headers(setting(SeriesInstanceUID=UID), setting(of=[5], Modality="MR")),
        "1 of 12 images of the series",
    ),
    "the last slice as a secondary capture": refused(
        headers(
            setting(SeriesInstanceUID=UID),
            setting(of=[11], SOPClassUID=SecondaryCaptureImageStorage),
        ),
        "1 of 12 images of the series",
    ),
    "a series UID of each slice": refused(
        headers(each("SeriesInstanceUID", lambda at: f"1.2.3.{at}")),
        "holds 12 series of 1 slice each",
        "export the series again",
    ),
    **{
        f"passes apart by {keyword}": refused(
            passes(0.625, {keyword: first}, {keyword: second}),
            "2 acquisitions that overlap in depth",
            keyword,
            "(12 slices)",
            "--acquisition",
        )
        for keyword, first, second in (
            ("AcquisitionNumber", 1, 2),
            ("KVP", 80, 140),
            ("ConvolutionKernel", "B30f", "B70f"),
            ("ContrastBolusAgent", "", "ULTRAVIST"),
            ("ContentTime", "101010", "101500"),
        )
    },
    "passes that overlap in part": refused(
        passes(5.625, {"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}),
        "2 acquisitions that overlap in depth",
        "--acquisition",
    ),
    "a short pass within a long one": refused(
        passes(2.625, {"KVP": 80}, {"KVP": 140}, slices=4),
        "80 (12 slices), 140 (4 slices)",
    ),
    "passes in the same places": refused(
        passes(0, {"AcquisitionNumber": 1}, {"AcquisitionNumber": 2, "RescaleIntercept": 1}),
        "12 of 24 slices lie where another one lies",
        "choose one of 1, 2",
        "--acquisition",
    ),
    **{
        f"pass {name} of {keyword}": kept(
            passes(0.625, {keyword: first}, {keyword: second}),
            acquisition=name,
            scan=scan,
        )
        for keyword, first, second in (("AcquisitionNumber", 1, 2), ("KVP", 80, 140))
        for name, scan in (
            (str(first), SCAN),
            (
                str(second),
                Volume(SCAN.voxels, affine(spacing=SCAN.spacing_mm, origin=(4, 5, 5.375))),
            ),
        )
    },
    "a pass that is not there": refused(
        passes(0.625, {"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}),
        "no such acquisition, but 1, 2",
        acquisition="3",
    ),
    "no slope": refused(
        headers(without("RescaleSlope")), "no RescaleSlope", "--assume-hu", error=VoxelError
    ),
    "an empty slope": refused(
        headers(RescaleSlope=None), "no RescaleSlope", "--assume-hu", error=VoxelError
    ),
    "a slope of zero": refused(headers(RescaleSlope=0), "RescaleSlope of 0", error=VoxelError),
    "another unit": refused(
        headers(RescaleType="US"), "another RescaleType", "--assume-hu", error=VoxelError
    ),
    "no bits stored": refused(
        headers(without("BitsStored", "HighBit")), "no valid BitsStored", error=VoxelError
    ),
    "no pixel representation": refused(
        headers(without("PixelRepresentation")), "PixelRepresentation", error=VoxelError
    ),
    "bits at the top": refused(
        headers(BitsStored=12), "12 bits below bit 15, expected bit 11", error=VoxelError
    ),
    "signed values under an unsigned header": refused(
        headers(stored(lambda hu: hu.astype(np.int16), RescaleIntercept=0)),
        "PixelRepresentation 0",
        error=VoxelError,
    ),
    "no positions": refused(headers(without("ImagePositionPatient")), "ImagePositionPatient"),
    "no directions": refused(
        headers(without("ImageOrientationPatient")), "ImageOrientationPatient"
    ),
    "no pixel spacing": refused(headers(without("PixelSpacing")), "PixelSpacing"),
    "positions of two numbers": refused(
        headers(ImagePositionPatient=[1, 2]), "ImagePositionPatient (expected 3 numbers)"
    ),
    "frames without places": refused(headers(NumberOfFrames=3), "holds 3 frames"),
    "colours": refused(headers(SamplesPerPixel=3), "colour picture", error=VoxelError),
    "inverted": refused(
        headers(PhotometricInterpretation="MONOCHROME1"), "MONOCHROME1", error=VoxelError
    ),
    "another pixel spacing in two": refused(
        headers(setting(PixelSpacing=[0.7, 0.9], of=(0, 5))), "2 of 12 slices", "PixelSpacing"
    ),
    "slices aside by a pixel": refused(
        headers(moving(lambda at: (0, 0.7 * (at == 5), 0))), "up to 0.700 mm", "gantry tilt"
    ),
    "a compressed slice cut short": refused(
        files(encapsulated(cut=20), of=slice(3, 4)), "003.dcm", error=ReadError
    ),
    "no transfer syntax": refused(
        files(replaced(b"\x02\0\x10\0UI", b"\x02\0\x11\0UI")),
        "no TransferSyntaxUID",
        error=ReadError,
    ),
}


def agrees(read, scan):
    """Every voxel as it was written, in its place within a tenth of a pixel and of a gap."""
    corners = np.array([[0, 0, 0, 1], [11, 15, 15, 1], [11, 0, 0, 1], [0, 15, 15, 1]])
    for voxels, place in (
        (read.voxels, read.affine),
        (read.voxels[::-1], read.affine @ _reversed(read)),
    ):
        if voxels.shape == scan.shape and np.array_equal(voxels, scan.voxels):
            off_mm = np.abs((place - scan.affine) @ corners.T).max()
            return off_mm < 0.15
    return False


def _reversed(read):
    turn = np.diag([-1.0, 1, 1, 1])
    turn[0, 3] = len(read.voxels) - 1
    return turn


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize("name", QUIRKS)
def test_a_quirk_is_read_voxel_for_voxel_or_refused_with_numbers_and_cure(name, tmp_path):
    quirk = QUIRKS[name]
    quirk.write(tmp_path / "scan")
    if quirk.error is None:
        read = read_volume(tmp_path / "scan", **quirk.options)
        assert agrees(read, quirk.scan)
        assert [said for said in quirk.said if said not in " ".join(read.repairs)] == []
        return
    with pytest.raises(quirk.error) as caught:
        read_volume(tmp_path / "scan", **quirk.options)
    message = str(caught.value)
    assert [said for said in quirk.said if said not in message] == []
    assert PLANTED not in message
    assert str(tmp_path) not in message
    assert len(message) < 400


@pytest.mark.parametrize("name", [name for name in QUIRKS if QUIRKS[name].error])
def test_what_is_refused_is_listed_all_the_same(name, tmp_path):
    QUIRKS[name].write(tmp_path / "scan")
    if name == "no transfer syntax":  # then there is nothing to list
        return
    assert list_series(tmp_path / "scan")


def test_the_battery_is_as_large_as_was_asked_for():
    assert len(QUIRKS) >= 150


def test_the_list_of_series_tells_what_was_passed_over(tmp_path, capsys):
    QUIRKS["a text"].write(tmp_path / "scan")
    for name, data in (("b.txt", b"x"), ("c.pdf", b"%PDF"), ("blank", bytes(200))):
        (tmp_path / "scan" / name).write_bytes(data)
    with pytest.raises(SystemExit):
        main(["series", str(tmp_path / "scan")])
    assert (
        "3 that are no DICOM (1 .pdf, 2 .txt) and 1 that are blank" in capsys.readouterr().out
    )
