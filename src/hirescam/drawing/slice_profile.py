"""Slice profile: how one label's score runs along the slices, as points of a small drawing."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hirescam.drawing.numbers import signed

WIDTH, HEIGHT = 560, 210
LEFT, RIGHT, TOP, BOTTOM = 64, 548, 16, 166  # the curve's box; the axes' words lie around it
_CROWDED = 0.12  # of the height: a number closer than this to another would cover it
_FROM_TO = {
    "I": ("head", "feet"),
    "S": ("feet", "head"),
    "P": ("front", "back"),
    "A": ("back", "front"),
    "L": ("right", "left"),
    "R": ("left", "right"),
}


@dataclass(frozen=True)
class Profile:
    """What the drawing shows: x to the right and y down, in its own units."""

    curve: tuple[tuple[float, float], ...]
    ticks: tuple[tuple[float, str], ...]
    zero: float
    peak: float
    start: str
    end: str
    sentence: str


def slice_profile(
    scores: Float[np.ndarray, "slice"], peak_slice: int, orientation: str
) -> Profile:
    """The curve of `scores`, zero, and the slice of the map's peak.

    `orientation` says where the slices lead, as in `Volume.orientation`.
    """
    low, high = min(0.0, float(scores.min())), max(0.0, float(scores.max()))
    if low == high:
        low, high = -1.0, 1.0
    x = np.interp(np.arange(len(scores)), [0, max(len(scores) - 1, 1)], [LEFT, RIGHT])
    y = np.interp(scores, [low, high], [BOTTOM, TOP])
    zero = float(np.interp(0, [low, high], [BOTTOM, TOP]))
    ticks = [(float(BOTTOM), signed(low)), (float(TOP), signed(high))]
    if min(BOTTOM - zero, zero - TOP) > _CROWDED * (BOTTOM - TOP):
        ticks.append((zero, signed(0.0)))
    start, end = _FROM_TO[orientation[0]]
    return Profile(
        curve=tuple(zip(x.round(1).tolist(), y.round(1).tolist(), strict=True)),
        ticks=tuple(ticks),
        zero=zero,
        peak=float(x[peak_slice]),
        start=start,
        end=end,
        sentence=(
            f"Score of {len(scores)} slice groups from {start} to {end}: between "
            f"{signed(float(scores.min()))} and {signed(float(scores.max()))}, the highest in "
            f"group {int(scores.argmax()) + 1}, the map's peak in group {peak_slice + 1}"
        ),
    )
