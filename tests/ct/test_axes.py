"""Axes by name: letters and planes lead where they say."""

import numpy as np
import pytest

from hirescam import errors
from hirescam.ct.volume import PLANES, Volume, affine_towards, axis_codes, reorient
from make import volume


@pytest.mark.parametrize(("name", "codes"), [*PLANES.items(), ("lps", "LPS"), ("SAR", "SAR")])
def test_a_scan_is_turned_to_a_name(name, codes):
    assert axis_codes(name) == codes
    assert reorient(volume(), name).orientation == codes


@pytest.mark.parametrize("name", ["", "LP", "LPSA", "LRA", "XYZ", "III", "oblique"])
def test_a_name_of_no_three_axes_is_refused(name):
    with pytest.raises(errors.GeometryError, match=r"one letter each .* axial, coronal, sag"):
        reorient(volume(), name)


@pytest.mark.parametrize("codes", ["IPL", "SAR", "LPS", "AIR"])
def test_an_affine_by_name_has_that_name(codes):
    matrix = affine_towards(codes, (3.0, 2.0, 1.0), (7.0, 8.0, 9.0))
    scan = Volume(np.zeros((2, 2, 2), np.int16), matrix)
    assert (scan.orientation, scan.spacing_mm) == (codes, (3, 2, 1))
    assert matrix[:3, 3].tolist() == [7, 8, 9]


def test_a_coronal_slice_shows_head_up_and_the_patients_left_at_the_right():
    scan = reorient(volume((5, 6, 7)), "coronal")
    places = scan.affine[:3, :3]
    assert places[2, 1] < 0  # rows run to the feet
    assert places[0, 2] < 0  # columns run to the left
    assert scan.shape == (6, 5, 7)
