"""Read: the photographs of a folder, whatever its layout."""

from pathlib import Path

from hirescam.errors import ReadError
from hirescam.images.coco import find_coco, read_coco
from hirescam.images.mask_folders import has_mask_folders, read_mask_folders
from hirescam.images.photographs import Photographs
from hirescam.images.voc import find_voc, read_voc

LAYOUTS = (
    (find_voc, read_voc),
    (find_coco, read_coco),
    (has_mask_folders, read_mask_folders),
)
"""How each layout is known, and read."""


def read_photographs(folder: Path) -> Photographs:
    """PASCAL VOC 2012 with or without SBD, COCO, or folders of masks; raises `ReadError`."""
    read = next((read for known, read in LAYOUTS if known(folder)), None)
    if read is None:
        raise ReadError(
            f"{folder} holds no photographs with masks: expected VOC's JPEGImages, COCO's "
            f"annotations/instances_train*.json, or train/images and train/masks/CLASS"
        )
    found = read(folder)
    empty = [split for split, some in found.splits.items() if not some]
    if empty:
        raise ReadError(f"{folder} has no photographs in {empty[0]}: fill its list or folder")
    return found
