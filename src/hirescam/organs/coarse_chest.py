"""CoarseChest: what the search for disease knows of a chest, on the coarse grid."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hirescam.organs.coarse import COARSE_MM, CoarseField, CoarseMask, coarse
from hirescam.organs.rib_cage import rib_cage
from hirescam.organs.sides import backs
from hirescam.organs.thorax import diaphragm
from hirescam.organs.work_grid import Codes, Field, Mask

Floor = Float[np.ndarray, "back2 left2"]

# Of the midplane and of the backs of the lungs: where heart and great vessels lie.
_VESSELS_RIGHT_MM, _VESSELS_LEFT_MM, _VESSELS_BACK_MM = 45.0, 50.0, 30.0
_AORTA_LEFT_MM, _AORTA_BACK_MM = 40.0, 14.0
_HEART_BACK_MM, _HEART_DEPTH_MM = 38.0, 15.0
_HEART_TOP = 0.42  # of the way from the lungs' tops to the dome of the diaphragm
_WIDENS_MM = 160.0  # over that way: how fast the left border of a large heart leads outwards


@dataclass(frozen=True, eq=False)
class CoarseChest:
    """Lungs and what is around them; `middle` counts columns, `floor` slices.

    `zone` is where dense tissue that hangs together with the midplane is heart or vessel,
    `soft` all in the rib cage that is neither lung nor airway, `wall` the ribs.
    """

    hu: CoarseField
    lung: CoarseMask
    wall: CoarseMask
    zone: CoarseMask
    soft: CoarseMask
    floor: Floor
    middle: float

    @property
    def top(self) -> int:
        """The first slice with lung."""
        return int(np.argmax(self.lung.any(axis=(1, 2))))

    @property
    def dome(self) -> float:
        """How far down the highest tenth of the diaphragm under the lungs lies."""
        return _dome(self.lung, self.floor)


def coarse_chest(
    hu: Field, codes: Codes, trunk: Mask, tubes: Mask, middle: float
) -> CoarseChest:
    """The chest around lungs that are already told right from left; there must be some."""
    lungs = codes > 0
    lung = coarse(lungs) > 0.5
    floor = coarse(np.broadcast_to(diaphragm(codes, middle), (2, *hu.shape[1:])))[0] / 2
    zone = _heart_and_vessels(lung, floor, middle / 2)
    cage = rib_cage(hu, trunk, lungs, middle)
    before_left_lung = np.flip(np.maximum.accumulate(np.flip(lung, 2), axis=2), 2)
    contrast = cage.wall & zone & before_left_lung  # in heart and vessels, as dense as bone
    return CoarseChest(
        hu=coarse(hu),
        lung=lung,
        wall=cage.wall,
        zone=zone,
        soft=(cage.room | contrast) & ~lung & (coarse(tubes) < 0.3),
        floor=floor,
        middle=middle / 2,
    )


def places(mask: CoarseMask) -> tuple[np.ndarray, ...]:
    """Indices down, back and left, each along its own axis."""
    down, back, left = mask.shape
    return tuple(np.ogrid[:down, :back, :left])


def _heart_and_vessels(lung: CoarseMask, floor: Floor, middle: float) -> CoarseMask:
    """In front of the spine, on both sides of the midplane; lower down further to the left."""
    down, back, left = places(lung)
    rear, top = backs(lung), int(np.argmax(lung.any(axis=(1, 2))))
    near = _VESSELS_LEFT_MM / COARSE_MM
    forward = np.clip(
        (rear - _HEART_BACK_MM / COARSE_MM - back) * COARSE_MM / _HEART_DEPTH_MM, 0, 1
    )
    below_top = np.maximum((down - top) / (_dome(lung, floor) - top) - _HEART_TOP, 0)
    leftmost = near + forward * below_top * _WIDENS_MM / COARSE_MM
    before_spine = (
        (left > middle - _VESSELS_RIGHT_MM / COARSE_MM)
        & (left < middle + leftmost)
        & (back < rear - _VESSELS_BACK_MM / COARSE_MM)
    )
    aorta = (left > middle) & (left < middle + _AORTA_LEFT_MM / COARSE_MM)
    return before_spine | (aorta & (back < rear - _AORTA_BACK_MM / COARSE_MM))


def _dome(lung: CoarseMask, floor: Floor) -> float:
    return float(np.quantile(floor[lung.any(axis=0)], 0.1))
