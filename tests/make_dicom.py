"""Small CT series in DICOM for tests; whatever could name a patient says PLANTED."""

import zipfile

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    generate_uid,
)

PLANTED = "PLANTED"
_NAMING = """
    PatientName PatientID PatientComments OtherPatientNames StudyDescription SeriesDescription
    ProtocolName InstitutionName ReferringPhysicianName AccessionNumber StudyID ImageComments
"""


def write_series(
    folder, scan, *, change=lambda header, index: None, slope=1.0, intercept=-1024.0
):
    """Write each slice of `scan` to a file; `change` may spoil the header of each before."""
    folder.mkdir(parents=True, exist_ok=True)
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ scan.affine
    slice_mm, row_mm, column_mm = scan.spacing_mm
    common = {
        "SeriesInstanceUID": generate_uid(),
        "ImageOrientationPatient": [*lps[:3, 2] / column_mm, *lps[:3, 1] / row_mm],
        "PixelSpacing": [row_mm, column_mm],
        "SliceThickness": slice_mm / 2,  # what is read from it is wrong
        "RescaleSlope": slope,
        "RescaleIntercept": intercept,
    }
    files = []
    for index, plane in enumerate(scan.voxels):
        header = _header(_stored(plane, slope, intercept))
        header.update(common)
        header.ImagePositionPatient = list(lps[:3] @ [index, 0, 0, 1])
        header.InstanceNumber = (7 * index) % 10  # and so is what is read from it
        change(header, index)
        files.append(folder / f"{index:03}.dcm")
        header.save_as(files[-1], enforce_file_format=True)
    return files


def _stored(plane, slope, intercept):
    """Sixteen bits a value; below zero they wrap, as a header that says signed reads them."""
    return np.rint((plane.astype(float) - intercept) / slope).astype(np.uint16)


def write_enhanced(path, scan, *, change=lambda header: None, rescale=None):
    """Write all slices as frames of one file, the last first; `rescale` of each frame."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ scan.affine
    slice_mm, row_mm, column_mm = scan.spacing_mm
    rescale = rescale or [(1, -1024)] * len(scan.voxels)
    frames = [
        _stored(plane, slope, intercept)
        for plane, (slope, intercept) in zip(scan.voxels, rescale, strict=True)
    ]
    header = _header(frames[0])
    header.SOPClassUID = EnhancedCTImageStorage
    header.SeriesInstanceUID = generate_uid()
    header.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    header.NumberOfFrames = len(frames)
    header.PixelData = np.stack(frames[::-1]).tobytes()
    orientation = [*lps[:3, 2] / column_mm, *lps[:3, 1] / row_mm]
    header.SharedFunctionalGroupsSequence = [
        _group(
            PlaneOrientationSequence={"ImageOrientationPatient": orientation},
            PixelMeasuresSequence={
                "PixelSpacing": [row_mm, column_mm],
                "SliceThickness": slice_mm / 2,
            },
        )
    ]
    header.PerFrameFunctionalGroupsSequence = [
        _group(
            PlanePositionSequence={"ImagePositionPatient": [*lps[:3] @ [index, 0, 0, 1]]},
            PixelValueTransformationSequence={
                "RescaleSlope": slope,
                "RescaleIntercept": intercept,
                "RescaleType": "HU",
            },
        )
        for index, (slope, intercept) in reversed([*enumerate(rescale)])
    ]
    change(header)
    header.save_as(path, enforce_file_format=True)
    return path


def setting(of=range(1000), **values):
    """Give the slices `of` other values."""

    def change(header, index):
        if index in of:
            for keyword, value in values.items():
                setattr(header, keyword, value)

    return change


def without(*keywords, of=range(1000)):
    """Take elements from the slices `of`."""

    def change(header, index):
        if index in of:
            for keyword in keywords:
                delattr(header, keyword)

    return change


def moving(by_index):
    """Move each slice by `by_index(index)`, millimetres in LPS."""

    def change(header, index):
        moved = np.add(header.ImagePositionPatient, by_index(index))
        header.ImagePositionPatient = moved.tolist()

    return change


def zipped(folder):
    """The folder as a zip beside it."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent))
    return path


def _group(**sequences):
    group = Dataset()
    for name, values in sequences.items():
        item = Dataset()
        item.update(values)
        setattr(group, name, [item])
    return group


def _header(stored):
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.SOPClassUID = CTImageStorage
    header.SOPInstanceUID = generate_uid()
    header.Modality = "CT"
    for keyword in _NAMING.split():
        setattr(header, keyword, PLANTED)
    header.Rows, header.Columns = stored.shape
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.BitsAllocated = header.BitsStored = 16
    header.HighBit = 15
    header.PixelRepresentation = 0
    header.PixelData = stored.tobytes()
    return header
