"""explain: run a model on a scan once, and keep its scores, maps and what they are worth."""

import hashlib
from collections.abc import Callable, Collection
from typing import Literal

import numpy as np
import torch
from torch import Tensor

import hirescam
from hirescam.ct.grid import Cells, cell_affine, tiled_cells
from hirescam.ct.plausible import check_plausible
from hirescam.ct.prepare import network_input, place
from hirescam.ct.volume import Volume
from hirescam.errors import HirescamError, ModelError, ReadError, VoxelError
from hirescam.explanation.found import Explanation, Provenance
from hirescam.methods.capture import capture
from hirescam.methods.gradcam import gradcam_maps
from hirescam.methods.guarantee import audit_each
from hirescam.methods.hirescam import hirescam_maps
from hirescam.methods.layers import layer_name
from hirescam.methods.state import borrowed
from hirescam.models.files import Model

Method = Literal["hirescam", "gradcam"]
Geometry = Literal["receptive-field", "published"]
MAPS = {"hirescam": hirescam_maps, "gradcam": gradcam_maps}


def explain(
    model: Model,
    volume: Volume,
    *,
    method: Method = "hirescam",
    geometry: Geometry = "receptive-field",
    any_values: bool = False,
) -> Explanation:
    """Say for every label of `model` how likely it is in `volume` and which places made it so.

    All labels cost one forward pass. `geometry` places the map's cells in the patient: where
    their receptive fields are centred, or stretched over the slice as in the published figures.

    Raises `VoxelError` for values that cannot be a CT of a person in HU, unless `any_values`
    are to be explained, such as a phantom's; `ModelError` for weights that are not float32
    above the explained layer, or give no numbers.
    """
    _check(model, volume, method, geometry, any_values)
    placed = place(volume, model.preparation)
    network = model.network
    device = next(network.parameters()).device
    x = network_input(placed, model.preparation)[None].to(device)
    seen = capture(network, x)
    with borrowed(network), torch.no_grad():  # scores above the layer, as they were captured
        verdicts, offsets = audit_each(seen, network.scores)
        slice_scores = network.slice_scores(seen.activation)
    maps = {name: make(seen)[0] for name, make in MAPS.items()}
    chosen = maps.pop(method)
    _refuse_nonsense(volume, seen.scores, chosen)
    cells = GEOMETRIES[geometry](model, chosen.shape[1:])
    return Explanation(
        labels=model.labels,
        logits=_array(seen.scores[0]),
        offsets=_array(offsets[0]),
        slice_logits=None if slice_scores is None else _array(slice_scores[0]),
        raw_maps=_array(chosen),
        affine=cell_affine(cells, placed.affine),
        verdicts=verdicts,
        scan=volume,
        placed=placed,
        provenance=_provenance(
            model, volume, method, layer_name(network, seen.layer), geometry
        ),
        beside={name: _array(made) for name, made in maps.items()},
    )


def fingerprint(volume: Volume) -> str:
    """SHA-256 of a scan's voxels and place: the same scan, whatever its file is called."""
    digest = hashlib.sha256(volume.affine.tobytes())
    digest.update(np.ascontiguousarray(volume.voxels).data)
    return digest.hexdigest()


def _provenance(
    model: Model, volume: Volume, method: Method, layer: str, geometry: Geometry
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


def _check(model: Model, volume: Volume, method: str, geometry: str, any_values: bool) -> None:
    _check_known("method", method, MAPS)
    _check_known("geometry", geometry, GEOMETRIES)
    if any(weight.dtype != torch.float32 for weight in model.network.head.parameters()):
        raise ModelError(
            "the network's head is not float32, in which scores and maps agree: load the model "
            "again, and for half precision use hirescam.accelerate(model, precision='bf16')"
        )
    if not any_values:
        try:
            check_plausible(volume)
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
