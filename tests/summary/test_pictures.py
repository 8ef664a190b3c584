"""Pictures show what lies where, with its sides, its scale and its peak."""

import numpy as np
import pytest

from hirescam.ct.grid import cell_affine
from hirescam.ct.volume import Volume, reorient
from hirescam.errors import GeometryError
from hirescam.summary.colours import Scale
from hirescam.summary.findings import findings
from hirescam.summary.pictures import (
    FOOT,
    PIXELS,
    VIEWS,
    build_stage,
    colour_bar,
    face_reader,
    montage,
    overlay,
)
from make import affine, volume
from make_explanation import CELLS, EXACT, explanation, map_with

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


AXIAL, CORONAL, SAGITTAL = VIEWS


def picture(found, view, *, scale=1.0, window=(-1000.0, 1000.0)):
    """The plane of `view` through the first label's peak, as floats."""
    finding = findings(found)[0]
    stage = build_stage(found.input_volume, found.raw_maps.shape[1:], found.affine)
    facing = face_reader(finding.values, found.affine)
    at = np.linalg.solve(facing.affine, [*finding.peak.patient_mm, 1])[:3].round().astype(int)
    return overlay(
        stage, view, facing.voxels, tuple(at.tolist()), window=window, scale=Scale(scale)
    ).astype(float)


def colourful(rgb):
    """How much colour each pixel has, of 255."""
    return rgb.max(axis=2) - rgb.min(axis=2)


def grey_scan(**options):
    return Volume(np.zeros((12, 16, 16), np.int16), affine(**options))


@pytest.mark.parametrize("orientation", ["IPL", "SAR", "IPR", "PSL"])
def test_the_patients_right_is_on_the_left_of_the_picture(orientation):
    scan = grey_scan()
    scan.voxels[:, :, :8] = 1000  # in IPL the first columns are the patient's right
    stage = build_stage(reorient(scan, orientation), (4, 3, 3), cell_affine(CELLS, scan.affine))
    nothing = np.zeros((4, 3, 3), np.float32)
    shown = overlay(
        stage, AXIAL, nothing, (0, 0, 0), window=(-1000.0, 1000.0), scale=Scale(1.0)
    )
    assert shown[5, 5].tolist() == [255, 255, 255]
    assert shown[5, -5].tolist() == [128, 128, 128]


@pytest.mark.parametrize("options", [{}, {"spacing": (3, 1, 1)}, {"tilt_deg": 12}])
def test_the_strongest_colour_lies_at_the_peaks_own_cell(options):
    found = explanation(("x",), maps=[map_with((2, 0, 2))], scan=grey_scan(**options))
    cell_voxels = (1 + 3 * 2, 4 + 3 * 0, 4 + 3 * 2)
    for view in VIEWS:
        colour = colourful(picture(found, view))
        centre = np.argwhere(colour > 0.98 * colour.max()).mean(axis=0) + 0.5
        size = np.array(colour.shape) / [(12, 16, 16)[view.down], (12, 16, 16)[view.across]]
        expected = np.array([cell_voxels[view.down], cell_voxels[view.across]]) + 0.5
        # linear between cells, constant beyond the outermost: within half a cell
        assert np.abs(centre / size - expected).max() < 1.5


def test_no_colour_lies_outside_the_dotted_field():
    found = explanation(("x",), maps=[np.ones((4, 3, 3))], scan=grey_scan())
    rgb = picture(found, AXIAL)
    inside = colourful(rgb) > 0
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    voxel = rgb.shape[0] / 16
    assert rows[[0, -1]] / voxel == pytest.approx([3, 12], abs=0.1)
    assert columns[[0, -1]] / voxel == pytest.approx([3, 12], abs=0.1)


def test_a_weak_finding_looks_like_the_bare_scan():
    scan = volume()
    weak = explanation(("x",), maps=[map_with((1, 1, 1), 0.01)], scan=scan)
    bare = explanation(("x",), maps=[map_with((1, 1, 1), 1e-9)], scan=scan)
    strong = explanation(("x",), maps=[map_with((1, 1, 1), 1.0)], scan=scan)
    apart = [np.abs(picture(one, AXIAL) - picture(bare, AXIAL)).max() for one in (weak, strong)]
    assert apart[0] < 4
    assert apart[1] > 100


@pytest.mark.parametrize("cell", [(2, 0, 2), (1, 2, 0)])
def test_each_plane_is_marked_at_the_peak(cell):
    found = explanation(("x",), maps=[map_with(cell)], scan=grey_scan())
    stage = build_stage(found.input_volume, (4, 3, 3), found.affine)
    strip = np.asarray(montage(findings(found)[0], stage, found.affine, Scale(1.0)))
    voxel = np.array([1, 4, 4]) + 3 * np.array(cell)
    _, row, column = np.rint((voxel + 0.5) * [a.pixels / a.voxels for a in stage.axes]).astype(
        int
    )
    top = (strip.shape[0] - FOOT - stage.axes[1].pixels) // 2  # the axial plane comes first
    for down, across in ((0, 18), (0, -18), (18, 0), (-18, 0)):
        beside = strip[top + row + down - 1 : top + row + down + 2][:, column + across - 1 :][
            :, :3
        ]
        assert beside.max() > 240
    assert strip[top + row, column].min() < 240


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((4, 3, 3)), "zero everywhere"),
        (-np.ones((4, 3, 3)), "No place raised this score"),
        (np.ones((4, 3, 3)), "raised the score most"),
    ],
)
def test_every_map_can_be_drawn_and_says_what_its_planes_show(values, words):
    found = explanation(("x",), maps=[values])
    finding = findings(found)[0]
    stage = build_stage(found.input_volume, (4, 3, 3), found.affine)
    assert words in finding.peak.sentence
    assert montage(finding, stage, found.affine, Scale(1.0)).width > 600


def test_a_label_too_long_for_the_picture_is_cut():
    found = explanation(("x" * 900,), verdicts=(EXACT,))
    stage = build_stage(found.input_volume, (4, 3, 3), found.affine)
    strip = montage(findings(found)[0], stage, found.affine, Scale(1.0))
    short = explanation(("x" * 800,), verdicts=(EXACT,))
    again = montage(findings(short)[0], stage, found.affine, Scale(1.0))
    assert strip.tobytes() == again.tobytes()


def test_the_colour_bar_runs_from_lowered_through_none_to_raised():
    low, middle, high = np.asarray(colour_bar(Scale(2.0), 101, 10), int)[0, [0, 50, 100]]
    assert low[2] > low[0]
    assert middle.tolist() == [0, 0, 0]
    assert high[0] > high[2]
