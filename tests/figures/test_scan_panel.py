"""A panel for print shows the plane, its map and its scale."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from hirescam.figures.scan_panel import SHOWN_MM, draw_map, note, scene, strongest_slice
from hirescam.organs.masks import OrganMasks
from make import volume
from make_explanation import explanation, map_with


def explained(maps=None, **affine_options):
    """A scan of 352 mm square slices, 8 mm apart, and its maps."""
    scan = volume((12, 44, 44), spacing=(8.0, 8.0, 8.0), **affine_options)
    return explanation(maps=maps, scan=scan)


def panel(found, box=np.s_[:0], *, at=0, organs=("right_lung",)):
    """The axes of a panel; the right lung fills `box` of the scan."""
    codes = np.zeros(found.scan.shape, np.uint8)
    codes[box] = 1
    masks = OrganMasks(codes, found.scan.affine, method="made")
    axes = Figure().subplots()
    draw_map(axes, scene(found, masks), found, found.labels[0], at, organs=organs)
    return axes


def test_a_panel_names_the_sides_of_the_patient():
    texts = {text.get_text(): text.get_position() for text in panel(explained()).texts}
    assert texts["R"][0] < 0.1
    assert texts["L"][0] > 0.9
    assert texts["P"][1] < 0.1
    assert texts["A"][1] > 0.9


def test_the_bar_is_five_centimetres_long():
    axes = panel(explained())
    (bar,) = axes.lines
    start, stop = bar.get_xdata()  # in shares of the width
    left, right = axes.get_xlim()
    pixels = axes.images[0].get_array().shape[1]
    assert "5 cm" in {text.get_text() for text in axes.texts}
    assert (stop - start) * (right - left) / pixels * 352 == pytest.approx(50, rel=0.01)


def test_panels_of_different_scans_have_one_scale():
    limits = [panel(explained(origin=origin)).get_xlim() for origin in ((0, 0, 0), (9.0, 5, 7))]
    assert np.ptp(limits[0]) == pytest.approx(np.ptp(limits[1]))
    assert np.ptp(limits[0]) / 320 * 352 == pytest.approx(SHOWN_MM[1], rel=0.01)


def test_an_organ_has_its_outline_where_it_ends():
    axes = panel(explained(), np.s_[:, 10:30, 5:25])
    (lines,) = axes.collections
    ends = np.concatenate([path.vertices for path in lines.get_paths()]) * 44 / 320 + 0.5
    assert ends.min(axis=0) == pytest.approx([5, 10], abs=0.6)
    assert ends.max(axis=0) == pytest.approx([25, 30], abs=0.6)


def test_what_no_slice_shows_has_no_outline():
    assert not panel(explained(), np.s_[11:, 10:30, 5:25]).collections
    assert not panel(explained(), np.s_[:, 10:30, 5:25], organs=()).collections


def test_specks_of_an_organ_have_no_outline():
    assert not panel(explained(), np.s_[:, 10:12, 5:7]).collections


@pytest.mark.parametrize(("towards_feet", "expected"), [(1, 1), (-1, 2)])
def test_slices_count_from_the_head_however_the_scan_lies(towards_feet, expected):
    maps = np.stack([map_with((1, 1, 1))] * 2)
    found = explained(maps, flips=(towards_feet, 1, 1))
    assert strongest_slice(found, "lung_nodule") == expected


def test_evidence_against_a_label_does_not_choose_the_slice():
    maps = np.stack([map_with((1, 1, 1)) - 9 * map_with((3, 1, 1))] * 2)
    assert strongest_slice(explained(maps), "lung_nodule") == 1


def test_a_note_stands_in_the_corner():
    axes = panel(explained())
    note(axes, "p = 0.50")
    assert axes.texts[-1].get_position() == (0.02, 0.97)
