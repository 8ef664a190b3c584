"""COCO: photographs whose objects a JSON file outlines, as polygons or run lengths.

Lin et al., "Microsoft COCO: common objects in context", ECCV 2014. Crowds are unknown pixels.
"""

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from hirescam.errors import MissingPackageError, ReadError
from hirescam.images.photographs import ClassMasks, Photograph, Photographs
from hirescam.parsing import read_json

SPLITS = {"train": "instances_train", "val": "instances_val"}
Record = Mapping[str, Any]


def find_coco(folder: Path) -> Mapping[str, Path]:
    """The annotation file of each split: annotations/instances_train….json and …_val….json."""
    found = {
        split: sorted((folder / "annotations").glob(f"{start}*.json"))
        for split, start in SPLITS.items()
    }
    return {split: files[0] for split, files in found.items() if files}


def read_coco(folder: Path) -> Photographs:
    """The photographs of a folder in COCO's layout; classes in the order of their numbers.

    Those of instances_train2017.json are looked for in train2017, images/train2017 and images.
    Raises `ReadError`.
    """
    files = find_coco(folder)
    missing = [f"{start}*.json" for split, start in SPLITS.items() if split not in files]
    if missing:
        raise ReadError(f"{folder / 'annotations'} lacks {' and '.join(missing)}: add it")
    tables = {split: _table(path) for split, path in files.items()}
    categories = {one["id"]: one["name"] for one in tables["train"]["categories"]}
    rank = {number: at for at, number in enumerate(sorted(categories))}
    splits = {
        split: _split(folder, files[split], table, rank) for split, table in tables.items()
    }
    description = (
        f"COCO layout: {len(splits['train'])} photographs for training, {len(splits['val'])} "
        f"for validation."
    )
    return Photographs(tuple(categories[number] for number in rank), splits, description)


def drawn(
    outlines: Sequence[Record], shape: tuple[int, int], rank: Mapping[int, int]
) -> ClassMasks:
    """Annotations of one image as one plane per class."""
    inside = np.zeros((len(rank), *shape), bool)
    known = np.ones(shape, bool)
    for outline in outlines:
        mask = _mask(outline["segmentation"], shape)
        if outline.get("iscrowd"):
            known &= ~mask
        else:
            inside[rank[outline["category_id"]]] |= mask
    return ClassMasks(inside, known | inside.any(axis=0))


def _split(
    folder: Path, file: Path, table: Record, rank: Mapping[int, int]
) -> tuple[Photograph, ...]:
    of_image: dict[int, list[Record]] = defaultdict(list)
    for outline in table["annotations"]:
        of_image[outline["image_id"]].append(outline)
    name = file.stem.removeprefix("instances_")
    places = [folder / name, folder / "images" / name, folder / "images"]
    return tuple(
        _photograph(image, places, of_image[image["id"]], rank) for image in table["images"]
    )


def _photograph(
    image: Record, places: Sequence[Path], outlines: Sequence[Record], rank: Mapping[int, int]
) -> Photograph:
    candidates = [place / image["file_name"] for place in places]
    path = next((each for each in candidates if each.exists()), None)
    if path is None:
        raise ReadError(f"{image['file_name']} is in none of {', '.join(map(str, places))}")
    labels = np.zeros(len(rank), np.float32)
    whole = [one["category_id"] for one in outlines if not one.get("iscrowd")]
    labels[[rank[number] for number in whole]] = 1
    shape = (image["height"], image["width"])
    return Photograph(path.stem, path, labels, partial(drawn, outlines, shape, rank))


def _mask(segmentation: Any, shape: tuple[int, int]) -> Bool[np.ndarray, "row column"]:
    try:
        from pycocotools import mask
    except ImportError as error:
        raise MissingPackageError(
            'reading masks of COCO needs pycocotools: pip install "hirescam[images]"'
        ) from error
    runs = segmentation
    if not isinstance(segmentation, dict) or isinstance(segmentation["counts"], list):
        runs = mask.frPyObjects(segmentation, *shape)
    if isinstance(runs, list):
        runs = mask.merge(runs)
    with warnings.catch_warnings():  # its compiled part is older than NumPy 2's copy keyword
        warnings.simplefilter("ignore", DeprecationWarning)
        return mask.decode(runs).astype(bool)


def _table(path: Path) -> Record:
    try:
        table = read_json(path)
        if {"images", "annotations", "categories"} <= table.keys():
            return table
    except (OSError, ValueError, AttributeError) as error:
        raise ReadError(f"{path.name} is no JSON object ({error}): get it anew") from error
    raise ReadError(
        f"{path.name} lacks images, annotations or categories: expected COCO's instances"
    )
