"""Organs on a map, on disk: three bits a cell, some 2 kB for a scan, found again by a hash.

The name of a file is a hash of everything that made it: of the organ masks, of how the scan
was prepared, of the map's cells and of the way of down-sampling. So a change of any of them
makes another file, and an old one is never taken for it.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from hirescam.anatomy import ORGANS
from hirescam.atomic import atomic_write
from hirescam.ct.grid import Cells
from hirescam.ct.preparation import Preparation
from hirescam.errors import ReadError
from hirescam.regions.downsample import OrgansOnMap

MADE_BY = 1
"""Raised whenever the same ingredients come to give other regions."""


def regions_key(
    source: str,
    preparation: Preparation,
    cells: tuple[Cells, Cells, Cells],
    **options: Any,
) -> str:
    """The name of what `organs_on_map` makes of organ masks, which `source` tells apart.

    `source` is a hash of the masks, or of the scan and how they are found in it; `options` are
    those of `organs_on_map`.
    """
    ingredients = {
        "made_by": MADE_BY,
        "source": source,
        "preparation": preparation.model_dump(mode="json"),
        "cells": [asdict(axis) for axis in cells],
        "options": options,
    }
    return hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()


def save_organs_on_map(organs: OrgansOnMap, path: Path) -> Path:
    """Write regions as packed bits. Raises `WriteError`; nothing half-written is left."""
    with atomic_write(path) as file:
        np.save(file, np.packbits(organs), allow_pickle=False)
    return path


def read_organs_on_map(path: Path, shape: tuple[int, int, int]) -> OrgansOnMap:
    """Regions on a map of `shape`. Raises `ReadError` if they are another map's or damaged."""
    whole = (len(ORGANS), *shape)
    try:
        bits = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ReadError(f"{path.name} holds no regions ({error}): delete it") from error
    if bits.dtype != np.uint8 or bits.shape != (-(-prod(whole) // 8),):
        raise ReadError(f"{path.name} holds regions of another map than {shape}: delete it")
    return np.unpackbits(bits, count=prod(whole)).reshape(whole).astype(bool)


def cached_organs_on_map(
    folder: Path, key: str, shape: tuple[int, int, int], make: Callable[[], OrgansOnMap]
) -> OrgansOnMap:
    """Regions from `folder`, made and kept there if they are missing."""
    path = folder / f"{key}.npy"
    if not path.exists():
        save_organs_on_map(make(), path)
    return read_organs_on_map(path, shape)
