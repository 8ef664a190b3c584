"""Organ occlusion: how a score falls when an organ is filled with its surroundings.

The map predicts how far the score falls: by the evidence that lies in the organ. Occluding the
organ tests that on the network itself, without the map. The filling continues smoothly what
lies around: known values are pulled up a pyramid of ever coarser grids until every gap is
covered, and pushed down again. Gortler et al., "The Lumigraph", SIGGRAPH 1996.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Shaped
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from hirescam.ct.preparation import Preparation, network_input, place_codes
from hirescam.ct.volume import Volume
from hirescam.errors import ModelError, TargetError
from hirescam.explanation.explanation import Explanation
from hirescam.methods.state import eval_mode
from hirescam.models.files import Model
from hirescam.organs.masks import OrganMasks

_RIM_MM = 2.0  # occluded too: voxels at an organ's border hold a part of it
_FACTOR = 2.0  # how far apart two drops of a score may be and still agree
_LITTLE = 0.05  # of a label's whole evidence: no effect to speak of


class Agreement(StrEnum):
    """Whether a score fell as its map predicted when an organ was occluded."""

    AGREES = "agrees"
    LITTLE = "little"
    DIRECTION = "direction"
    DISAGREES = "disagrees"


_AGREEMENT_SENTENCES = {
    Agreement.AGREES: "agrees",
    Agreement.LITTLE: "agrees that it hardly matters",
    Agreement.DIRECTION: "agrees in direction, not in size",
    Agreement.DISAGREES: "disagrees",
}


@dataclass(frozen=True, eq=False)
class OrganOcclusion:
    """Scores before and after an organ was occluded, and the drop that the map predicts.

    `evidence` is the size of each label's whole map, both signs, against which an effect is
    large or small.
    """

    organ: str
    labels: tuple[str, ...]
    before: Float32[np.ndarray, "label"]
    after: Float32[np.ndarray, "label"]
    predicted_drop: Float[np.ndarray, "label"]
    evidence: Float[np.ndarray, "label"]

    @property
    def drops(self) -> Float[np.ndarray, "label"]:
        """How far each score fell; below 0 where it rose."""
        return self.before.astype(float) - self.after

    def agreement(self, label: str) -> Agreement:
        """Whether score and map agree: the same direction, and within a factor of two.

        An organ hardly matters where both are under a twentieth of the label's evidence.
        """
        row = self.labels.index(label)
        fell, predicted_drop = float(self.drops[row]), float(self.predicted_drop[row])
        little = _LITTLE * float(self.evidence[row])
        if max(abs(fell), abs(predicted_drop)) <= little:
            return Agreement.LITTLE
        if fell * predicted_drop <= 0:
            return Agreement.DISAGREES
        close = 1 / _FACTOR <= fell / predicted_drop <= _FACTOR
        return Agreement.AGREES if close else Agreement.DIRECTION

    def sentence(self, label: str) -> str:
        """What happened, what the map predicts, and whether they agree."""
        row = self.labels.index(label)
        fell, predicted_drop = float(self.drops[row]), float(self.predicted_drop[row])
        verb = "lowers" if fell >= 0 else "raises"
        return (
            f"Occluding the {self.organ.replace('_', ' ')} {verb} the score by "
            f"{abs(fell):.2f}; the map has {predicted_drop:+.2f} of evidence there and "
            f"{_AGREEMENT_SENTENCES[self.agreement(label)]}."
        )


def occlude_organ(
    model: Model, explanation: Explanation, organs: OrganMasks | None, organ: str
) -> OrganOcclusion:
    """Fill one organ with its surroundings and run the model again.

    The filling continues what lies around smoothly, never a constant. A lung is then full of
    what its walls are made of, which a network may take for disease: read labels of dense lung
    with that in mind.

    Raises `TargetError` for an organ that has no voxel, or where there are no masks,
    `ModelError` for another model than the one that was explained, `ShapeError` for organs of
    another scan.
    """
    if model.sha256 != explanation.provenance.model_sha256:
        raise ModelError(
            f"model {model.card.name!r} is not the one that was explained: give that one"
        )
    organs = _present(organs, organ)
    shares = explanation.by_organ(organs)
    occluded = without_organ(explanation.input_volume, organs, organ, model.preparation)
    network = model.network
    x = network_input(occluded, model.preparation)[None]
    with eval_mode(network), torch.no_grad():
        after = network(x.to(next(network.parameters()).device))[0]
    return OrganOcclusion(
        organ,
        explanation.labels,
        before=explanation.logits,
        after=after.to("cpu", torch.float32).numpy(),
        predicted_drop=np.array(list(shares.net(organ).values())),
        evidence=np.abs(explanation.raw_maps).sum(axis=(1, 2, 3), dtype=float),
    )


def without_organ(
    input_volume: Volume, organs: OrganMasks, organ: str, preparation: Preparation
) -> Volume:
    """A scan as the network sees it, one organ of it filled with its surroundings."""
    code = organs.organs.index(organ) + 1
    codes = Volume((organs.codes == code).astype(np.int16), organs.affine)
    mask = place_codes(codes, preparation, input_volume=input_volume).voxels > 0
    rim = max(1, round(_RIM_MM / min(input_volume.spacing_mm)))
    voxels = filled_from_around(input_volume.voxels, mask, rim=rim)
    return Volume(voxels, input_volume.affine, input_volume.repairs)


def _present(organs: OrganMasks | None, organ: str) -> OrganMasks:
    """The masks, in which the organ has a voxel."""
    if organs is None:
        raise TargetError(f"no masks say where {organ!r} lies: find organs first")
    sizes = np.bincount(organs.codes.ravel(), minlength=len(organs.organs) + 1)
    there = [name for code, name in enumerate(organs.organs, start=1) if sizes[code]]
    if organ not in there:
        raise TargetError(
            f"no organ {organ!r} can be occluded: the masks hold {', '.join(there) or 'none'}"
        )
    return organs


_AROUND = 16  # voxels of the surroundings that are looked at

Grid = Float[Tensor, "1 1 slice row column"]


def filled_from_around(
    voxels: Shaped[np.ndarray, "slice row column"],
    hidden: Bool[np.ndarray, "slice row column"],
    *,
    rim: int = 0,
) -> Shaped[np.ndarray, "slice row column"]:
    """The same voxels, with those that are `hidden` made up from their surroundings.

    So are those up to `rim` voxels from them.
    """
    filled = voxels.copy()
    if not hidden.any():
        return filled
    (extent,) = ndimage.find_objects(hidden.view(np.uint8))
    box = tuple(
        slice(max(side.start - _AROUND - rim, 0), side.stop + _AROUND + rim) for side in extent
    )
    gap = ndimage.binary_dilation(hidden[box], iterations=rim) if rim else hidden[box]
    if gap.all():
        return filled
    values = torch.from_numpy(voxels[box].astype(np.float32))[None, None]
    made_up = _without_gaps(values, torch.from_numpy(~gap)[None, None])[0, 0].numpy()[gap]
    filled[box][gap] = np.rint(made_up) if voxels.dtype.kind == "i" else made_up
    return filled


def _without_gaps(values: Grid, known: Bool[Tensor, "1 1 slice row column"]) -> Grid:
    """`values` where they are known; elsewhere those of the next coarser grid, made finer."""
    if known.all():
        return values
    halves = [min(2, size) for size in values.shape[2:]]
    weight = F.avg_pool3d(known.float(), halves, ceil_mode=True)
    sums = F.avg_pool3d(torch.where(known, values, 0.0), halves, ceil_mode=True)
    means = torch.where(weight > 0, sums / weight.clamp(min=1e-6), 0.0)
    coarser = _without_gaps(means, weight > 0)
    finer = F.interpolate(coarser, values.shape[2:], mode="trilinear", align_corners=False)
    return torch.where(known, values, finer)
