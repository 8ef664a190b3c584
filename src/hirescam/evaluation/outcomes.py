"""Outcomes: what a model says of scans whose truth is known, and where it sees that.

Everything that an evaluation needs of a scan, a few kilobytes of it: tables can then be made,
compared and drawn again without the network. `evaluate` makes them, one forward pass a scan.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int8
from scipy.special import expit
from torch import Tensor

from hirescam.atomic import atomic_write
from hirescam.ct.packed import read_packed
from hirescam.ct.preparation import windowed
from hirescam.errors import ModelError, ReadError
from hirescam.explanation import BESIDE
from hirescam.methods._engine import capture
from hirescam.methods.map_methods import maps_from_capture
from hirescam.metrics.lesions import LESION_MEASURES, lesion_measures
from hirescam.metrics.organ_iou import Definition, organ_ious, scaled
from hirescam.models.files import Model
from hirescam.regions.allowed import Regions
from hirescam.regions.downsample import Downsampling, read_organs_on_map
from hirescam.training.datasets.cases import Case
from hirescam.training.prepared import (
    Files,
    Grid,
    OnProgress,
    grid_of,
    prepare_all,
    read_prepared_lesions,
)

METHODS = BESIDE
"""The two that the paper compares, by name."""
SIGNS = ("positive", "negative")


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Arrays over scans; values of organs are NaN where a label is absent.

    `truth` is 1, 0, or NaN where it is not known. `organ_ious` has a value per threshold of
    `THRESHOLDS`. `outside` is the evidence of either sign that lies outside the allowed region,
    `evidence` all of it, both as sums of the raw map. A network that does not score single
    slices has none in `slice_scores`.

    What follows is None in outcomes of earlier versions. `places` and `organs` tell where
    labels were allowed. `map_sums` are the scaled HiResCAM maps of present labels, added up
    over each half of the scans (`scan_half`); `map_counts` tells of how many. Where lesion
    masks came with the scans, `lesions` are `LESION_MEASURES`, and `lesion_states` are 1 in
    cells of a lesion, −1 beside one or where nothing is known, and 0 elsewhere.
    """

    scans: tuple[str, ...]
    labels: tuple[str, ...]
    truth: Float32[np.ndarray, "scan label"]
    logits: Float32[np.ndarray, "scan label"]
    slice_scores: Float32[np.ndarray, "scan label slice"]
    organ_ious: Float32[np.ndarray, "scan method label threshold"]
    evidence: Float32[np.ndarray, "scan method label sign"]
    outside: Float32[np.ndarray, "scan method label sign"]
    places: Bool[np.ndarray, "scan label organ"] | None = None
    organs: Bool[np.ndarray, "scan organ map_slice map_row map_column"] | None = None
    map_sums: Float32[np.ndarray, "half label map_slice map_row map_column"] | None = None
    map_counts: Float32[np.ndarray, "half label"] | None = None
    lesions: Float32[np.ndarray, "scan method label measure"] | None = None
    lesion_states: Int8[np.ndarray, "scan label map_slice map_row map_column"] | None = None

    @property
    def probabilities(self) -> Float[np.ndarray, "scan label"]:
        """Sigmoid of the logits."""
        return expit(self.logits.astype(float))

    def of(self, scans: Sequence[int]) -> "Outcomes":
        """Some of the scans, by number; sums of maps stay those of all."""
        rows = list(scans)
        names = tuple(self.scans[row] for row in rows)
        arrays = {
            name: values if name in _SUMS else values[rows]
            for name, values in self.arrays.items()
        }
        return Outcomes(names, self.labels, **arrays)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Every array that is there, by name."""
        return {name: values for name in _ARRAYS if (values := getattr(self, name)) is not None}


_ARRAYS = tuple(
    field.name for field in fields(Outcomes) if field.name not in ("scans", "labels")
)
_SUMS = ("map_sums", "map_counts")


def scan_half(scan: str) -> int:
    """0 or 1, by the name of a scan: the half of a set to which it belongs."""
    return crc32(scan.encode()) % 2


def outcome(
    model: Model,
    scan: str,
    x: Float[Tensor, "slice channel row column"],
    truth: Float32[np.ndarray, "label"],
    regions: Regions,
    *,
    lesion_states: Int8[np.ndarray, "label map_slice map_row map_column"] | None = None,
    definition: Definition = "paper",
) -> Outcomes:
    """What `model` says of one scan: one forward pass, all labels, both methods."""
    if regions.labels != model.labels:
        raise ModelError(
            f"the regions are of {len(regions.labels)} labels that are not the model's "
            f"{len(model.labels)}: make them for its labels, in its order"
        )
    network = model.network
    seen = capture(network, x[None].to(next(network.parameters()).device))
    with torch.no_grad():
        slice_scores = network.slice_scores(seen.activation)
    if slice_scores is None:
        slice_scores = seen.scores.new_empty(1, len(model.labels), 0)
    maps = np.stack([_array(maps_from_capture(method, seen)[0]) for method in METHODS])
    allowed = regions.allowed()
    absent = ~regions.present
    ious = np.stack([organ_ious(each, allowed, definition=definition) for each in maps])
    signed = np.stack([np.maximum(maps, 0), np.maximum(-maps, 0)], axis=2)
    evidence = signed.sum(axis=(3, 4, 5))
    outside = (signed * ~allowed[None, :, None]).sum(axis=(3, 4, 5))
    for values in (ious, evidence, outside):
        values[:, absent] = np.nan
    nowhere = ~regions.places.any(axis=1)  # no organ is known in which such a label can lie
    ious[:, nowhere] = np.nan
    outside[:, nowhere] = np.nan
    map_sums, map_counts = _in_half(scan, maps[METHODS.index("hirescam")], regions.present)
    return Outcomes(
        scans=(scan,),
        labels=model.labels,
        truth=truth[None],
        logits=_array(seen.scores),
        slice_scores=_array(slice_scores),
        organ_ious=ious[None].astype(np.float32),
        evidence=evidence[None].astype(np.float32),
        outside=outside[None].astype(np.float32),
        places=regions.places[None] & regions.present[None, :, None],
        organs=regions.organs[None],
        map_sums=map_sums,
        map_counts=map_counts,
        lesions=None if lesion_states is None else _lesions(maps, lesion_states, truth),
        lesion_states=None if lesion_states is None else lesion_states[None],
    )


def _in_half(
    scan: str,
    maps: Float[np.ndarray, "label map_slice map_row map_column"],
    present: Bool[np.ndarray, "label"],
) -> tuple[np.ndarray, np.ndarray]:
    """Scaled maps of present labels in the scan's half, and how many; nothing in the other."""
    known = present & ~np.isnan(maps).any(axis=(1, 2, 3))
    sums, counts = np.zeros((2, *maps.shape), np.float32), np.zeros((2, len(maps)), np.float32)
    sums[scan_half(scan), known] = scaled(maps[known])
    counts[scan_half(scan), known] = 1
    return sums, counts


def _lesions(
    maps: Float[np.ndarray, "method label map_slice map_row map_column"],
    states: Int8[np.ndarray, "label map_slice map_row map_column"],
    truth: Float32[np.ndarray, "label"],
) -> Float32[np.ndarray, "1 method label measure"]:
    values = np.full((1, *maps.shape[:2], len(LESION_MEASURES)), np.nan, np.float32)
    for label in np.flatnonzero(truth == 1).tolist():
        for method, of_method in enumerate(maps):
            values[0, method, label] = lesion_measures(of_method[label], states[label])
    return values


def joined(parts: Sequence[Outcomes]) -> Outcomes:
    """Outcomes of the same model's labels on several sets of scans, as one."""
    if len({part.labels for part in parts}) != 1:
        raise ModelError(
            f"{len(parts)} outcomes of different labels: join those of one model only"
        )
    known = set.intersection(*(set(part.arrays) for part in parts))
    arrays = {
        name: sum(getattr(part, name) for part in parts)
        if name in _SUMS
        else np.concatenate([getattr(part, name) for part in parts])
        for name in _ARRAYS
        if name in known
    }
    scans = tuple(scan for part in parts for scan in part.scans)
    return Outcomes(scans, parts[0].labels, **arrays)


def save_outcomes(outcomes: Outcomes, path: Path) -> None:
    """Write outcomes to one file, whole or not at all."""
    arrays = outcomes.arrays
    names = {"scans": np.array(outcomes.scans), "labels": np.array(outcomes.labels)}
    with atomic_write(path) as file:
        np.savez_compressed(file, allow_pickle=False, **names, **arrays)


def load_outcomes(path: Path) -> Outcomes:
    """Read what `save_outcomes` wrote."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in _ARRAYS if name in file}
        scans, labels = (tuple(file[name].tolist()) for name in ("scans", "labels"))
    return Outcomes(scans, labels, **arrays)


def _array(values: Tensor) -> np.ndarray:
    return values.detach().to("cpu", torch.float32).numpy()


EVERY = 50
"""Scans whose outcomes are written together; at most so many are made again after a stop."""


def evaluate(
    model: Model,
    cases: Sequence[Case],
    cache: Path,
    *,
    keep: Path | None = None,
    downsampling: Downsampling = "centre",
    definition: Definition = "paper",
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Outcomes:
    """Scores, maps against allowed regions, and slice scores of every case.

    Prepared scans and regions are kept in `cache`; outcomes in the folder `keep`, if given,
    from which a stopped evaluation goes on. That folder is this model's and these options'
    alone. Raises `ReadError` for a scan that cannot be read, or a folder of other outcomes.
    """
    grid = grid_of(model, downsampling=downsampling)
    with_lesions = any(case.lesions is not None for case in cases)
    files = prepare_all(
        cases,
        grid,
        cache,
        with_organs=True,
        lesions_of=model.labels if with_lesions else (),
        jobs=jobs,
        on_progress=on_progress,
    )
    parts = []
    for start in range(0, len(cases), EVERY):
        some = slice(start, start + EVERY)
        parts.append(_some(model, cases[some], files[some], grid, definition, keep))
        on_progress("evaluating", min(start + EVERY, len(cases)), len(cases))
    return joined(parts)


def _some(
    model: Model,
    cases: Sequence[Case],
    files: Sequence[Files],
    grid: Grid,
    definition: Definition,
    keep: Path | None,
) -> Outcomes:
    """The outcomes of a few scans: kept ones, or else made and kept."""
    path = keep / f"{cases[0].id}-{len(cases)}.npz" if keep else None
    if path and path.exists():
        kept = load_outcomes(path)
        if (kept.scans, kept.labels) != (tuple(case.id for case in cases), model.labels):
            raise ReadError(
                f"{path.parent.name} keeps outcomes of other scans or labels: give an empty "
                f"folder"
            )
        if kept.organs is not None:  # else of an earlier version, which kept less
            return kept
    made = joined(
        [
            _one(model, case, of_case, grid, definition)
            for case, of_case in zip(cases, files, strict=True)
        ]
    )
    if path:
        save_outcomes(made, path)
    return made


def _one(
    model: Model, case: Case, files: Files, grid: Grid, definition: Definition
) -> Outcomes:
    x = windowed(torch.from_numpy(read_packed(files.voxels)), grid.preparation)
    assert files.organs is not None, "prepared with organs"
    organs = read_organs_on_map(files.organs, grid.map_shape)
    regions = Regions(model.labels, case.labels == 1, case.places, organs)
    states = None if files.lesions is None else read_prepared_lesions(files.lesions)
    return outcome(
        model, case.id, x, case.labels, regions, lesion_states=states, definition=definition
    )
