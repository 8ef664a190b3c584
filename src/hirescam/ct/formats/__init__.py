"""Scan formats: one file each, and the one table of them.

A format is added by one file here and one row below: `read_volume`, the CLI and cohorts read
the table.
"""

DICOM_READER = "hirescam.ct.dicom.read:read_dicom"
READERS = {
    ".nii": "hirescam.ct.formats.nifti:read_nifti",
    ".nii.gz": "hirescam.ct.formats.nifti:read_nifti",
    ".npz": "hirescam.ct.formats.npz:read_npz",
    ".npy": "hirescam.ct.formats.npy:read_npy",
    ".nrrd": "hirescam.ct.formats.nrrd:read_nrrd",
    ".nhdr": "hirescam.ct.formats.nrrd:read_nrrd",
    ".mha": "hirescam.ct.formats.metaimage:read_metaimage",
    ".mhd": "hirescam.ct.formats.metaimage:read_metaimage",
    ".dcm": DICOM_READER,
    ".zip": DICOM_READER,
}
"""Suffix of a file, and the module and function that read it."""

SCAN_SUFFIXES = tuple(
    sorted((suffix for suffix, of in READERS.items() if of != DICOM_READER), key=len)[::-1]
)
"""Suffixes of formats that keep a whole scan in one file; DICOM keeps it in a folder."""
