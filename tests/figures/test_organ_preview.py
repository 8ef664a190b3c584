"""One look at a preview tells whether masks can be used."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from hirescam.ct.volume import Volume, reorient
from hirescam.errors import WriteError
from hirescam.figures.organ_preview import preview, write_preview
from hirescam.figures.render3d import PIXELS, render
from hirescam.organs.masks import OrganMasks, Verdict, keep_steps
from make import affine

GREEN_AND_PURPLE = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
CUBE_MM = (200.0, 200.0, 200.0)


def scan_and_masks(**verdicts):
    """Two lungs and what lies between them, right to left, in a scan of 20 cm."""
    codes = np.zeros((20, 20, 20), np.uint8)
    codes[4:16, 4:16, 2:8], codes[4:16, 4:16, 12:18], codes[4:16, 4:16, 8:12] = 1, 2, 3
    placed = affine(spacing=(10.0, 10.0, 10.0))
    scan = Volume(np.where(codes > 0, -800, 40).astype(np.int16), placed)
    return scan, OrganMasks(codes, placed, method="published", verdicts=verdicts)


def texts(figure):
    """Everything that is written on a figure."""
    axes = [ax for part in figure.subfigs for ax in part.get_axes()]
    own = [text for part in figure.subfigs for text in part.texts]
    return [
        *(text.get_text() for text in own),
        *(ax.get_title(loc="left") for ax in axes),
        *(text.get_text() for ax in axes for text in ax.texts),
    ]


def lit(picture):
    """First and last row and column that are not black."""
    return [
        int(i) for axis in np.nonzero(picture.any(axis=2)) for i in (axis.min(), axis.max())
    ]


def test_a_solid_fills_its_picture_and_the_rest_is_black():
    codes = np.zeros((40, 40, 40), np.uint8)
    codes[10:14, 20:24, 30:34] = 1  # small and off-centre
    picture = render(codes, CUBE_MM, GREEN_AND_PURPLE)
    top, bottom, left, right = lit(picture)
    assert picture.shape == (PIXELS, PIXELS, 3)
    assert max(bottom - top, right - left) > 0.4 * PIXELS
    assert not picture[0].any()
    assert not picture[..., [0, 2]].any()  # green alone


def test_the_patients_right_is_on_the_left_of_the_picture():
    codes = np.zeros((40, 40, 40), np.uint8)
    codes[10:30, 10:30, 5:15], codes[10:30, 10:30, 25:35] = 1, 2
    picture = render(codes, CUBE_MM, GREEN_AND_PURPLE)
    green, purple = (np.nonzero(picture[..., channel])[1] for channel in (1, 0))
    assert green.max() < purple.min()


def test_the_head_is_up_and_the_front_hides_the_back():
    codes = np.zeros((40, 40, 40), np.uint8)
    codes[5:15, 5:10, 10:30], codes[5:35, 30:35, 10:30] = 1, 2
    picture = render(codes, CUBE_MM, GREEN_AND_PURPLE)
    rows_of_green = np.nonzero(picture[..., 1])[0]
    assert rows_of_green.max() < PIXELS * 0.6
    assert picture[..., 1].astype(bool).sum() > 0.1 * picture.any(axis=2).sum()


def test_a_cut_shows_what_lies_behind_the_middle():
    codes = np.ones((40, 40, 40), np.uint8)
    codes[10:30, 15:25, 10:30] = 2  # inside
    whole, opened = (render(codes, CUBE_MM, GREEN_AND_PURPLE, cut=cut) for cut in (False, True))
    assert not whole[..., 0].any()
    assert opened[..., 0].any()


def test_the_surface_is_smooth_where_slices_are_thick():
    rows, columns = np.mgrid[:200, :200] - 99.5
    heights = np.arange(20)[:, None, None] * 10 - 95.0
    ball = (heights**2 + rows**2 + columns**2 < 80**2).astype(np.uint8)
    picture = render(ball, CUBE_MM, np.ones((1, 3)))[..., 0].astype(float)
    middle = picture[60:180, PIXELS // 2]
    assert np.abs(np.diff(middle)).max() < 60  # no dark lines between slices


def test_nothing_gives_a_black_picture():
    assert not render(np.zeros((5, 6, 7), np.uint8), CUBE_MM, GREEN_AND_PURPLE).any()


@pytest.fixture(scope="module")
def figure():
    """The preview of masks of which two are in doubt, after a step that leaves nothing."""
    doubt = Verdict(("it is far too small", "it touches the border"))
    scan, masks = scan_and_masks(left_lung=doubt, mediastinum=Verdict(heuristic=True))
    steps = {}
    observe = keep_steps(steps)
    observe("threshold", masks.codes > 0)
    observe("two largest", masks.codes > 9)
    return preview(scan, masks, steps)


def test_the_preview_tells_volumes_and_verdicts(figure):
    said = texts(figure)
    assert "right lung   864 mL   trusted" in said
    assert "left lung   864 mL   DOUBTFUL" in said
    assert "mediastinum   576 mL   HEURISTIC: not found, put where it usually lies" in said
    own = said.index("left lung   864 mL   DOUBTFUL") + 1
    reasons = [words for words in said[own : own + 4] if words != "■"]
    assert reasons == ["· it is far too small", "· it touches the border"]


def test_the_preview_names_every_step_and_says_where_nothing_is_left(figure):
    said = texts(figure)
    assert "step 1: threshold" in said
    assert "step 2: two largest: nothing" in said
    assert {"organs", "organs without mediastinum"} <= set(said)


def test_every_plane_has_its_sides_and_a_bar(figure):
    said = texts(figure)
    assert [said.count(side) for side in "APSIRL"] == [4] * 6
    assert said.count("50 mm") == 6


def test_the_preview_is_the_same_however_the_scan_is_stored():
    scan, masks = scan_and_masks()
    turned = reorient(scan, "LSP")
    codes = reorient(Volume(masks.codes.astype(np.int16), masks.affine), "LSP")
    stored = OrganMasks(codes.voxels.astype(np.uint8), codes.affine, method="published")
    assert drawn(preview(turned, stored)) == drawn(preview(scan, masks))


def drawn(figure):
    pixels = BytesIO()
    figure.savefig(pixels, format="rgba", dpi=30)
    return pixels.getvalue()


def test_steps_are_kept_small():
    steps = {}
    keep_steps(steps)("wide", np.ones((3, 5, 1000), bool))
    assert steps["wide"].shape == (3, 5, 256)


def test_the_preview_is_written_whole_or_not_at_all(tmp_path):
    path = write_preview(tmp_path / "new" / "preview.png", *scan_and_masks())
    with Image.open(path) as picture:
        assert picture.width == 1200
    with pytest.raises(WriteError, match="cannot write"):
        write_preview(path / "below_a_file.png", *scan_and_masks())
    assert list(path.parent.iterdir()) == [path]


def test_masks_without_any_voxel_are_drawn_too():
    scan, masks = scan_and_masks()
    empty = OrganMasks(np.zeros_like(masks.codes), masks.affine, method="published")
    assert "organs: nothing" in texts(preview(scan, empty))
