"""segment_organs: the table of methods."""

import numpy as np
import pytest

from hirescam.errors import TargetError
from hirescam.organs.masks import ORGANS
from hirescam.organs.published import published
from hirescam.organs.segment import METHODS, segment_organs
from make import volume


def test_a_method_is_found_by_name():
    scan = volume()
    masks = segment_organs(scan, "published")
    np.testing.assert_array_equal(masks.codes, published(scan).codes)
    assert masks.method == "published"


def test_an_unknown_method_is_refused_with_those_that_exist():
    with pytest.raises(TargetError, match="'learned': choose one of robust, published"):
        segment_organs(volume(), "learned")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_answers_for_every_organ_on_the_scans_own_grid(method):
    scan = volume((5, 7, 9), flips=(-1, 1, -1))
    masks = segment_organs(scan, method)
    assert masks.organs == ORGANS
    assert masks.codes.shape == scan.shape
    np.testing.assert_array_equal(masks.affine, scan.affine)
    assert masks.method == method
