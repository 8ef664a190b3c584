"""An explanation shows itself in a notebook."""

import re

import nibabel as nib
import numpy as np
import pytest

from hirescam.errors import MissingPackageError, TargetError
from make import volume
from make_explanation import explanation, map_with

PLACES = {"straight": {}, "flipped": {"flips": (-1, 1, -1)}, "oblique": {"tilt_deg": 20}}


def test_an_explanation_shows_itself_small_and_by_itself():
    labels = tuple(f"lung_{number}" for number in range(12))
    text = explanation(labels)._repr_html_()
    assert len(text) < 300_000
    assert "//" not in re.sub(r"data:image/\w+;base64,[A-Za-z0-9+/=]+", "", text)
    assert text.count("<tr>") == 11
    assert "and 2 less probable" in text
    assert "For research, not for diagnosis." in text
    assert "guaranteed" in text


def test_odd_labels_are_escaped():
    assert "<script>" not in explanation(("<script>alert(1)</script>",))._repr_html_()


@pytest.mark.parametrize("options", PLACES.values(), ids=PLACES)
def test_the_viewer_opens_at_the_peak_with_scan_and_map_in_their_places(options):
    pytest.importorskip("ipyniivue")
    scan = volume(spacing=(2, 1, 1), origin=(5, 6, 7), **options)
    found = explanation(("x",), maps=[map_with((2, 0, 1))], scan=scan)
    widget = found.show("x")
    opened = [nib.Nifti1Image.from_bytes(each.data) for each in widget.volumes]
    for image, values, affine in zip(
        opened, (scan.voxels, found.maps["x"]), (scan.affine, found.affine), strict=True
    ):
        assert np.array_equal(np.asarray(image.dataobj), values.T)
        assert np.allclose(image.affine, affine[:, [2, 1, 0, 3]], atol=1e-5)
    base = nib.as_closest_canonical(opened[0])
    index = np.array(widget.scene.crosshair_pos) * base.shape - 0.5
    peak = (found.affine @ [2, 0, 1, 1])[:3]
    assert np.allclose((base.affine @ [*index, 1])[:3], peak, atol=0.01)


def test_an_unknown_label_is_refused():
    with pytest.raises(TargetError, match="no label 'y'"):
        explanation(("x",)).show("y")


def test_without_ipyniivue_the_cure_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ipyniivue", None)
    with pytest.raises(MissingPackageError, match=r"hirescam\[notebook\]"):
        explanation(("x",)).show("x")
