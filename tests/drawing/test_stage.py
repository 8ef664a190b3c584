"""The stage shows every scan the way radiologists read it."""

import numpy as np
import pytest

from hirescam.ct.grid import cell_affine
from hirescam.ct.volume import Volume, reorient
from hirescam.drawing.stage import PIXELS, build_stage
from hirescam.errors import GeometryError
from make import affine, volume
from make_explanation import CELLS

SHAPE = (4, 3, 3)


def stage_of(scan):
    return build_stage(scan, SHAPE, cell_affine(CELLS, scan.affine))


@pytest.mark.parametrize("orientation", ["IPL", "SAR", "LPS", "PSL"])
def test_letters_and_voxels_do_not_depend_on_how_the_scan_is_stored(orientation):
    scan = volume(spacing=(2, 1, 1))
    stage = stage_of(reorient(scan, orientation))
    assert [axis.ends for axis in stage.axes] == [("S", "I"), ("A", "P"), ("R", "L")]
    assert np.array_equal(stage.scan.voxels, scan.voxels)


def test_an_oblique_scan_names_both_sides_its_rows_lead_to():
    stage = stage_of(volume(tilt_deg=25))
    assert stage.axes[2].ends == ("RA", "LP")


def test_pixels_are_square_millimetres_whatever_the_spacing():
    stage = stage_of(volume((10, 40, 30), spacing=(5.0, 1.0, 2.0)))
    extents_mm = [50, 40, 60]
    for axis, extent_mm in zip(stage.axes, extents_mm, strict=True):
        assert axis.pixels * stage.pixel_mm == pytest.approx(extent_mm, abs=stage.pixel_mm)
    assert PIXELS[0] <= max(axis.pixels for axis in stage.axes) <= PIXELS[1]


def test_a_scan_of_one_value_has_that_value_at_every_pixel():
    stage = stage_of(Volume(np.full((12, 16, 16), 7, np.int16), affine(spacing=(3, 1, 1))))
    for axis in stage.axes:
        assert np.allclose(axis.from_voxels.sum(axis=1), 1)


def test_cells_reach_from_half_a_cell_before_the_first_to_half_a_cell_after_the_last():
    axis = stage_of(volume((12, 16, 16))).axes[1]  # cells at voxels 4, 7, 10: 2.5 … 11.5
    shown = np.flatnonzero(axis.field) * 16 / axis.pixels
    assert shown[[0, -1]] == pytest.approx([3.0, 12.0], abs=0.1)  # voxel 0 starts at pixel 0


def test_a_map_turned_against_the_scan_is_refused():
    scan = volume()
    with pytest.raises(GeometryError, match="turned against the scan"):
        build_stage(scan, SHAPE, cell_affine(CELLS, affine(tilt_deg=20)))
