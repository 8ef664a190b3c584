"""An explanation as DICOM objects of the patient's study, for the hospital's own viewer.

Only here does anything that names the patient reach an output, for DICOM is filed by it.
`source` reads the series that was explained; `parametric_map`, `segmentation` and `report` make
one kind of object each, with the words of `codes` and the signature of `equipment`; `objects`
makes them all, and `folder` writes them.
"""
