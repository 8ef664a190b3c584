"""NRRD: what its header must say, and where its voxels are.

https://teem.sourceforge.net/nrrd/format.html
"""

from pathlib import Path

from hirescam.ct.formats.payload import Payload, beside, header_lines
from hirescam.ct.validation import check_three_axes
from hirescam.errors import GeometryError, ReadError, VoxelError

# What ITK turns to LPS; any other space it takes for LPS as it is.
_SPACES = {
    "left-posterior-superior", "lps", "right-anterior-superior", "ras",
    "left-anterior-superior", "las",
}  # fmt: skip
_PLACE = ("space directions", "space origin")
_PACKED = {"raw": False, "gzip": True, "gz": True}


def nrrd_payload(path: Path) -> Payload:
    """Where the voxels of a .nrrd or .nhdr are; ITK would guess what is refused here."""
    with path.open("rb") as stream:
        fields = {}
        for line in header_lines(stream):
            if not line:
                break
            name, found, value = line.partition(": ")
            if found and not line.startswith("#"):
                fields[name.lower()] = value.strip()
        end = stream.tell()
    _check(fields)
    packed = _PACKED[fields["encoding"].lower()]
    data = fields.get("data file", fields.get("datafile"))
    return (
        Payload(path, end, packed) if data is None else Payload(beside(path, data), 0, packed)
    )


def _check(fields: dict[str, str]) -> None:
    check_three_axes([int(length) for length in fields["sizes"].split()])
    if "space" not in fields:
        raise GeometryError(
            "its header has no `space` that says where the image lies in the patient: convert "
            "it again from its DICOM series"
        )
    if fields["space"].lower() not in _SPACES:
        raise GeometryError(
            "its `space` is none of left-posterior-superior, right-anterior-superior and "
            "left-anterior-superior: write the scan again in one of them"
        )
    if not all(name in fields for name in _PLACE):
        raise GeometryError(
            "its header lacks `space directions` or `space origin`: convert the scan again "
            "from its DICOM series"
        )
    if set(fields.get("space units", "mm").replace('"', " ").split()) != {"mm"}:
        raise GeometryError("its `space units` are not mm: write the scan again in mm")
    if any(name in fields for name in ("old min", "oldmin", "old max", "oldmax")):
        raise VoxelError(
            "its `old min` says that values were quantised: write the scan again with "
            "Hounsfield units as its voxels"
        )
    if fields.get("encoding", "").lower() not in _PACKED or any(
        fields.get(name, "0") != "0"
        for name in ("byte skip", "byteskip", "line skip", "lineskip")
    ):
        raise ReadError(
            "stores its voxels neither raw nor by gzip from the end of the header on: write "
            "the scan again so"
        )
