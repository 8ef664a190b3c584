"""The way in from a hospital's network and back: DICOMweb and DIMSE.

Only what the user names is talked to. Logs name series by a hash, never by what a header says.
"""
