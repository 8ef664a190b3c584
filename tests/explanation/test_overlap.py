"""The share of a cell's volume in a mask: exact, whatever the grids' spacing and direction."""

import numpy as np
import pytest

from hirescam.ct.grid import Cells, cell_affine
from hirescam.errors import GeometryError
from hirescam.explanation.organ_shares import cut, overlap, whole_boxes
from make import affine

GRIDS = {
    "the same directions": {},
    "turned round": {"flips": (-1, 1, -1)},
    "oblique": {"tilt_deg": 20},
}


def by_sampling(shape, cells_affine, mask, mask_affine, per_axis=40):
    """The same by counting points within each cell."""
    offsets = (np.arange(per_axis) + 0.5) / per_axis - 0.5
    points = np.stack(np.meshgrid(offsets, offsets, offsets, indexing="ij"), -1).reshape(-1, 3)
    to_mask = np.linalg.inv(mask_affine) @ cells_affine
    found = np.zeros(shape)
    for cell in np.ndindex(*shape):
        at = np.rint((np.array(cell) + points) @ to_mask[:3, :3].T + to_mask[:3, 3]).astype(int)
        inside = ((at >= 0) & (at < mask.shape)).all(axis=1)
        found[cell] = mask[tuple(at[inside].T)].sum() / len(points)
    return found


@pytest.mark.parametrize("options", GRIDS.values(), ids=GRIDS)
def test_overlap_is_the_share_of_points_in_the_mask(options):
    mask = np.random.default_rng(0).random((9, 10, 11)) > 0.5
    place = affine(spacing=(2.0, 1.5, 1.0), origin=(5, 6, 7), **options)
    cells = (Cells(1.3, 2.9, 3), Cells(0.2, 3.7, 3), Cells(2.0, 2.5, 4))
    grid = cell_affine(cells, place)
    found = overlap(whole_boxes((3, 3, 4), grid), mask, place)
    assert np.abs(found - by_sampling((3, 3, 4), grid, mask, place)).max() < 0.03


def test_axes_in_another_order_give_the_same_shares():
    mask = np.random.default_rng(1).random((6, 7, 8)) > 0.5
    place = affine(spacing=(2.0, 1.5, 1.0))
    boxes = whole_boxes((3, 3, 3), cell_affine((Cells(1.0, 2.2, 3),) * 3, place))
    turned = overlap(boxes, mask.transpose(2, 0, 1), place[:, [2, 0, 1, 3]])
    assert np.allclose(turned, overlap(boxes, mask, place))


def test_half_a_cell_beyond_the_field_of_view_is_not_whole():
    boxes = whole_boxes(
        (2, 1, 1), cell_affine((Cells(0.0, 4.0, 2), *[Cells(0.0, 1.0, 1)] * 2), affine())
    )
    left = cut(boxes, (8, 1, 1), affine()).whole
    assert left.ravel().tolist() == [0.625, 1.0]


def test_grids_turned_against_each_other_are_refused():
    boxes = whole_boxes((3, 3, 3), affine(tilt_deg=5))
    with pytest.raises(GeometryError, match="turned against each other"):
        overlap(boxes, np.ones((3, 3, 3), bool), affine())
