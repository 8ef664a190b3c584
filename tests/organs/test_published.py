"""The published segmentation, against loops over its steps and against its stated rules."""

import numpy as np
import pytest
from scipy import ndimage

from hirescam.ct.volume import Volume, reorient
from hirescam.organs.masks import ORGANS
from hirescam.organs.published import AS_CODED, dark_lungs, published, published_as_printed
from make import affine

AIR, TISSUE, LUNG = -1000, 40, -800
SIDES = np.ones((3, 3))


def lungs_by_loops(hu, smallest):
    """The four steps in the authors' order: label, look at each piece, erase it."""
    mask = hu < -300
    for plane in mask:
        pieces, count = ndimage.label(plane, structure=SIDES)
        for piece in range(1, count + 1):
            rows, columns = np.nonzero(pieces == piece)
            ends = (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
            if 0 in ends[:2] or ends[2] == len(plane) or ends[3] == len(plane[0]):
                plane[pieces == piece] = False
        pieces, count = ndimage.label(plane, structure=SIDES)
        areas = [np.sum(pieces == piece) for piece in range(1, count + 1)]
        if count > 2:
            for piece, area in enumerate(areas, start=1):
                if area < sorted(areas)[-2]:
                    plane[pieces == piece] = False
    pieces, count = ndimage.label(mask)
    for piece in range(1, count + 1):
        if np.sum(pieces == piece) < smallest:
            mask[pieces == piece] = False
    return mask


def chest(columns=420, *, right=(60, 180), left=(220, 380), spacing_mm=0.8, extra=()):
    """Two boxes of lung in a box of tissue, head to feet; few and thick slices and rows."""
    hu = np.full((10, 12, columns), AIR, np.int16)
    hu[:, 1:-1, 20:-20] = TISSUE
    for first, last in (right, left, *extra):
        hu[2:-2, 3:-3, first:last] = LUNG
    return Volume(hu, affine(spacing=(25.0, 25.0, spacing_mm)))


def extent(masks, organ):
    """First and end column of an organ."""
    columns = np.flatnonzero(masks.mask(organ).any(axis=(0, 1)))
    return int(columns[0]), int(columns[-1]) + 1


@pytest.mark.parametrize("seed", range(20))
def test_the_lungs_are_those_of_loops_over_the_authors_steps(seed):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(7, 24, 20)), (0.4, 0.7, 0.7))
    hu = np.rint(-300 + 8 * smooth).astype(np.int16)  # many at the threshold itself
    scan = Volume(hu, affine(spacing=(32.0, 32.0, 31.25)))  # 32 mL: 16 voxels are 512 mL
    expected = lungs_by_loops(hu, smallest=16)
    np.testing.assert_array_equal(dark_lungs(scan), expected)


def test_pieces_as_large_as_the_second_all_survive():
    hu = np.full((1, 9, 30), TISSUE, np.int16)
    for first, last in ((1, 9), (10, 15), (16, 21), (22, 26)):
        hu[0, 2:7, first:last] = LUNG
    lungs = dark_lungs(Volume(hu, affine(spacing=(100.0, 100.0, 100.0))))
    np.testing.assert_array_equal(
        np.flatnonzero(lungs[0, 4]), [*range(1, 9), *range(10, 15), *range(16, 21)]
    )


@pytest.mark.parametrize(("voxels", "kept"), [(999_999, False), (1_000_000, True)])
def test_a_million_voxels_of_08_mm_are_the_smallest_lung(voxels, kept):
    hu = np.full((102, 102, 103), TISSUE, np.int16)
    hu[1:101, 1:101, 1:101].reshape(
        -1
    )  # a cube of a million voxels, less those that are missing
    hu[1:101, 1:101, 1:101] = LUNG
    hu[1, 1, 1 : 1 + 1_000_000 - voxels] = TISSUE
    lungs = dark_lungs(Volume(hu, affine(spacing=(0.8, 0.8, 0.8))))
    assert lungs.sum() == (voxels if kept else 0)


def test_lungs_are_cut_at_the_midline_of_the_volume_or_of_their_box():
    scan = chest(right=(60, 230), left=(250, 380))  # the right lung reaches over column 210
    coded, printed = published(scan), published_as_printed(scan)
    assert extent(coded, "right_lung") == (60, 210)
    assert extent(printed, "right_lung") == (60, 220)
    assert extent(printed, "left_lung") == (220, 380)


def test_the_mediastinum_is_what_is_no_lung_in_its_columns_of_the_box():
    masks = published(chest(right=(60, 180), left=(220, 383)))
    mediastinum = masks.mask("mediastinum")
    assert extent(masks, "mediastinum") == (180, 220)  # of 60 + 80 to 383 − 40
    assert mediastinum[2:-2, 3:-3, 180:220].all()
    assert mediastinum.sum() == mediastinum[2:-2, 3:-3].sum()


def test_the_mediastinum_keeps_to_25_and_87_percent_of_the_box():
    hu = chest(right=(60, 380), left=(60, 380)).voxels.copy()
    hu[5, 4:-4, 20:-20] = TISSUE  # a slice where no lung lies between sternum and spine
    masks = published(Volume(hu, chest().affine))
    in_that_slice = np.flatnonzero(masks.mask("mediastinum")[5, 5])
    assert (in_that_slice[0], in_that_slice[-1] + 1) == (60 + 80, 380 - 40)


@pytest.mark.parametrize(
    ("places", "missing"),
    [
        ({"right": (131, 200)}, ["right"]),
        ({"right": (130, 200)}, []),
        ({"left": (220, 299)}, ["left"]),
        ({"left": (220, 300)}, []),
        ({"right": (140, 200), "left": (220, 290)}, ["right", "left"]),
    ],
)
def test_a_lung_beyond_its_border_is_missing(places, missing):
    masks = published(chest(**places))
    for verdict in masks.verdicts.values():
        assert [reason.split()[0] for reason in verdict.reasons] == missing
        assert verdict.heuristic is bool(missing)
        assert verdict.trusted is not bool(missing)


def test_borders_are_millimetres_whatever_the_voxels():
    assert (
        published(chest(210, right=(65, 90), left=(120, 150), spacing_mm=1.6))
        .verdicts["left_lung"]
        .trusted
    )
    masks = published(chest(210, right=(66, 90), left=(120, 149), spacing_mm=1.6))
    assert len(masks.verdicts["left_lung"].reasons) == 2


def test_heuristic_masks_are_halves_and_four_of_six_columns_that_overlap():
    masks = published(chest(right=(140, 200)))
    assert extent(masks, "right_lung") == (0, 210)
    assert extent(masks, "left_lung") == (210, 420)
    assert extent(masks, "mediastinum") == (70, 350)
    assert masks.mask("mediastinum").sum() == 10 * 12 * 280
    assert set(np.unique(masks.codes[:, :, 70:350])) == {3}


def test_as_printed_the_heuristic_mediastinum_is_the_middle_half():
    masks = published_as_printed(chest(right=(140, 200)))
    assert extent(masks, "mediastinum") == (105, 315)


def test_a_scan_without_lungs_passes_as_coded_but_its_verdict_says_so():
    masks = published(Volume(np.full((4, 6, 80), TISSUE, np.int16), affine()))
    assert not masks.mask("right_lung").any()
    assert extent(masks, "mediastinum") == (20, 70)
    for verdict in masks.verdicts.values():
        assert not verdict.trusted
        assert not verdict.heuristic
        assert verdict.reasons == ("no dark piece of at least 512 mL lies inside the body",)


def test_as_printed_a_scan_without_lungs_gets_heuristic_masks():
    masks = published_as_printed(Volume(np.full((4, 6, 80), AIR, np.int16), affine()))
    assert all(verdict.heuristic for verdict in masks.verdicts.values())
    assert extent(masks, "right_lung") == (0, 40)


@pytest.mark.parametrize("places", [{}, {"right": (140, 200)}])
@pytest.mark.parametrize("orientation", ["RAS", "LPI", "PIR", "SLA"])
def test_turning_a_scan_turns_its_masks(orientation, places):
    scan = chest(**places)
    masks, turned = published(scan), published(reorient(scan, orientation))
    for organ in ORGANS:
        back = reorient(Volume(turned.mask(organ).astype(np.int16), turned.affine))
        np.testing.assert_array_equal(back.voxels, masks.mask(organ))
        assert turned.volumes_ml[organ] == pytest.approx(masks.volumes_ml[organ])
    assert turned.codes.shape == reorient(scan, orientation).shape


def test_steps_are_observed_each_within_the_one_before():
    steps = {}
    published(chest(extra=[(190, 194)]), observe=steps.__setitem__)
    assert list(steps) == [
        "threshold",
        "border cleared",
        "two largest per slice",
        "pieces of 512 mL",
    ]
    sizes = [step.sum() for step in steps.values()]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[1] - sizes[2] == 6 * 6 * 4  # the trachea


def test_observing_changes_nothing():
    scan = chest()
    plain, watched = published(scan), published(scan, observe=lambda name, mask: None)
    np.testing.assert_array_equal(plain.codes, watched.codes)


def test_the_scan_is_left_as_it_was():
    scan = chest()
    before = scan.voxels.copy()
    published(scan, rules=AS_CODED)
    np.testing.assert_array_equal(scan.voxels, before)
