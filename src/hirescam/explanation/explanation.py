"""Explanation: what a model says of a scan, where it saw that, and what the map is worth.

`explain` runs the model once and keeps its scores, its maps and their guarantees.
"""

import hashlib
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32, Float64
from scipy.special import expit
from torch import Tensor

import hirescam
from hirescam.ct.grid import Cells, cell_affine, onto, tiled_cells
from hirescam.ct.preparation import network_input, place
from hirescam.ct.validation import check_hounsfield
from hirescam.ct.volume import Volume
from hirescam.errors import HirescamError, ModelError, ReadError, VoxelError
from hirescam.explanation.organ_shares import OrganShares, organ_shares, organs_in_cells
from hirescam.methods._audit import Guarantee, audit_each
from hirescam.methods._engine import capture, layer_name, replay
from hirescam.methods.dataflow import DataFlow
from hirescam.methods.map_methods import MAP_METHODS, OUTPUT_LEVEL, maps_from_capture
from hirescam.methods.state import restored_state
from hirescam.models.files import Model
from hirescam.models.wrap import WrappedNetwork
from hirescam.organs.masks import OrganMasks


@dataclass(frozen=True)
class Provenance:
    """What made an explanation, for whoever must judge or repeat it."""

    model: str
    model_sha256: str
    architecture: str
    trained_on: str
    method: str
    layer: str
    geometry: str
    precision: str
    scan_sha256: str
    hirescam: str
    torch: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Explanation:
    """Scores, maps and guarantees of one scan, one row per label.

    `raw_maps` are signed, on the network's grid, in the score's own unit: where a guarantee
    holds, a label's map sums to its score minus its offset. `affine` places their cells in
    the patient. `input_volume` is the scan as the network saw it. `other_maps` holds the maps
    that other methods make of the same pass, for comparison.
    """

    labels: tuple[str, ...]
    logits: Float32[np.ndarray, "label"]
    offsets: Float32[np.ndarray, "label"]
    slice_logits: Float32[np.ndarray, "label slice"] | None
    raw_maps: Float32[np.ndarray, "label slice row column"]
    affine: Float64[np.ndarray, "4 4"]
    verdicts: tuple[Guarantee, ...]
    scan: Volume
    input_volume: Volume
    provenance: Provenance
    other_maps: Mapping[str, Float32[np.ndarray, "label slice row column"]] = field(
        default_factory=dict
    )

    @property
    def scores(self) -> dict[str, float]:
        """Logit of each label."""
        return dict(zip(self.labels, self.logits.tolist(), strict=True))

    @property
    def probabilities(self) -> dict[str, float]:
        """Sigmoid of each score."""
        probabilities = expit(self.logits.astype(np.float64))
        return dict(zip(self.labels, probabilities.tolist(), strict=True))

    @property
    def slice_scores(self) -> dict[str, Float32[np.ndarray, "slice"]]:
        """Score of each label on each slice group, head to feet; empty where there are none."""
        if self.slice_logits is None:
            return {}
        return dict(zip(self.labels, self.slice_logits, strict=True))

    @property
    def maps(self) -> dict[str, Float32[np.ndarray, "slice row column"]]:
        """Raw signed map of each label on the network's grid."""
        return dict(zip(self.labels, self.raw_maps, strict=True))

    @property
    def guarantees(self) -> dict[str, Guarantee]:
        """Verdict on the map of each label."""
        return dict(zip(self.labels, self.verdicts, strict=True))

    def map_on_scan(self, label: str) -> Float32[np.ndarray, "slice row column"]:
        """The map of `label` on the scan's own grid, for looking: its sum means nothing."""
        return onto(self.maps[label], self.affine, self.scan.shape, self.scan.affine)

    def on_scan(self, label: str) -> Float32[np.ndarray, "slice row column"]:
        """The former name of `map_on_scan`."""
        warnings.warn(
            "Explanation.on_scan is called map_on_scan now; this name goes with 0.3",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.map_on_scan(label)

    def by_organ(self, organs: OrganMasks) -> OrganShares:
        """How much of each label's evidence lies in each organ, and how much where none is.

        A cell counts for an organ as far as its volume lies in it. Where organs overlap, as
        heuristic ones do, the later one counts. Raises `ShapeError` for organs that were found
        on another scan's grid.
        """
        in_cells = organs_in_cells(
            organs, self.scan, self.input_volume, self.raw_maps.shape[1:], self.affine
        )
        return organ_shares(self.labels, self.raw_maps, in_cells)

    def show(self, label: str) -> Any:
        """A viewer of the scan with the map of `label`, for a notebook; needs ipyniivue."""
        from hirescam.summary.notebook import show  # it lies above, and is rarely wanted

        return show(self, label)

    def _repr_html_(self) -> str:
        from hirescam.summary.notebook import as_html

        return as_html(self)


Geometry = Literal["receptive-field", "published"]
BESIDE = ("hirescam", "gradcam")
"""The methods whose maps are made beside the one asked for, unless others are named."""


def check_methods(*methods: str) -> None:
    """Raise `HirescamError` for a name whose maps `explain` cannot make of its forward pass."""
    for method in methods:
        if method in OUTPUT_LEVEL:
            continue
        if method in MAP_METHODS:
            raise HirescamError(
                f"{method} needs runs of the network of its own: for it use "
                f"hirescam.methods.{method}(model.network, x), here one of "
                f"{', '.join(OUTPUT_LEVEL)}"
            )
        _check_known("method", method, OUTPUT_LEVEL)


def explain(
    model: Model,
    volume: Volume,
    *,
    method: str = "hirescam",
    also: Sequence[str] = BESIDE,
    geometry: Geometry = "receptive-field",
    any_values: bool = False,
) -> Explanation:
    """Say for every label of `model` how likely it is in `volume` and which places made it so.

    All labels cost one forward pass. `method` and `also`, whose maps become `other_maps`, are
    names of `methods.OUTPUT_LEVEL`. `geometry` places the map's cells in the patient: where
    their receptive fields are centred, or stretched over the slice as in the published figures.

    Raises `VoxelError` for values that cannot be a CT of a person in HU, unless `any_values`
    are to be explained, such as a phantom's; `ModelError` for weights that are not float32
    above the explained layer, or give no numbers.
    """
    _check(model, volume, (method, *also), geometry, any_values)
    input_volume = place(volume, model.preparation)
    network = model.network
    device = next(network.parameters()).device
    x = network_input(input_volume, model.preparation)[None].to(device)
    seen = capture(network, x, labels=model.labels)
    own = isinstance(network, WrappedNetwork)
    flow = DataFlow() if own else None
    above = replay(seen, x, flow) if own else network.scores
    with (
        restored_state(network),
        torch.no_grad(),
    ):  # scores above the layer, as they were captured
        verdicts, offsets = audit_each(seen, above, flow=flow)
        slice_scores = network.slice_scores(seen.activation)
    maps = {name: maps_from_capture(name, seen)[0] for name in dict.fromkeys((method, *also))}
    if isinstance(network, WrappedNetwork):  # whose axes may be turned inside
        order = (0, *(1 + axis for axis in network.map_order(len(x[0]))))
        maps = {name: each.permute(order) for name, each in maps.items()}
    chosen = maps.pop(method)
    _refuse_nonsense(volume, seen.scores, chosen)
    cells = GEOMETRIES[geometry](model, chosen.shape[1:])
    return Explanation(
        labels=model.labels,
        logits=_array(seen.scores[0]),
        offsets=_array(offsets[0]),
        slice_logits=None if slice_scores is None else _array(slice_scores[0]),
        raw_maps=_array(chosen),
        affine=cell_affine(cells, input_volume.affine),
        verdicts=verdicts,
        scan=volume,
        input_volume=input_volume,
        provenance=_provenance(
            model, volume, method, layer_name(network, seen.layer), geometry
        ),
        other_maps={name: _array(made) for name, made in maps.items()},
    )


def fingerprint(volume: Volume) -> str:
    """SHA-256 of a scan's voxels and place: the same scan, whatever its file is called."""
    digest = hashlib.sha256(volume.affine.tobytes())
    digest.update(np.ascontiguousarray(volume.voxels).data)
    return digest.hexdigest()


def _provenance(
    model: Model, volume: Volume, method: str, layer: str, geometry: Geometry
) -> Provenance:
    return Provenance(
        model=model.card.name,
        model_sha256=model.sha256,
        architecture=model.card.architecture,
        trained_on=model.card.trained_on,
        method=method,
        layer=layer,
        geometry=geometry,
        precision=model.precision,
        scan_sha256=fingerprint(volume),
        hirescam=hirescam.__version__,
        torch=torch.__version__,
        notes=model.card.notes,
    )


def _where_centred(model: Model, shape: tuple[int, ...]) -> tuple[Cells, Cells, Cells]:
    return model.network.cells(model.preparation.input_shape[0])


def _as_published(model: Model, shape: tuple[int, ...]) -> tuple[Cells, Cells, Cells]:
    slices, rows, columns = map(tiled_cells, shape, model.preparation.shape)
    return slices, rows, columns


GEOMETRIES: dict[Geometry, Callable[[Model, tuple[int, ...]], tuple[Cells, Cells, Cells]]] = {
    "receptive-field": _where_centred,
    "published": _as_published,
}
"""Where a map's cells lie on the placed scan's slices, rows and columns."""


def _check(
    model: Model, volume: Volume, methods: Sequence[str], geometry: str, any_values: bool
) -> None:
    if isinstance(model, torch.nn.Module):
        raise ModelError(
            f"a {type(model).__name__} is a network without labels or preparation: make a "
            f"model of it with hirescam.wrap(network, labels=[…], preparation=…); for images "
            f"use hirescam.methods.hirescam(network, x)"
        )
    check_methods(*methods)
    _check_known("geometry", geometry, GEOMETRIES)
    head = getattr(model.network, "head", model.network)
    if any(weight.dtype != torch.float32 for weight in head.parameters()):
        raise ModelError(
            "the network's head is not float32, in which scores and maps agree: load the model "
            "again, and for half precision use hirescam.accelerate(model, precision='bf16')"
        )
    if not any_values:
        try:
            check_hounsfield(volume)
        except ReadError as error:
            raise type(error)(f"scan: {error}") from error


def _check_known(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise HirescamError(f"no {what} is called {name!r}: choose one of {', '.join(known)}")


def _refuse_nonsense(volume: Volume, scores: Tensor, maps: Tensor) -> None:
    if scores.isfinite().all() and maps.isfinite().all():
        return
    if not np.isfinite(volume.voxels).all():
        raise VoxelError(
            "the scan holds voxels that are NaN or infinite: put air (−1000 HU) in their place"
        )
    raise ModelError(
        "the network gives scores or maps that are not finite numbers: its weights are "
        "damaged, or its precision is too low; try --precision fp32"
    )


def _array(values: Tensor) -> np.ndarray:
    return values.detach().to("cpu", torch.float32).numpy()
