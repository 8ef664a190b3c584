"""read_photographs: the photographs of a folder, whatever its layout; the plain layout is here.

    train/images/beach.jpg   train/masks/sky/beach.png   train/masks/person/beach.png
    val/images/…             val/masks/void/…

A mask is an image of the photograph's size, not 0 inside; a photograph shows the classes that
have a mask of it which is not empty. Masks may overlap. Those of `void` mark unknown pixels.
"""

from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from hirescam.errors import ReadError
from hirescam.images.coco import find_coco, read_coco
from hirescam.images.photographs import ClassMasks, Photograph, Photographs, open_image, pixels
from hirescam.images.voc import find_voc, read_voc

VOID = "void"
SPLITS = ("train", "val")
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def has_mask_folders(folder: Path) -> bool:
    """Whether `folder` has this layout."""
    return all((folder / split / "images").is_dir() for split in SPLITS)


def read_mask_folders(folder: Path) -> Photographs:
    """The photographs of a folder in this layout, classes in alphabetical order."""
    names = {
        path.name for split in SPLITS for path in (folder / split / "masks").glob("*/")
    } - {VOID}
    if not names:
        raise ReadError(
            f"{folder / SPLITS[0] / 'masks'} has no folder of masks: expected one per class"
        )
    classes = tuple(sorted(names))
    splits = {split: _split(folder / split, classes) for split in SPLITS}
    description = (
        f"{len(splits['train'])} photographs for training, {len(splits['val'])} for validation."
    )
    return Photographs(classes, splits, description)


def read_class_masks(masks: Path, classes: tuple[str, ...], image: Path) -> ClassMasks:
    """The masks of one photograph; where there is none, the class is nowhere."""
    with open_image(image) as opened:
        shape = opened.size[::-1]
    planes = [_mask(masks / name, image.stem, shape) for name in (*classes, VOID)]
    return ClassMasks(np.stack(planes[:-1]), ~planes[-1])


def _split(folder: Path, classes: tuple[str, ...]) -> tuple[Photograph, ...]:
    images = sorted(
        path for path in (folder / "images").iterdir() if path.suffix.lower() in ENDINGS
    )
    return tuple(_photograph(path, folder / "masks", classes) for path in images)


def _photograph(path: Path, masks: Path, classes: tuple[str, ...]) -> Photograph:
    read = partial(read_class_masks, masks, classes, path)
    labels = np.array([plane.any() for plane in read().inside], np.float32)
    return Photograph(path.stem, path, labels, read)


def _mask(folder: Path, name: str, shape: tuple[int, ...]) -> Bool[np.ndarray, "row column"]:
    candidates = (folder / f"{name}{ending}" for ending in ENDINGS)
    path = next((each for each in candidates if each.exists()), None)
    if path is None:
        return np.zeros(shape, bool)
    values = pixels(path)
    mask = (values if values.ndim == 2 else values[..., :3].max(axis=2)) > 0  # no opacity
    if mask.shape != shape:
        raise ReadError(
            f"{path} is {mask.shape[1]}×{mask.shape[0]} pixels, its photograph "
            f"{shape[1]}×{shape[0]}: draw masks on the photograph itself"
        )
    return mask


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
