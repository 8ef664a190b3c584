"""Hiding: how a score falls when an organ is filled with its surroundings, as foretold or not.

The map foretells how far the score falls: by the evidence that lies in the organ. Hiding it
tests that on the network itself, without the map.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from jaxtyping import Float, Float32

from hirescam.ct.prepare import Preparation, network_input, place_codes
from hirescam.ct.volume import Volume
from hirescam.errors import ModelError, TargetError
from hirescam.explanation.fill import filled_from_around
from hirescam.explanation.found import Explanation
from hirescam.methods.state import evaluating
from hirescam.models.files import Model
from hirescam.organs.masks import OrganMasks

_RIM_MM = 2.0  # hidden too: voxels at an organ's border hold a part of it
_FACTOR = 2.0  # how far apart two falls of a score may be and still agree
_LITTLE = 0.05  # of a label's whole evidence: no effect to speak of


class Agreement(StrEnum):
    """What hiding an organ says of a map."""

    AGREES = "agrees"
    LITTLE = "agrees that it hardly matters"
    DIRECTION = "agrees in direction, not in size"
    DISAGREES = "disagrees"


@dataclass(frozen=True, eq=False)
class HiddenOrgan:
    """Scores before and after an organ was hidden, and how far the map said they would fall.

    `evidence` is the size of each label's whole map, both signs, against which an effect is
    large or small.
    """

    organ: str
    labels: tuple[str, ...]
    before: Float32[np.ndarray, "label"]
    after: Float32[np.ndarray, "label"]
    foretold: Float[np.ndarray, "label"]
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
        fell, foretold = float(self.drops[row]), float(self.foretold[row])
        little = _LITTLE * float(self.evidence[row])
        if max(abs(fell), abs(foretold)) <= little:
            return Agreement.LITTLE
        if fell * foretold <= 0:
            return Agreement.DISAGREES
        close = 1 / _FACTOR <= fell / foretold <= _FACTOR
        return Agreement.AGREES if close else Agreement.DIRECTION

    def sentence(self, label: str) -> str:
        """What happened, what the map had foretold, and whether they agree."""
        row = self.labels.index(label)
        fell, foretold = float(self.drops[row]), float(self.foretold[row])
        verb = "lowers" if fell >= 0 else "raises"
        return (
            f"Hiding the {self.organ.replace('_', ' ')} {verb} the score by {abs(fell):.2f}; "
            f"the map has {foretold:+.2f} of evidence there and {self.agreement(label)}."
        )


def hide_organ(
    model: Model, found: Explanation, organs: OrganMasks | None, organ: str
) -> HiddenOrgan:
    """Fill one organ with its surroundings and let the model look again.

    The filling continues what lies around smoothly, never a constant. A lung is then full of
    what its walls are made of, which a network may take for disease: read labels of dense lung
    with that in mind.

    Raises `TargetError` for an organ that has no voxel, or where there are no masks,
    `ModelError` for another model than the one that was explained, `ShapeError` for organs of
    another scan.
    """
    if model.sha256 != found.provenance.model_sha256:
        raise ModelError(
            f"model {model.card.name!r} is not the one that was explained: give that one"
        )
    organs = _present(organs, organ)
    shares = found.by_organ(organs)
    hidden = without_organ(found.placed, organs, organ, model.preparation)
    network = model.network
    x = network_input(hidden, model.preparation)[None]
    with evaluating(network), torch.no_grad():
        after = network(x.to(next(network.parameters()).device))[0]
    return HiddenOrgan(
        organ,
        found.labels,
        before=found.logits,
        after=after.to("cpu", torch.float32).numpy(),
        foretold=np.array(list(shares.net(organ).values())),
        evidence=np.abs(found.raw_maps).sum(axis=(1, 2, 3), dtype=float),
    )


def without_organ(
    placed: Volume, organs: OrganMasks, organ: str, preparation: Preparation
) -> Volume:
    """A scan as the network sees it, one organ of it filled with its surroundings."""
    code = organs.organs.index(organ) + 1
    codes = Volume((organs.codes == code).astype(np.int16), organs.affine)
    mask = place_codes(codes, preparation).voxels > 0
    rim = max(1, round(_RIM_MM / min(placed.spacing_mm)))
    voxels = filled_from_around(placed.voxels, mask, rim=rim)
    return Volume(voxels, placed.affine, placed.repairs)


def _present(organs: OrganMasks | None, organ: str) -> OrganMasks:
    """The masks, in which the organ has a voxel."""
    if organs is None:
        raise TargetError(f"no masks say where {organ!r} lies: find organs first")
    sizes = np.bincount(organs.codes.ravel(), minlength=len(organs.organs) + 1)
    there = [name for code, name in enumerate(organs.organs, start=1) if sizes[code]]
    if organ not in there:
        raise TargetError(
            f"no organ {organ!r} can be hidden: the masks hold {', '.join(there) or 'none'}"
        )
    return organs
