"""Small CT series in DICOM for tests; whatever could name a patient says PLANTED."""

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

PLANTED = "PLANTED"
_NAMING = """
    PatientName PatientID PatientComments OtherPatientNames StudyDescription SeriesDescription
    ProtocolName InstitutionName ReferringPhysicianName AccessionNumber StudyID ImageComments
"""


def write_series(
    folder, scan, *, change=lambda header, index: None, slope=1.0, intercept=-1024.0
):
    """Write each slice of `scan` to a file; `change` may spoil the header of each before."""
    folder.mkdir(exist_ok=True)
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
        header = _header(np.rint((plane - intercept) / slope).astype(np.uint16))
        header.update(common)
        header.ImagePositionPatient = list(lps[:3] @ [index, 0, 0, 1])
        header.InstanceNumber = (7 * index) % 10  # and so is what is read from it
        change(header, index)
        files.append(folder / f"{index:03}.dcm")
        header.save_as(files[-1], enforce_file_format=True)
    return files


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
