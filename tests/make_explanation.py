"""Small explanations for tests: a scan, maps with chosen values, no network."""

import dataclasses

import numpy as np

from hirescam.ct.grid import Cells, cell_affine
from hirescam.explanation import Explanation, Provenance
from hirescam.methods._audit import Guarantee, Kind
from make import volume

CELLS = (Cells(1.0, 3.0, 4), Cells(4.0, 3.0, 3), Cells(4.0, 3.0, 3))  # inside 12 × 16 × 16
EXACT = Guarantee(Kind.AFFINE, gap=2e-7, n_probes=16)

PROVENANCE = Provenance(
    model="tiny",
    model_sha256="ab" * 32,
    architecture="AxialNet",
    trained_on="nothing",
    method="hirescam",
    layer="features",
    geometry="receptive-field",
    precision="fp32",
    scan_sha256="cd" * 32,
    hirescam="0.1.0",
    torch="2.13.0",
    notes=("This model has only seen simulated chests.",),
)


def explanation(
    labels=("lung_nodule", "heart_stent"),
    *,
    maps=None,
    seed=0,
    slices=True,
    scan=None,
    **changes,
):
    """An explanation whose maps add up to its scores; each field can be changed by name."""
    random = np.random.default_rng(seed)
    scan = scan or volume(origin=(30.0, 20.0, 10.0), spacing=(1.5, 0.8, 0.8))
    shape = tuple(axis.count for axis in CELLS)
    if maps is None:
        maps = random.normal(scale=0.1, size=(len(labels), *shape))
    maps = np.asarray(maps, np.float32)
    offsets = random.normal(size=len(labels)).astype(np.float32)
    logits = (maps.sum((1, 2, 3), dtype=float) + offsets).astype(np.float32)
    each_slice = maps.sum((2, 3)) * shape[0] + offsets[:, None]
    found = Explanation(
        labels=tuple(labels),
        logits=logits,
        offsets=offsets,
        slice_logits=each_slice if slices else None,
        raw_maps=maps,
        affine=cell_affine(CELLS, scan.affine),
        verdicts=(EXACT,) * len(labels),
        scan=scan,
        input_volume=scan,
        provenance=PROVENANCE,
    )
    return dataclasses.replace(found, **changes)


def map_with(cell, value=1.0):
    """A map of zeros but for one cell."""
    values = np.zeros(tuple(axis.count for axis in CELLS), np.float32)
    values[cell] = value
    return values
