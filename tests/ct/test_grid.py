"""Where cells lie: by the layers' arithmetic, by gradients, and back on the scan."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hirescam import errors
from hirescam.ct.grid import Cells, Window, cell_affine, onto, receptive_cells, tiled_cells
from make import affine, volume

RESNET18 = [
    Window(7, 2, 3),
    Window(3, 2, 1),
    *[Window(3, padding=1)] * 4,
    *[Window(3, 2, 1), *[Window(3, padding=1)] * 3] * 3,
]
AXIALNET = [*RESNET18, *[Window(3)] * 4]


def test_the_cells_of_axialnet_lie_at_pixels_128_to_288_of_420():
    assert receptive_cells(AXIALNET, 420) == Cells(first=128.0, step=32.0, count=6)
    assert receptive_cells(AXIALNET, 420).centres.tolist() == [128, 160, 192, 224, 256, 288]
    assert receptive_cells(RESNET18, 420) == Cells(first=0.0, step=32.0, count=14)


def test_the_published_tiling_centres_each_70_pixels():
    # Pixels 0 to 69 have their centre at 34.5; the figures say 35, the edge between two.
    assert tiled_cells(6, 420).centres.tolist() == [34.5 + 70 * i for i in range(6)]


windows = st.builds(
    Window,
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
)


@settings(deadline=None, max_examples=40)
@given(layers=st.lists(windows, min_size=1, max_size=4))
def test_a_cell_lies_in_the_middle_of_the_samples_with_gradient(layers):
    size = 700
    samples = torch.ones(1, 1, size, requires_grad=True)
    values = samples
    for each in layers:
        values = torch.nn.functional.conv1d(
            values,
            torch.ones(1, 1, each.kernel),
            stride=each.stride,
            padding=each.padding,
            dilation=each.dilation,
        )
    cells = receptive_cells(layers, size)
    assert cells.count == values.shape[-1]
    middle = cells.count // 2  # far from where the border would cut a part off
    (gradient,) = torch.autograd.grad(values[0, 0, middle], samples)
    seen = gradient[0, 0].nonzero()
    assert cells.centres[middle] == (seen.min() + seen.max()).item() / 2


def test_a_cells_affine_leads_where_its_centre_lies():
    cells = (Cells(1.0, 3.0, 4), Cells(128.0, 32.0, 6), Cells(34.5, 70.0, 6))
    on_scan = affine(spacing=(0.8, 0.7, 0.6), tilt_deg=20, origin=(5, 6, 7))
    for index in ((0, 0, 0), (3, 5, 1)):
        sample = [axis.centres[at] for axis, at in zip(cells, index, strict=True)]
        place = cell_affine(cells, on_scan) @ [*index, 1]
        np.testing.assert_allclose(place, on_scan @ [*sample, 1], atol=1e-9)


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, -1)])
@pytest.mark.parametrize("tilt_deg", [0, 25])
def test_a_peak_on_a_map_is_a_peak_at_its_place_on_the_scan(axes, flips, tilt_deg):
    scan = volume((24, 30, 36), spacing=(2, 1, 1), flips=flips, tilt_deg=tilt_deg)
    cells = (Cells(2.0, 4.0, 6), Cells(3.0, 6.0, 5), Cells(3.0, 6.0, 6))
    of_map = cell_affine(cells, scan.affine)[:, [*axes, 3]]
    peak = np.zeros([cells[axis].count for axis in axes], np.float32)
    peak[tuple(np.array([4, 1, 2])[list(axes)])] = 1
    found = onto(peak, of_map, scan.shape, scan.affine)
    assert found.shape == scan.shape
    assert np.unravel_index(found.argmax(), found.shape) == (18, 9, 15)
    assert found.max() == 1


def test_beyond_the_outermost_cells_a_map_is_zero():
    cells = (Cells(2.0, 1.0, 4), Cells(2.0, 1.0, 4), Cells(2.0, 1.0, 4))
    scan = volume((8, 8, 8))
    found = onto(np.ones((4, 4, 4)), cell_affine(cells, scan.affine), scan.shape, scan.affine)
    assert found.sum() == 4**3
    assert found[2:6, 2:6, 2:6].min() == 1


def test_grids_turned_against_each_other_are_refused():
    with pytest.raises(errors.GeometryError, match="turned against each other"):
        onto(np.ones((4, 4, 4)), affine(), (40, 40, 40), affine(tilt_deg=5))
