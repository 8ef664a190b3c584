"""PASCAL VOC 2012: its folder, with the SBD masks that enlarge its training set.

Labels come from the masks, void left out, as in Draelos and Carin, arXiv:2011.08891, section
13: VOC 2012's training images and those of SBD that are not in its validation list. With SBD's
`train_noval.txt` these are the paper's 1,464 + 5,623 = 7,087. Everingham et al., IJCV 2010;
Hariharan et al., "Semantic contours from inverse detectors", ICCV 2011.
"""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Integer
from scipy.io import loadmat

from hirescam.errors import ReadError
from hirescam.images.photographs import ClassMasks, Photograph, Photographs, pixels
from hirescam.training.datasets.cases import rows

_CLASSES = """
    aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike
    person pottedplant sheep sofa train tvmonitor
"""
CLASSES = tuple(_CLASSES.split())
VOID = 255
TRAINING_IN_PAPER = 7087

_NO_VAL, _SBD_LISTS = "train_noval.txt", ("train.txt", "val.txt")
"""SBD's own two lists hold images of VOC's validation list, which are left out."""


def find_voc(folder: Path) -> Path | None:
    """The folder with JPEGImages: `folder`, or where the official archive puts it."""
    within = (folder, folder / "VOC2012", folder / "VOCdevkit" / "VOC2012")
    return next((each for each in within if (each / "JPEGImages").is_dir()), None)


def find_sbd(folder: Path) -> Path | None:
    """SBD's `dataset` folder, the one with `cls`, where its archive puts it in `folder`."""
    within = ("", "dataset", "benchmark_RELEASE/dataset", "sbd", "SBD")
    candidates = (folder / each for each in within)
    return next((each for each in candidates if (each / "cls").is_dir()), None)


def read_voc(folder: Path) -> Photographs:
    """The photographs of VOC's folder within `folder`, and of SBD's if it lies there too.

    A table `labels.csv` (image, split) may stand in for VOC's lists. Raises `ReadError`.
    """
    voc, sbd = find_voc(folder), find_sbd(folder)
    if voc is None:
        raise ReadError(
            f"{folder} holds no JPEGImages: give the folder VOC2012 of the archive at "
            f"host.robots.ox.ac.uk/pascal/VOC/voc2012"
        )
    places = [voc] if sbd is None else [voc, sbd]
    lists = _lists(voc)
    if sbd is not None:
        taken = {*lists["train"], *lists["val"]}
        lists["train"] += sorted(set(_sbd_names(sbd)) - taken)
    splits = {
        split: tuple(_photograph(name, places) for name in names)
        for split, names in lists.items()
    }
    return Photographs(CLASSES, splits, _describe(splits))


def read_mask(path: Path) -> Integer[np.ndarray, "row column"]:
    """Class numbers of pixels: 0 background, 1 to 20 in VOC's order, 255 void."""
    if path.suffix != ".mat":
        return pixels(path)
    try:
        return loadmat(path)["GTcls"]["Segmentation"][0, 0]
    except (OSError, ValueError, KeyError, IndexError, NotImplementedError) as error:
        raise ReadError(
            f"{path.name} is no mask of SBD ({error!r}): expected a file of its `cls` folder"
        ) from error


def read_class_masks(path: Path) -> ClassMasks:
    """A mask file as one plane per class; void is unknown."""
    numbers = read_mask(path)
    inside = numbers == np.arange(1, len(CLASSES) + 1)[:, None, None]
    return ClassMasks(inside, numbers != VOID)


def _photograph(name: str, places: Iterable[Path]) -> Photograph:
    mask = _first(
        [place / where for place in places for where in _mask_files(name)], "mask", name
    )
    path = _first(
        [place / where / f"{name}.jpg" for place in places for where in ("JPEGImages", "img")],
        "photograph",
        name,
    )
    counts = np.bincount(read_mask(mask).ravel(), minlength=VOID + 1)
    labels = (counts[1 : len(CLASSES) + 1] > 0).astype(np.float32)
    return Photograph(name, path, labels, partial(read_class_masks, mask))


def _mask_files(name: str) -> tuple[str, ...]:
    """The best drawn first."""
    return (
        f"SegmentationClass/{name}.png",
        f"SegmentationClassAug/{name}.png",
        f"cls/{name}.mat",
    )


def _first(candidates: list[Path], what: str, name: str) -> Path:
    found = next((path for path in candidates if path.exists()), None)
    if found is None:
        raise ReadError(
            f"no {what} of {name} is there: expected {candidates[0]}, unpack the archive whole"
        )
    return found


def _lists(voc: Path) -> dict[str, list[str]]:
    """Names by split, from VOC's lists or from a table."""
    folder, table = voc / "ImageSets" / "Segmentation", voc / "labels.csv"
    if folder.is_dir():
        return {split: _words(folder / f"{split}.txt") for split in ("train", "val")}
    if not table.exists():
        raise ReadError(f"{voc} holds neither {folder.relative_to(voc)} nor {table.name}")
    listed: dict[str, list[str]] = {"train": [], "val": []}
    for row in rows(table):
        try:
            listed[row["split"]].append(row["image"])
        except KeyError as error:
            raise ReadError(
                f"{table.name} has a row without {error}: expected columns image and split, "
                f"which is train or val"
            ) from error
    return listed


def _sbd_names(sbd: Path) -> list[str]:
    best = sbd / _NO_VAL
    files = [best] if best.exists() else [sbd / name for name in _SBD_LISTS]
    return [name for file in files for name in _words(file)]


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"{path} is no list of images ({error}): unpack it anew") from error


def _describe(splits: dict[str, tuple[Photograph, ...]]) -> str:
    training, validation = len(splits["train"]), len(splits["val"])
    description = (
        f"PASCAL VOC 2012: {training} photographs for training, {validation} for validation"
    )
    if training == TRAINING_IN_PAPER:
        return f"{description}, as in the paper."
    return f"{description}; the paper trained on {TRAINING_IN_PAPER}."
