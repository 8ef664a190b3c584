"""Organ masks on a map's grid: each way of down-sampling equals slow loops or torch."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hirescam.anatomy import ORGANS
from hirescam.ct.grid import Cells
from hirescam.ct.preparation import Preparation
from hirescam.organs.masks import OrganMasks
from hirescam.regions.downsample import heuristic_organs_on_map, organs_on_map

SHAPE = (12, 35, 28)
MAP = (4, 5, 4)
CELLS = (Cells(1.0, 3.0, 4), Cells(9.0, 4.0, 5), Cells(6.0, 5.0, 4))
PREPARATION = Preparation(spacing_mm=(1.0, 1.0, 1.0), shape=SHAPE, interpolation="linear")
RIGHT_TO_LEFT = np.diag([-1.0, -1.0, -1.0, 1.0])[:, [2, 1, 0, 3]]  # "IPL", 1 mm


@pytest.fixture
def codes():
    """Blobs of the three organs."""
    random = np.random.default_rng(5)
    coarse = random.integers(0, 4, (6, 7, 7), dtype=np.uint8)
    return np.kron(coarse, np.ones((2, 5, 4), np.uint8))


def organs(codes):
    return OrganMasks(codes, RIGHT_TO_LEFT, method="drawn")


def on_map(codes, **options):
    return organs_on_map(organs(codes), PREPARATION, CELLS, **options)


def masks(codes):
    return torch.from_numpy(np.stack([codes == code for code in (1, 2, 3)]))


def test_nearest_is_what_the_published_code_samples(codes):
    expected = F.interpolate(masks(codes)[None].float(), MAP, mode="nearest")[0] > 0
    np.testing.assert_array_equal(on_map(codes, downsampling="nearest"), expected)


def test_nearest_samples_corners_of_420_pixels_at_multiples_of_70():
    preparation = Preparation(spacing_mm=(1.0, 1.0, 1.0), shape=(3, 420, 420))
    for corner in range(6):
        codes = np.zeros((3, 420, 420), np.uint8)
        codes[:, 0, 70 * corner] = 1
        cells = (Cells(1.0, 3.0, 1), Cells(128.0, 32.0, 6), Cells(128.0, 32.0, 6))
        found = organs_on_map(organs(codes), preparation, cells, downsampling="nearest")
        assert np.argwhere(found).tolist() == [[0, 0, 0, corner]]


def test_area_is_any_of_each_block_by_default(codes):
    expected = F.adaptive_avg_pool3d(masks(codes)[None].float(), MAP)[0] > 0
    np.testing.assert_array_equal(on_map(codes, downsampling="area"), expected)


def test_area_with_a_fraction_asks_for_more_than_that_share(codes):
    share = F.adaptive_avg_pool3d(masks(codes)[None].double(), MAP)[0]
    found = on_map(codes, downsampling="area", fraction=0.4)
    np.testing.assert_array_equal(found, share > 0.4)
    assert found.any()
    assert found.sum() < on_map(codes, downsampling="area").sum()


def test_trilinear_is_any_of_what_torch_interpolates_between(codes):
    shape = {"size": MAP, "mode": "trilinear", "align_corners": False}
    expected = F.interpolate(masks(codes)[None].double(), **shape)[0] > 1e-6
    np.testing.assert_array_equal(on_map(codes, downsampling="trilinear"), expected)


def test_centre_looks_where_receptive_fields_are_centred(codes):
    found = on_map(codes, downsampling="centre")
    for s in range(4):
        for r in range(5):
            for c in range(4):
                code = codes[1 + 3 * s, 9 + 4 * r, 6 + 5 * c]
                assert found[:, s, r, c].tolist() == [code == 1, code == 2, code == 3]


def test_dilation_adds_all_neighbours(codes):
    plain = on_map(codes)
    dilated = on_map(codes, dilated=True)
    padded = F.max_pool3d(torch.from_numpy(plain).float()[None], 3, stride=1, padding=1)[0]
    np.testing.assert_array_equal(dilated, padded > 0)


def test_flips_of_scan_and_regions_commute(codes):
    """Cells in the middle of the scan: then the flipped scan's cells are the flipped cells."""
    central = tuple(
        Cells((size - 1) / 2 - 2.0 * (count - 1) / 2, 2.0, count)
        for size, count in zip((12, 35, 28), (4, 5, 4), strict=True)
    )
    odd = np.kron(codes, np.ones((1, 1, 1), np.uint8))
    for axis in range(3):
        for mode in ("area", "trilinear"):
            one = organs_on_map(organs(odd), PREPARATION, central, downsampling=mode)
            other = organs_on_map(
                organs(np.flip(odd, axis)), PREPARATION, central, downsampling=mode
            )
            np.testing.assert_array_equal(np.flip(one, axis + 1), other)


def test_masks_of_a_scan_turned_otherwise_lie_in_the_same_place(codes):
    turned = OrganMasks(
        np.flip(codes, 2).transpose(1, 0, 2).copy(),
        (RIGHT_TO_LEFT @ shift_and_flip(2, 27))[:, [1, 0, 2, 3]],
        method="drawn",
    )
    np.testing.assert_array_equal(organs_on_map(turned, PREPARATION, CELLS), on_map(codes))


def test_heuristic_masks_may_overlap(codes):
    whole = tuple(slice(0, size) for size in SHAPE)
    drawn = OrganMasks(codes, RIGHT_TO_LEFT, method="drawn", boxes={"right_lung": whole})
    found = organs_on_map(drawn, PREPARATION, CELLS)
    assert found[0].all()
    np.testing.assert_array_equal(found[1:], on_map(codes)[1:])
    assert (found[0] & found[2]).any()


def shift_and_flip(axis, last):
    step = np.eye(4)
    step[axis, axis] = -1
    step[axis, 3] = last
    return step


@pytest.mark.parametrize(
    ("columns", "first", "last"), [(6, 1, 4), (8, 2, 5), (10, 2, 7), (14, 3, 10)]
)
def test_without_organs_the_mediastinum_has_the_centre_half(columns, first, last):
    found = heuristic_organs_on_map((2, 6, columns))
    between = np.flatnonzero(found[ORGANS.index("mediastinum"), 1, 3])
    assert between.tolist() == list(range(first, last + 1))
    assert np.flatnonzero(found[0, 0, 0]).tolist() == list(range(columns // 2))
    assert np.flatnonzero(found[1, 0, 0]).tolist() == list(range(columns // 2, columns))


@pytest.mark.parametrize(
    ("columns", "first", "last"), [(6, 1, 4), (8, 1, 6), (10, 2, 7), (14, 2, 11)]
)
def test_without_organs_the_code_gives_the_mediastinum_four_of_six(columns, first, last):
    found = heuristic_organs_on_map((2, 6, columns), places="four_of_six")
    between = np.flatnonzero(found[ORGANS.index("mediastinum"), 1, 3])
    assert between.tolist() == list(range(first, last + 1))


def test_area_takes_every_sample_that_a_block_reaches_where_blocks_do_not_divide():
    """Seven samples in four blocks: 1.75 each, so that neighbours share a sample."""
    codes = np.zeros((3, 3, 7), np.uint8)
    codes[..., 1] = 1  # reached by blocks 0 (0 to 1.75) and 1 (1.75 to 3.5)
    codes[..., 3] = 2  # by blocks 1 and 2 (3.5 to 5.25)
    cells = (Cells(0.0, 1.0, 3), Cells(0.0, 1.0, 3), Cells(0.0, 1.0, 4))
    preparation = Preparation(spacing_mm=(1.0, 1.0, 1.0), shape=codes.shape)
    found = organs_on_map(organs(codes), preparation, cells, downsampling="area")
    assert np.flatnonzero(found[0, 0, 0]).tolist() == [0, 1]
    assert np.flatnonzero(found[1, 0, 0]).tolist() == [1, 2]


def test_centre_takes_the_higher_sample_at_a_tie():
    """Centres at 0.5, 2.5, 4.5: neither the lower sample nor the even one."""
    codes = np.zeros((3, 3, 8), np.uint8)
    codes[..., [1, 3, 5]] = 1, 2, 3
    cells = (Cells(0.0, 1.0, 3), Cells(0.0, 1.0, 3), Cells(0.5, 2.0, 3))
    preparation = Preparation(spacing_mm=(1.0, 1.0, 1.0), shape=codes.shape)
    found = organs_on_map(organs(codes), preparation, cells, downsampling="centre")
    np.testing.assert_array_equal(found[:, 0, 0], np.eye(3, dtype=bool))
