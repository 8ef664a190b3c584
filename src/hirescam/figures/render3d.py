"""Rendering in 3-D: masks as shaded solids, seen from front, above and left.

Rays are parallel. Each walks on by the distance that is free around it, so that few steps reach
the surface. That surface is the mask's after blurring: it shows the organ, not the voxels.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32, Integer, Shaped, UInt8
from matplotlib.colors import to_rgb
from scipy import ndimage

from hirescam.figures.charts import PLACE_COLOURS
from hirescam.organs.masks import OrganMasks

PIXELS = 300
_CUBE_MM, _LONGEST = 2.0, 160  # of the grid that is rendered: smallest size, largest number
_MARGIN = 4  # cubes around it
_SURFACE = 0.5  # of the blurred mask
_SHORTEST_STEP, _NEAR = 0.4, 2  # cubes: a ray's step at the surface, and where that begins
_TURN, _TILT = np.radians([22.0, 10.0])
_LIGHT = np.array([-0.5, -0.68, -0.54])  # from above, the front and the patient's right
_AMBIENT, _FADING = 0.35, 0.3

Cubes = Shaped[np.ndarray, "down back left"]
Points = Float[np.ndarray, "3 ray"]


def render(
    codes: Shaped[np.ndarray, "slice row column"],
    extent_mm: tuple[float, float, float],
    colours: Float[np.ndarray, "code 3"],
    *,
    cut: bool = False,
) -> UInt8[np.ndarray, "pixel pixel 3"]:
    """A picture of codes in reading order that fill `extent_mm`; code i has colour i − 1.

    Fills the picture; black where there is nothing. `cut` takes the front half away.
    """
    cube_mm = max(_CUBE_MM, max(extent_mm) / _LONGEST)
    grid = _cubes(codes, extent_mm, cube_mm)
    if cut:
        grid[:, : grid.shape[1] // 2] = 0
    grid = _close_up(grid)
    thick = np.divide(extent_mm, codes.shape) / cube_mm  # voxels, which must not show as steps
    blurs = [
        ndimage.gaussian_filter((grid == code).astype(np.float32), np.maximum(1.0, thick / 2))
        for code in range(1, len(colours) + 1)
    ]
    blurred = np.sum(blurs, axis=0)
    points, depths, pixels = _seen(blurred)
    shares = np.stack([_at(blur, points) for blur in blurs], axis=-1)
    colour = shares @ colours / shares.sum(axis=-1, keepdims=True)
    picture = np.zeros((PIXELS**2, 3))
    picture[pixels] = colour * _brightness(blurred, points, depths)[:, None]
    return np.rint(picture.clip(0, 1) * 255).astype(np.uint8).reshape(PIXELS, PIXELS, 3)


def _cubes(
    codes: Shaped[np.ndarray, "slice row column"],
    extent_mm: tuple[float, float, float],
    cube_mm: float,
) -> UInt8[np.ndarray, "down back left"]:
    """Codes of the nearest voxels on a grid of cubes."""
    lengths = [max(1, round(extent / cube_mm)) for extent in extent_mm]
    places = [
        ((np.arange(length) + 0.5) / length * n).astype(int)
        for length, n in zip(lengths, codes.shape, strict=True)
    ]
    return codes[np.ix_(*places)].astype(np.uint8)


def _close_up(
    grid: UInt8[np.ndarray, "_ _ _"],
) -> UInt8[np.ndarray, "down back left"]:
    """What is not empty, with a margin."""
    box = ndimage.find_objects((grid > 0).view(np.uint8))
    return np.pad(grid[box[0]] if box else grid[:1, :1, :1], _MARGIN)


def _camera() -> tuple[Points, Points, Points]:
    """Directions that lead into the picture, down it and across it."""
    down = np.array([[1.0, 0.0, 0.0]]).T
    across = np.array([[0.0, np.sin(_TURN), np.cos(_TURN)]]).T
    into = np.array([[0.0, np.cos(_TURN), -np.sin(_TURN)]]).T
    return (
        np.cos(_TILT) * into + np.sin(_TILT) * down,
        np.cos(_TILT) * down - np.sin(_TILT) * into,
        across,
    )


def _seen(
    blurred: Float32[np.ndarray, "down back left"],
) -> tuple[Points, Float[np.ndarray, "ray"], Integer[np.ndarray, "ray"]]:
    """Where rays meet the surface, how deep in the picture (0 to 1), and at which pixels."""
    into, down, across = _camera()
    shape = np.array(blurred.shape)[:, None]
    depth, height, width = ((abs(axis) * shape).sum() for axis in (into, down, across))
    side = ((np.arange(PIXELS) + 0.5) / PIXELS - 0.5) * max(height, width)
    v, u = (axis.ravel() for axis in np.meshgrid(side, side, indexing="ij"))
    starts = (shape - 1) / 2 + down * v + across * u - into * depth / 2
    free = ndimage.distance_transform_cdt(blurred < _SURFACE).astype(np.float32)
    walked, met = np.zeros(PIXELS**2), np.zeros(PIXELS**2, bool)
    walking = np.arange(PIXELS**2)
    while len(walking):
        points = starts[:, walking] + into * walked[walking]
        safe = _at(free, points, order=0) - _NEAR
        near = np.flatnonzero(safe <= 0)
        met[walking[near]] = _at(blurred, points[:, near]) >= _SURFACE
        walked[walking] += np.where(met[walking], 0, np.maximum(safe, _SHORTEST_STEP))
        walking = walking[~met[walking] & (walked[walking] < depth)]
    pixels = np.flatnonzero(met)
    return starts[:, pixels] + into * walked[pixels], walked[pixels] / depth, pixels


def _brightness(
    blurred: Float32[np.ndarray, "down back left"],
    points: Points,
    depths: Float[np.ndarray, "ray"],
) -> Float[np.ndarray, "ray"]:
    """Of a dull surface in the light, fading with depth."""
    outwards = -np.stack([_at(slope, points) for slope in np.gradient(blurred)])
    outwards /= np.maximum(np.linalg.norm(outwards, axis=0), 1e-6)
    return (_AMBIENT + (_LIGHT @ outwards).clip(0)) * (1 - _FADING * depths)


def _at(grid: Cubes, points: Points, *, order: Literal[0, 1] = 1) -> Shaped[np.ndarray, "ray"]:
    return ndimage.map_coordinates(grid, points, order=order, mode="nearest")


_FILLS = 0.5  # of the front: what covers it hides all that lies behind
_LUNGS = ("right_lung", "left_lung")


def solid(
    codes: Shaped[np.ndarray, "down back left"],
    extent_mm: Float[np.ndarray, "3"],
    colours: Sequence[str],
) -> UInt8[np.ndarray, "pixel pixel 3"]:
    """Codes in reading order that fill `extent_mm`; code i has colour i − 1.

    Seen from the front, a little from above and from the left; the front half of what fills
    the front is cut away.
    """
    down_mm, back_mm, left_mm = extent_mm.tolist()
    picture = render(
        codes,
        (down_mm, back_mm, left_mm),
        np.array([to_rgb(colour) for colour in colours]),
        cut=bool((codes[:, 0] > 0).mean() > _FILLS),
    )
    empty = (picture == 0).all(axis=-1)
    return np.where(empty[..., None], np.uint8(255), picture)


def lung_solid(
    masks: OrganMasks, extent_mm: Float[np.ndarray, "3"]
) -> UInt8[np.ndarray, "pixel pixel 3"]:
    """Both lungs of masks whose scan faces the reader, each in its colour."""
    codes = np.zeros(masks.codes.shape, np.uint8)
    for code, organ in enumerate(_LUNGS, start=1):
        codes[masks.mask(organ)] = code
    return solid(codes, extent_mm, [PLACE_COLOURS[organ] for organ in _LUNGS])
