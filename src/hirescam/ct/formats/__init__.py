"""Scan formats other than DICOM, one file each; `ct.reading` holds the table of them."""
