"""check_plausible: whether values can be the Hounsfield units of a person.

Every scan of a trunk holds air or lung and soft tissue, with little between them. Pictures,
stored numbers that were never rescaled, and normalised arrays do not.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Shaped

from hirescam.ct.volume import Volume
from hirescam.errors import GeometryError, VoxelError

# Bands in HU, and what they must hold. Of ten real scans of seven sources, crops, contrast and
# emphysema among them, the nearest to each bound had 0.01 %, 27 %, 22 %, 64 %, 8 %, 8.7-fold.
_BELOW_AIR, _MOST_BELOW = (-1990.0, -1150.0), 0.05  # padding is stored as −2000 or less
_AIR_OR_LUNG, _LEAST_AIR = (-1100.0, -500.0), 0.01
_SOFT_TISSUE, _LEAST_SOFT, _LEAST_SOFT_OF_BODY = (-150.0, 150.0), 0.03, 0.25
_BODY = (-500.0, np.inf)
_DENSE, _MOST_DENSE_OF_BODY = (500.0, 1250.0), 0.25
_BETWEEN, _LEAST_PEAK = (-500.0, -200.0), 2.0
_MIRRORED = (-1100.0, -1030.0)

_GREY_LEVELS = 256
_SPACING_MM = (0.05, 20.0)
_FARTHEST_MM = 10_000.0  # tables move by two metres
_SAMPLES_PER_AXIS = 128

# What the values could be: if undone, they would be plausible.
_GUESSES: tuple[tuple[str, Callable[[np.ndarray], np.ndarray]], ...] = (
    ("an inverted scan", lambda it: -it),
    ("stored numbers that were never rescaled, 1024 too high", lambda it: it - 1024),
    ("stored numbers that were never rescaled, 8192 too high", lambda it: it - 8192),
    ("a scan rescaled twice, 1024 too low", lambda it: it + 1024),
    ("a scan rescaled twice, 8192 too low", lambda it: it + 8192),
    ("a scan divided by 1000", lambda it: it * 1000),
    ("a scan normalised from −1000 … 1000 HU to 0 … 1", lambda it: it * 2000 - 1000),
    ("a scan normalised for a network", lambda it: (it + 0.449) * 1800 - 1000),
    ("an 8-bit picture of −1000 … 1000 HU", lambda it: it * (2000 / 255) - 1000),
)


def check_plausible(volume: Volume) -> None:
    """Refuse what cannot be a CT of a person in HU: pictures, raw, inverted, normalised values.

    Raises `VoxelError` with what was found, what was expected and what the values could be
    instead; `GeometryError` for voxels of no human size or place. Takes some 50 ms.
    """
    _check_size(volume)
    values = sample(volume.voxels)
    fault = find_fault(values)
    if fault:
        raise VoxelError(
            f"is no CT in Hounsfield units: {fault}, and values run from {values.min():g} to "
            f"{values.max():g}{_guess(values)}: give the CT itself, rescaled to HU once"
        )


def _check_size(volume: Volume) -> None:
    if not all(_SPACING_MM[0] <= spacing <= _SPACING_MM[1] for spacing in volume.spacing_mm):
        found = " × ".join(f"{spacing:.4g}" for spacing in volume.spacing_mm)
        raise GeometryError(
            f"voxels lie {found} mm apart, expected {_SPACING_MM[0]:g} to {_SPACING_MM[1]:g}: "
            f"write the scan again with its spacing in mm"
        )
    far_mm = np.abs(volume.affine[:3, 3]).max()
    if far_mm > _FARTHEST_MM:
        raise GeometryError(
            f"its first voxel lies {far_mm:.4g} mm from the scanner's centre, expected at most "
            f"{_FARTHEST_MM:g}: write the scan again with its place in mm"
        )


def find_fault(values: Shaped[np.ndarray, "..."]) -> str | None:
    """What keeps values from being a CT in HU, with its numbers; None if nothing does."""
    levels = len(np.unique(values))
    if levels <= _GREY_LEVELS < values.size / 10:
        return f"its values take on {levels} levels, no more than an 8-bit picture"
    return _tissue_fault(values)


def _tissue_fault(values: Shaped[np.ndarray, "..."]) -> str | None:
    bands = (_BELOW_AIR, _AIR_OR_LUNG, _SOFT_TISSUE, _BODY, _DENSE, _BETWEEN)
    below, air, soft, body, dense, between = (_share(values, band) for band in bands)
    faults = (
        (
            below > _MOST_BELOW,
            f"{below:.1%} of it is darker than air (−1990 to −1150 HU), expected at most 5 %",
        ),
        (
            air < _LEAST_AIR,
            f"{air:.1%} of it is air or lung (−1100 to −500 HU), expected at least 1 %",
        ),
        (
            soft < max(_LEAST_SOFT, _LEAST_SOFT_OF_BODY * body),
            f"{soft:.1%} of it is soft tissue (−150 to 150 HU), expected at least 3 %, and a "
            f"quarter of the {body:.1%} that are body",
        ),
        (
            dense > _MOST_DENSE_OF_BODY * body,
            f"{dense:.1%} of it is dense bone (500 to 1250 HU), expected at most a quarter of "
            f"the {body:.1%} that are body",
        ),
        (
            soft < _LEAST_PEAK * between,
            f"{between:.1%} of it lies between lung and soft tissue (−500 to −200 HU), "
            f"expected at most half as much as soft tissue, which is {soft:.1%}",
        ),
    )
    return next((said for wrong, said in faults if wrong), None)


def sample(voxels: Shaped[np.ndarray, "slice row column"]) -> Shaped[np.ndarray, "_ _ _"]:
    """Some two million voxels, evenly chosen: enough to know values by, whatever the size."""
    steps = [max(1, length // _SAMPLES_PER_AXIS) for length in voxels.shape]
    return voxels[:: steps[0], :: steps[1], :: steps[2]]


def _share(values: Shaped[np.ndarray, "..."], band: tuple[float, float]) -> float:
    return float(np.mean((values >= band[0]) & (values < band[1])))


def _guess(values: Shaped[np.ndarray, "..."]) -> str:
    """The change that leaves least where a mirrored scan would have its soft tissue."""
    plain = values.astype(np.float32)
    undone = {name: change(plain) for name, change in _GUESSES}
    fitting = [name for name, it in undone.items() if _tissue_fault(it) is None]
    best = min(fitting, key=lambda name: _share(undone[name], _MIRRORED), default=None)
    return f", perhaps those of {best}" if best else ""
