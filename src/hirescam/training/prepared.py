"""Prepared: scans on the network's grid and organs on its map, kept on disk between runs.

A scan is one compressed file of whole HU: that of a scan of whole HU gives the network's input
bit for bit, any other is rounded by at most 0.5 HU. Regions are some 2 kB each. Both are named
by a hash of the content and the options that made them, so a cache can be shared by many runs.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int8

from hirescam.anatomy import ORGANS
from hirescam.atomic import atomic_write
from hirescam.ct.grid import Cells
from hirescam.ct.packed import SUFFIX, write_packed
from hirescam.ct.preparation import Preparation, place
from hirescam.ct.reading import read_volume
from hirescam.ct.validation import as_read_error, check_hounsfield
from hirescam.ct.volume import Volume
from hirescam.errors import ReadError
from hirescam.models.files import Model
from hirescam.organs.files import read_organs, save_organs
from hirescam.organs.masks import OrganMasks
from hirescam.organs.segment import segment_organs
from hirescam.regions.downsample import (
    Downsampling,
    OrgansOnMap,
    cached_organs_on_map,
    heuristic_organs_on_map,
    organs_on_map,
    regions_key,
)
from hirescam.simulation.dataset_files import read_truth
from hirescam.training.datasets.cases import Case
from hirescam.training.outside import inside_organs, inside_path, lesion_cells, save_inside


def cached_digest(path: Path, folder: Path) -> str:
    """The digest of `path`; noted in `folder` under its name, size and time of change."""
    stand = [
        (part.as_posix(), (stat := part.stat()).st_size, stat.st_mtime_ns)
        for part in _parts(path.absolute())
    ]
    note = folder / f"{hashlib.sha256(repr(stand).encode()).hexdigest()}.txt"
    if note.exists():
        return note.read_text()
    found = digest(path)
    with atomic_write(note) as file:
        file.write(found.encode())
    return found


def digest(path: Path) -> str:
    """SHA-256 of a file, or of the files of a folder in the order of their names."""
    return digest_of(_parts(path))


def digest_of(files: Iterable[Path]) -> str:
    """SHA-256 of files in their order."""
    whole = hashlib.sha256()
    for part in files:
        with part.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def _parts(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    yield from (part for part in sorted(path.rglob("*")) if part.is_file())


MADE_BY = 1
"""Raised whenever the same scan and preparation come to give other voxels."""
SEGMENTED_BY = 3
"""Raised whenever the same scan comes to give other organs."""
LESIONS_BY = 1
"""Raised whenever the same masks come to give other lesion cells."""

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Grid:
    """A network's input and its map: all that scans and regions are prepared for."""

    preparation: Preparation
    cells: tuple[Cells, Cells, Cells]
    downsampling: Downsampling = "centre"
    fraction: float = 0.0
    dilated: bool = False

    @property
    def map_shape(self) -> tuple[int, int, int]:
        slices, rows, columns = (axis.count for axis in self.cells)
        return slices, rows, columns


def grid_of(model: Model, **regions: Any) -> Grid:
    """The grid of a model, whose cells lie where their receptive fields are centred."""
    slices = model.preparation.input_shape[0]
    return Grid(model.preparation, model.network.cells(slices), **regions)


@dataclass(frozen=True)
class Files:
    """Where one prepared scan lies, and of it what was wanted.

    `organs` are on the map, and so are `lesions` of each label, as `lesion_cells` gives them;
    `inside` says which voxels lie in or near each organ.
    """

    voxels: Path
    organs: Path | None
    lesions: Path | None = None
    inside: Path | None = None


def prepare_all(
    cases: Sequence[Case],
    grid: Grid,
    cache: Path,
    *,
    with_organs: bool,
    lesions_of: Sequence[str] = (),
    inside_margin_mm: float | None = None,
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> tuple[Files, ...]:
    """Prepare what is not in the cache yet, by several processes if asked.

    `lesions_of` names the labels whose lesions are wanted, in the order of the cases' labels.
    Raises `ReadError` for a scan or mask that cannot be read; what was prepared is kept.
    """
    work = partial(
        prepare,
        grid=grid,
        cache=cache,
        with_organs=with_organs,
        lesions_of=tuple(lesions_of),
        inside_margin_mm=inside_margin_mm,
    )
    files = []
    with ProcessPoolExecutor(max(jobs, 1), mp_context=get_context("spawn")) as pool:
        made = pool.map(work, cases, chunksize=4) if jobs > 1 else map(work, cases)
        for done, each in enumerate(made, start=1):
            files.append(each)
            on_progress("preparing scans", done, len(cases))
    return tuple(files)


def prepare(
    case: Case,
    grid: Grid,
    cache: Path,
    *,
    with_organs: bool,
    lesions_of: tuple[str, ...] = (),
    inside_margin_mm: float | None = None,
    volume: Volume | None = None,
) -> Files:
    """One scan, and its regions, prepared unless they are in the cache already.

    `volume` is the scan where it has been read, perhaps more leniently than here. That is not
    in its name in the cache: leniency turns refusals into voxels, and never voxels into others.
    """
    content = _content(case, cache)
    ingredients = [MADE_BY, content, grid.preparation.model_dump(mode="json")]
    name = hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()
    voxels = cache / "scans" / f"{name}{SUFFIX}"
    if not voxels.exists():
        scan = _checked(case) if volume is None else volume
        placed = place(scan, grid.preparation).voxels
        limits = np.iinfo(np.int16)
        whole_hu = np.rint(placed).clip(limits.min, limits.max).astype(np.int16)
        write_packed(whole_hu, voxels)
    return Files(
        voxels,
        _organs(case, content, grid, cache) if with_organs else None,
        _lesions(case, content, grid, cache, lesions_of) if lesions_of else None,
        None
        if inside_margin_mm is None
        else _inside(case, content, grid, cache, inside_margin_mm),
    )


def _content(case: Case, cache: Path) -> str:
    """A hash of a scan's files, and which series of them is meant if that is said."""
    digest = cached_digest(case.scan, cache / "digests")
    return f"{digest}-{case.series}" if case.series else digest


def _read(case: Case) -> Volume:
    return read_volume(case.scan, series=case.series)


def _checked(case: Case) -> Volume:
    """The scan, if its values can be Hounsfield units; a cache holds what passed before."""
    scan = _read(case)
    with as_read_error(case.scan):
        try:
            check_hounsfield(scan)
        except ReadError as error:
            raise type(error)(f"{error}, or prepare it with --any-values") from error
    return scan


def _organs(case: Case, content: str, grid: Grid, cache: Path) -> Path:
    source, masks = _organ_source(case, content, cache)
    options = {
        "downsampling": grid.downsampling,
        "fraction": grid.fraction,
        "dilated": grid.dilated,
    }
    key = regions_key(source, grid.preparation, grid.cells, **options)
    folder = cache / "regions"
    cached_organs_on_map(folder, key, grid.map_shape, lambda: _on_map(masks(), grid))
    return folder / f"{key}.npy"


def _organ_source(
    case: Case, content: str, cache: Path
) -> tuple[str, Callable[[], OrganMasks]]:
    """What tells the organs of a scan from others, and how they are had."""
    if case.organs is not None:
        digest = cached_digest(case.organs, cache / "digests")
        return digest, partial(read_masks, case.organs)
    segmented = cache / "organs" / f"{content}-{SEGMENTED_BY}.nii.gz"
    return f"{content} segmented by {SEGMENTED_BY}", partial(_segmented, case, segmented)


def _inside(case: Case, content: str, grid: Grid, cache: Path, margin_mm: float) -> Path:
    """Which voxels lie in or near each organ."""
    source, masks = _organ_source(case, content, cache)
    key = cache / "inside", source, grid.preparation, margin_mm
    path = inside_path(*key)
    if not path.exists():
        made = inside_organs(masks(), grid.preparation, margin_mm=margin_mm)
        save_inside(made, *key)
    return path


def _lesions(
    case: Case, content: str, grid: Grid, cache: Path, labels: tuple[str, ...]
) -> Path:
    """Of each label and cell of the map whether a lesion lies there, if that is known."""
    masks = "none" if case.lesions is None else cached_digest(case.lesions, cache / "digests")
    ingredients = {
        "made_by": LESIONS_BY,
        "source": [content, masks, case.labels.tolist(), labels],
        "preparation": grid.preparation.model_dump(mode="json"),
        "cells": [asdict(axis) for axis in grid.cells],
    }
    name = hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()
    path = cache / "lesions" / f"{name}.npz"
    if not path.exists():
        states = _lesion_states(case, grid, labels)
        with atomic_write(path) as file:
            np.savez_compressed(file, states=states)
    return path


def _lesion_states(
    case: Case, grid: Grid, labels: tuple[str, ...]
) -> Int8[np.ndarray, "label map_slice map_row map_column"]:
    """Absent labels have no lesion; of present ones without a mask nothing is known."""
    present = [label for label, value in zip(labels, case.labels, strict=True) if value == 1]
    found, affine = read_lesions(case.lesions, present)
    scan = _read(case)
    if found and next(iter(found.values())).shape != scan.shape:
        raise ReadError(
            f"the lesion masks of {case.id} have other voxels than its scan: save them on the "
            f"scan's own grid"
        )
    placed = place(scan, grid.preparation)
    masks: dict[str, Bool[np.ndarray, "slice row column"] | None] = {}
    for label, value in zip(labels, case.labels, strict=True):
        masks[label] = np.zeros((1, 1, 1), bool) if value == 0 else found.get(label)
    axes = grid.cells
    return lesion_cells(
        masks,
        np.linalg.inv(placed.affine) @ (scan.affine if affine is None else affine),
        tuple(axis.first for axis in axes),
        tuple(axis.step for axis in axes),
        grid.map_shape,
    )


def read_lesions(
    path: Path | None, labels: Sequence[str]
) -> tuple[dict[str, Bool[np.ndarray, "slice row column"]], np.ndarray | None]:
    """The masks of some labels that a file or folder of lesions holds, and where they lie.

    A folder holds <label>.nii.gz, not 0 in the lesion; a file is a simulated chest's truth.
    """
    if path is None:
        return {}, None
    if not path.is_dir():
        truth = read_truth(path)
        return {label: truth.masks[label] for label in labels if label in truth.masks}, (
            truth.affine
        )
    files = {label: path / f"{label}.nii.gz" for label in labels}
    volumes = {label: read_volume(file) for label, file in files.items() if file.exists()}
    affine = next((volume.affine for volume in volumes.values()), None)
    return {label: volume.voxels > 0 for label, volume in volumes.items()}, affine


def read_prepared_lesions(
    path: Path,
) -> Int8[np.ndarray, "label map_slice map_row map_column"]:
    """What `prepare` kept of a scan's lesions."""
    with np.load(path, allow_pickle=False) as stored:
        return stored["states"]


def _on_map(organs: OrganMasks, grid: Grid) -> OrgansOnMap:
    """As published, a scan without any organ gets the places where organs usually lie."""
    if not organs.codes.any():
        return heuristic_organs_on_map(grid.map_shape)
    return organs_on_map(
        organs,
        grid.preparation,
        grid.cells,
        downsampling=grid.downsampling,
        fraction=grid.fraction,
        dilated=grid.dilated,
    )


def _segmented(case: Case, path: Path) -> OrganMasks:
    """Masks found in the scan, once for all grids and all ways of down-sampling."""
    if not path.exists():
        save_organs(segment_organs(_read(case)), path)
    return read_organs(path)


def read_masks(path: Path) -> OrganMasks:
    """Masks that `hirescam segment` wrote, or the truth of a simulated chest."""
    if path.suffix != ".npz":
        return read_organs(path)
    truth = read_truth(path)
    first = next(iter(truth.organs.values()))
    codes = np.zeros(first.shape, np.uint8)
    for code, organ in enumerate(ORGANS, start=1):
        codes[truth.organs[organ]] = code
    return OrganMasks(codes, truth.affine, method="simulated truth")
