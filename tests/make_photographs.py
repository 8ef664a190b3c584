"""Miniature data sets of photographs: bright shapes on noise, in every layout that is read."""

import json
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.io import savemat

from hirescam.images.voc import CLASSES, VOID

SHAPE = (48, 64)
SHAPES = {"boat": (200, 40, 40), "bus": (230, 220, 40), "sheep": (240, 240, 240)}
"""Classes of VOC, by the colours that they have here."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One picture, and the mask of each class that it shows."""

    name: str
    picture: np.ndarray
    masks: dict[str, np.ndarray]

    @property
    def numbers(self):
        """The masks as VOC stores them: class numbers, void around each object."""
        numbers = np.zeros(SHAPE, np.uint8)
        for name, mask in self.masks.items():
            grown = mask.copy()
            for axis in (0, 1):
                for step in (-1, 1):
                    grown |= np.roll(mask, step, axis)
            numbers[grown & ~mask] = VOID
            numbers[mask] = CLASSES.index(name) + 1
        return numbers


def scene(seed):
    """One or two rectangles, each in its class's own third of the picture."""
    random = np.random.default_rng(seed)
    picture = random.integers(30, 90, (*SHAPE, 3)).astype(np.uint8)
    names = random.permutation(list(SHAPES))[: 1 + seed % 2]
    masks = {}
    for name in names:
        third = list(SHAPES).index(name) * (SHAPE[1] // 3)
        top, left = random.integers(4, 24), third + random.integers(2, 7)
        masks[name] = np.zeros(SHAPE, bool)
        masks[name][top : top + 14, left : left + 12] = True
        picture[masks[name]] = SHAPES[name]
    return Scene(f"2012_{seed:06}", picture, masks)


def scenes(count, start=0):
    return [scene(seed) for seed in range(start, start + count)]


def write_voc(folder, training, validation):
    """The official layout."""
    voc = folder / "VOCdevkit" / "VOC2012"
    for part in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (voc / part).mkdir(parents=True)
    for split, some in {"train": training, "val": validation}.items():
        listed = "".join(f"{one.name}\n" for one in some)
        (voc / "ImageSets" / "Segmentation" / f"{split}.txt").write_text(listed)
        for one in some:
            _jpeg(one, voc / "JPEGImages")
            indexed = Image.fromarray(one.numbers).convert("P")
            indexed.putdata(one.numbers.ravel().tolist())
            indexed.save(voc / "SegmentationClass" / f"{one.name}.png")
    return folder


def write_sbd(folder, training, validation, without_val=None):
    """SBD as its archive unpacks; `without_val` is its third list, which came later."""
    sbd = folder / "benchmark_RELEASE" / "dataset"
    for part in ("cls", "img"):
        (sbd / part).mkdir(parents=True)
    lists = {"train": training, "val": validation}
    if without_val is not None:
        lists["train_noval"] = without_val
    for split, some in lists.items():
        (sbd / f"{split}.txt").write_text("".join(f"{one.name}\n" for one in some))
        for one in some:
            _jpeg(one, sbd / "img")
            numbers = np.where(one.numbers == VOID, 0, one.numbers)  # SBD has no void
            truth = {"Segmentation": numbers, "CategoriesPresent": np.unique(numbers)}
            savemat(sbd / "cls" / f"{one.name}.mat", {"GTcls": truth})
    return folder


def write_mask_folders(folder, training, validation):
    for split, some in {"train": training, "val": validation}.items():
        (folder / split / "images").mkdir(parents=True)
        for one in some:
            _jpeg(one, folder / split / "images")
            planes = one.masks | {"void": one.numbers == VOID}
            for name, mask in planes.items():
                path = folder / split / "masks" / name / f"{one.name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask.astype(np.uint8) * 255).save(path)
    return folder


def write_coco(folder, training, validation):
    """Boats as polygons, buses as run lengths, what is void around them as a crowd."""
    (folder / "annotations").mkdir(parents=True)
    categories = [{"id": 7 * (n + 1), "name": name} for n, name in enumerate(SHAPES)]
    number = {one["name"]: one["id"] for one in categories}
    for split, some in {"train": training, "val": validation}.items():
        (folder / f"{split}2017").mkdir()
        images, outlines = [], []
        for at, one in enumerate(some):
            _jpeg(one, folder / f"{split}2017")
            size = dict(zip(("height", "width"), SHAPE, strict=True))
            images.append({"id": at, "file_name": f"{one.name}.jpg", **size})
            for name, mask in one.masks.items():
                shape = _polygon(mask) if name == "boat" else _runs(mask)
                outlines.append(_outline(at, number[name], shape, crowd=False))
            crowd = _runs(one.numbers == VOID)
            outlines.append(_outline(at, categories[0]["id"], crowd, crowd=True))
        table = {"images": images, "annotations": outlines, "categories": categories[::-1]}
        path = folder / "annotations" / f"instances_{split}2017.json"
        path.write_text(json.dumps(table))
    return folder


def _outline(image, category, segmentation, *, crowd):
    return {
        "image_id": image,
        "category_id": category,
        "segmentation": segmentation,
        "iscrowd": int(crowd),
    }


def _polygon(mask):
    rows, columns = np.nonzero(mask)
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    return [[int(v) for v in (left, top, right, top, right, bottom, left, bottom)]]


def _runs(mask):
    """COCO's counts: run lengths down the columns, the first of them outside."""
    flat = np.concatenate([[0], mask.ravel(order="F"), [2]]).astype(int)
    ends = np.flatnonzero(np.diff(flat))
    return {"size": list(mask.shape), "counts": np.diff([0, *ends]).tolist()}


def _jpeg(one, folder):
    Image.fromarray(one.picture).save(folder / f"{one.name}.jpg", quality=95)
