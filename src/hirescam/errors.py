"""Every error this package raises on purpose.

HirescamError
├── ReadError            a file or folder cannot become a volume
│   ├── UnknownFormatError   no reader knows it
│   ├── GeometryError        where its voxels lie is missing, contradictory or unsupported
│   └── VoxelError           its values are not Hounsfield units of one 3-D scan
├── ModelError           a model file is damaged, foreign, or does not fit what it is given
├── LayerError           a layer cannot be explained
├── ShapeError           an array does not have the shape that it must have here
├── TargetError          a target names no score of the network
├── WriteError           an output cannot be written; nothing half-written is left
└── MissingPackageError  an optional package is needed; the message names the extra
"""

from hirescam.printable import printable


class HirescamError(Exception):
    """Base of all errors raised by hirescam: one sentence that says what to do.

    What it quotes from files is made safe to print.
    """

    def __init__(self, *parts: object) -> None:
        super().__init__(
            *(printable(part) if isinstance(part, str) else part for part in parts)
        )


class ReadError(HirescamError):
    """A file or folder cannot become a volume."""


class UnknownFormatError(ReadError):
    """No reader knows this file."""


class GeometryError(ReadError):
    """Where the voxels lie in the patient is missing, contradictory or unsupported."""


class VoxelError(ReadError):
    """The values are not the Hounsfield units of one three-dimensional scan."""


class ModelError(HirescamError):
    """A model file is damaged, foreign, or does not fit what it is given."""


class LayerError(HirescamError):
    """A layer cannot be explained."""


class ShapeError(HirescamError):
    """An array does not have the shape that it must have here."""


class TargetError(HirescamError):
    """A target names no score of the network."""


class WriteError(HirescamError):
    """An output cannot be written; nothing half-written is left behind."""


class MissingPackageError(HirescamError):
    """An optional package is needed; the message names the extra that brings it."""
