"""explain: run a model on a scan once, and keep its scores, maps and what they are worth."""

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

import hirescam
from hirescam.ct.grid import Cells, cell_affine, tiled_cells
from hirescam.ct.plausible import check_plausible
from hirescam.ct.prepare import network_input, place
from hirescam.ct.refusal import refusing
from hirescam.ct.volume import Volume
from hirescam.errors import ModelError
from hirescam.explanation.found import Explanation, Provenance
from hirescam.methods.capture import capture
from hirescam.methods.gradcam import gradcam_maps
from hirescam.methods.guarantee import audit_each
from hirescam.methods.hirescam import hirescam_maps
from hirescam.methods.layers import layer_name
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
    are to be explained, such as a phantom's.
    """
    if not any_values:
        with refusing(Path("scan")):
            check_plausible(volume)
    placed = place(volume, model.preparation)
    network = model.network
    device = next(network.parameters()).device
    x = network_input(placed, model.preparation)[None].to(device)
    seen = capture(network, x)
    verdicts, offsets = audit_each(seen, network.scores)
    with torch.no_grad():
        slice_scores = network.slice_scores(seen.activation)
    maps = MAPS[method](seen)[0]
    _refuse_nonsense(seen.scores, maps)
    others = {name: make(seen)[0] for name, make in MAPS.items() if name != method}
    return Explanation(
        labels=model.labels,
        logits=_array(seen.scores[0]),
        offsets=_array(offsets[0]),
        slice_logits=None if slice_scores is None else _array(slice_scores[0]),
        raw_maps=_array(maps),
        affine=cell_affine(_cells(model, maps.shape[1:], geometry), placed.affine),
        verdicts=verdicts,
        scan=volume,
        placed=placed,
        provenance=Provenance(
            model=model.card.name,
            model_sha256=model.sha256,
            architecture=model.card.architecture,
            trained_on=model.card.trained_on,
            method=method,
            layer=layer_name(network, seen.layer),
            geometry=geometry,
            precision=model.precision,
            scan_sha256=fingerprint(volume),
            hirescam=hirescam.__version__,
            torch=torch.__version__,
            notes=model.card.notes,
        ),
        beside={name: _array(made) for name, made in others.items()},
    )


def fingerprint(volume: Volume) -> str:
    """SHA-256 of a scan's voxels and place: the same scan, whatever its file is called."""
    digest = hashlib.sha256(volume.affine.tobytes())
    digest.update(np.ascontiguousarray(volume.voxels).data)
    return digest.hexdigest()


def _cells(
    model: Model, shape: tuple[int, ...], geometry: Geometry
) -> tuple[Cells, Cells, Cells]:
    """Where the map's cells lie on the placed scan's slices, rows and columns."""
    if geometry == "published":
        slices, rows, columns = map(tiled_cells, shape, model.preparation.shape)
        return slices, rows, columns
    return model.network.cells(model.preparation.input_shape[0])


def _refuse_nonsense(scores: Tensor, maps: Tensor) -> None:
    if not (scores.isfinite().all() and maps.isfinite().all()):
        raise ModelError(
            "the network gives scores or maps that are not finite numbers: its weights are "
            "damaged, or its precision is too low; try --precision fp32"
        )


def _array(values: Tensor) -> np.ndarray:
    return values.detach().to("cpu", torch.float32).numpy()
