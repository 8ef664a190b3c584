"""DICOM: one series of slices becomes one volume; its geometry is checked, never assumed.

`read` tells it in order: `sources` opens files, `headers` reads each once, `choice` finds the
scan among the `series`, `planes` and `doubts` take what each slice says, `stack` puts them in
their places, `pixels` decodes them, `regular` and `resample` repair what may be repaired.
"""
