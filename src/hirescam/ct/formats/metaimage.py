"""MetaImage: what its header must say, and where its voxels are.

https://itk.org/Wiki/ITK/MetaIO/Documentation
"""

from pathlib import Path

from hirescam.ct.formats.payload import Payload, beside, header_lines
from hirescam.errors import GeometryError, ReadError, VoxelError

_DATA = "ElementDataFile"  # by definition the last field
_ROTATION = ("TransformMatrix", "Orientation", "Rotation")
# Numbers that no reader of ours applies: field, the value that changes nothing.
_SCALING = {"ElementToIntensityFunctionSlope": 1.0, "ElementToIntensityFunctionOffset": 0.0}


def metaimage_payload(path: Path) -> Payload:
    """Where the voxels of a .mha or .mhd are; ITK would guess what is refused here."""
    with path.open("rb") as stream:
        fields = {}
        for line in header_lines(stream):
            key, _, value = line.partition("=")
            fields[key.strip()] = value.strip()
            if key.strip() == _DATA:
                break
        end = stream.tell()
    _check(fields)
    packed = fields.get("CompressedData", "").lower() == "true"
    name = fields[_DATA]
    if name.upper() == "LOCAL":
        return Payload(path, end, packed)
    return Payload(beside(path, name), int(fields.get("HeaderSize", 0)), packed)


def _check(fields: dict[str, str]) -> None:
    if _DATA not in fields:
        raise ReadError(f"has no {_DATA}, which ends its header: fetch it again")
    if "ElementSpacing" not in fields:
        raise GeometryError(
            "its header has no ElementSpacing: add it, in mm along columns, rows and slices"
        )
    if not any(name in fields for name in _ROTATION):
        raise GeometryError(
            "its header has no TransformMatrix that says how the patient lies: add it, or "
            "convert the scan again from its DICOM series"
        )
    if fields.get("BinaryData", "True").lower() != "true":
        raise ReadError("stores its voxels as text: write the scan again with BinaryData")
    for name, neutral in _SCALING.items():
        if float(fields.get(name, neutral)) != neutral:
            raise VoxelError(
                f"its {name} is {float(fields[name]):g}, expected {neutral:g}: write the scan "
                f"again with Hounsfield units as its voxels"
            )
