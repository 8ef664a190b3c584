"""Resampling: each kernel against another program's, and what it must keep."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from hirescam.ct.grid import (
    INTERPOLATIONS,
    bspline_weights,
    cell_weights,
    linear_weights,
    resample,
)


def noise(*shape):
    return np.random.default_rng(0).uniform(-1000, 800, shape).astype(np.float32)


POSITIONS = [np.linspace(0, 8, 14), np.linspace(0.3, 9.7, 20), np.linspace(10, 0, 13)]


@pytest.mark.parametrize(
    ("kernel", "order"), [(bspline_weights, 3), (linear_weights, 1), (cell_weights, 1)]
)
def test_finer_samples_equal_those_of_scipy(kernel, order):
    values = noise(9, 11, 12)
    weights = [kernel(p, n) for p, n in zip(POSITIONS, values.shape, strict=True)]
    grid = np.meshgrid(*POSITIONS, indexing="ij")
    expected = ndimage.map_coordinates(values.astype(float), grid, order=order, mode="mirror")
    ours = resample(values, weights, outside=-1000.0)
    np.testing.assert_allclose(ours, expected, atol=2e-3)


def test_bspline_equals_that_of_itk_inside_the_field():
    values = noise(9, 11, 12)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((1.0, 1.0, 1.0))
    size, step = (15, 14, 11), 0.8  # columns, rows, slices, as ITK counts
    theirs = sitk.Resample(
        image, size, sitk.Transform(), sitk.sitkBSpline3, (0, 0, 0), (step,) * 3
    )
    weights = [
        bspline_weights(step * np.arange(new), old)
        for new, old in zip(size[::-1], values.shape, strict=True)
    ]
    ours = resample(values, weights, outside=0.0)
    inside = [slice(int((old - 1) / step) + 1) for old in values.shape]
    np.testing.assert_allclose(
        ours[*inside], sitk.GetArrayFromImage(theirs)[*inside], atol=0.05
    )


@pytest.mark.parametrize("kernel", INTERPOLATIONS.values(), ids=INTERPOLATIONS)
def test_on_the_samples_themselves_nothing_changes(kernel):
    values = np.rint(noise(4, 5, 6))
    weights = [kernel(np.arange(n, dtype=float), n) for n in values.shape]
    assert np.array_equal(resample(values, weights, outside=-1000.0), values)


@pytest.mark.parametrize("kernel", INTERPOLATIONS.values(), ids=INTERPOLATIONS)
def test_where_no_sample_reaches_there_is_exactly_what_was_asked_for(kernel):
    values = np.rint(noise(4, 5, 6))
    weights = [kernel(np.arange(-3.0, 9.0), n) for n in values.shape]
    out = resample(values, weights, outside=-1000.0)
    assert np.array_equal(out[3:7, 3:8, 3:9], values)
    out[3:7, 3:8, 3:9] = -1000
    assert (out == -1000).all()


@given(
    old=st.integers(1, 40),
    step=st.floats(0.2, 6),
    start=st.floats(-3, 3),
    name=st.sampled_from(sorted(INTERPOLATIONS)),
)
def test_a_constant_stays_constant_inside(old, step, start, name):
    positions = start + step * np.arange(30)
    weights = INTERPOLATIONS[name](positions, old)
    reach = max(1.0, step) if name == "linear" else 0.0
    inside = (positions >= reach) & (positions <= old - 1 - reach)
    np.testing.assert_allclose(weights[inside].sum(axis=1), 1, atol=1e-6)


@given(old=st.integers(8, 60), step=st.floats(1, 6))
def test_the_widened_kernel_misses_no_sample(old, step):
    positions = step * np.arange(int((old - 1) // step) + 1)
    assert (linear_weights(positions, old)[:, : int(positions[-1]) + 1].sum(axis=0) > 0).all()


@pytest.mark.parametrize("step", [2, 3, 4])
def test_the_widened_kernel_keeps_the_mean(step):
    values = np.zeros(48)
    values[12:36] = noise(24)
    coarse = linear_weights(step * np.arange(48 // step, dtype=float), 48) @ values
    np.testing.assert_allclose(coarse.mean(), values.mean(), rtol=1e-9)


def test_a_cell_map_is_constant_to_the_edge_of_its_outermost_cells():
    weights = cell_weights(np.array([-0.6, -0.5, -0.2, 0.5, 2.5, 2.6]), 3)
    expected = [[0, 0, 0], [1, 0, 0], [1, 0, 0], [0.5, 0.5, 0], [0, 0, 1], [0, 0, 0]]
    np.testing.assert_allclose(weights, expected)
