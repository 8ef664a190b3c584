"""Organs for a scan, as an option asks for them: found in it, taken from a file, or none."""

from pathlib import Path
from typing import TYPE_CHECKING

from hirescam.errors import ReadError

if TYPE_CHECKING:
    from hirescam.ct.volume import Volume
    from hirescam.organs.masks import OrganMasks


def organs_of(volume: "Volume", asked: str) -> "OrganMasks | None":
    """Masks on the scan's grid; a file is one that `hirescam segment` wrote."""
    if asked == "none":
        return None
    if asked == "auto":
        from hirescam.organs.segment import segment_organs

        return segment_organs(volume)
    from hirescam.organs.files import read_organs

    if not Path(asked).is_file():
        raise ReadError(
            f"{asked}: there is no such file of masks: give one that `hirescam segment` wrote, "
            f"auto or none"
        )
    return read_organs(asked)
