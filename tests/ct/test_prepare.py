"""Preparation: a scan on the network's grid, and back without moving anything."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hirescam.ct.grid import onto
from hirescam.ct.preparation import Preparation, network_input, place
from hirescam.ct.volume import AIR_HU, Volume, reorient
from hirescam.errors import ModelError
from make import affine, volume

SMALL = Preparation(shape=(12, 16, 16), spacing_mm=(1, 1, 1))

geometries = st.fixed_dictionaries(
    {
        "flips": st.tuples(*[st.sampled_from((-1, 1))] * 3),
        "tilt_deg": st.sampled_from((0, 12, -25)),
        "spacing": st.tuples(*[st.sampled_from((0.8, 1.0, 1.7))] * 3),
        "origin": st.tuples(*[st.integers(-200, 200)] * 3),
    }
)


@settings(deadline=None, max_examples=40)
@given(
    geometry=geometries,
    axes=st.permutations(range(3)),
    mark=st.tuples(*[st.integers(2, 7)] * 3),
    interpolation=st.sampled_from(("bspline", "linear")),
)
def test_a_marked_voxel_returns_to_its_place(geometry, axes, mark, interpolation):
    voxels = np.full((10, 10, 10), AIR_HU, np.int16)
    voxels[mark] = 2000
    scan = Volume(voxels.transpose(axes), affine(**geometry)[:, [*axes, 3]])
    there = place(
        scan,
        Preparation(
            shape=(24, 24, 24), spacing_mm=(0.8, 0.8, 0.8), interpolation=interpolation
        ),
    )
    back = onto(there.voxels.astype(np.float32) - AIR_HU, there.affine, scan.shape, scan.affine)
    assert np.unravel_index(back.argmax(), back.shape) == tuple(np.array(mark)[list(axes)])


@settings(deadline=None, max_examples=12)
@given(geometry=geometries, turned=st.sampled_from(("SPL", "IAR", "LPS", "AIR", "RIA")))
def test_a_scan_stored_the_other_way_round_is_placed_the_same(geometry, turned):
    scan = volume((9, 14, 19), **geometry)
    one, other = place(scan, SMALL), place(reorient(scan, turned), SMALL)
    assert np.array_equal(one.voxels, other.voxels)
    np.testing.assert_allclose(one.affine, other.affine, atol=1e-6)


def test_where_spacings_agree_values_are_only_moved():
    scan = volume((20, 10, 16), spacing=(1, 1, 1))
    placed = place(scan, SMALL)
    assert np.array_equal(placed.voxels[:, 3:13], scan.voxels[4:16])
    assert (placed.voxels[:, :3] == AIR_HU).all()
    assert (placed.voxels[:, 13:] == AIR_HU).all()
    np.testing.assert_allclose(placed.affine @ [0, 3, 0, 1], scan.affine @ [4, 0, 0, 1])


@pytest.mark.parametrize(
    ("had", "before"), [(405, 0), (406, 0), (407, 1), (404, 0), (403, 1), (402, 1)]
)
def test_odd_voxels_are_cut_or_padded_after_the_scan_as_published(had, before):
    scan = volume((had, 4, 4), spacing=(0.8, 0.8, 0.8))
    placed = place(scan, Preparation(shape=(405, 4, 4)))
    if had >= 405:
        assert np.array_equal(placed.voxels[0], scan.voxels[before])
    else:
        assert np.array_equal(placed.voxels[before : before + had], scan.voxels)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize("interpolation", ["bspline", "linear"])
def test_the_type_of_the_voxels_stays_and_air_lies_around_them(dtype, interpolation):
    scan = volume((6, 8, 8), dtype=dtype, spacing=(2, 1.5, 1.5))
    wide = Preparation(shape=(30, 40, 40), spacing_mm=(1, 1, 1), interpolation=interpolation)
    placed = place(scan, wide)
    assert placed.voxels.dtype == dtype
    border = np.ones(placed.shape, bool)
    border[7:23, 12:28, 12:28] = False
    assert (placed.voxels[border] == AIR_HU).all()
    assert placed.spacing_mm == pytest.approx((1, 1, 1))


def test_overshoot_beyond_int16_is_clipped_and_does_not_wrap():
    scan = volume((6, 6, 6), spacing=(1.3, 1.3, 1.3))
    scan.voxels[:] = np.where(scan.voxels > 0, 32767, -32768)
    placed = place(scan, SMALL).voxels
    assert placed.max() == 32767
    assert placed.min() == -32768


def test_the_network_sees_the_window_shifted_and_slices_as_channels():
    scan = volume(SMALL.shape, spacing=(1, 1, 1))
    scan.voxels[:2, 0, 0] = [-3000, 3000]
    seen = network_input(place(scan, SMALL), SMALL)
    assert seen.shape == SMALL.input_shape == (4, 3, 16, 16)
    assert seen.dtype == torch.float32
    assert (seen.min(), seen.max()) == (pytest.approx(-0.449), pytest.approx(0.551))
    expected = (np.clip(scan.voxels, -1000, 800).astype(float) + 1000) / 1800 - 0.449
    np.testing.assert_allclose(seen.reshape(12, 16, 16), expected, atol=1e-6)


def test_the_placed_scan_is_not_changed_by_what_the_network_sees():
    for dtype in (np.int16, np.float32):
        placed = place(volume(SMALL.shape, dtype=dtype), SMALL)
        before = placed.voxels.copy()
        network_input(placed, SMALL)
        assert np.array_equal(placed.voxels, before)


@pytest.mark.parametrize(
    "wrong",
    [
        {"spacing_mm": (0, 1, 1)},
        {"shape": (0, 420, 420)},
        {"shape": (404, 420, 420)},
        {"window_hu": (800, -1000)},
        {"orientation": "XYZ"},
        {"spacing": (1, 1, 1)},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_an_impossible_preparation_is_refused(wrong):
    with pytest.raises(ModelError, match="no preparation has"):
        Preparation(**wrong)
