"""Organ language: shares of a map's evidence add up, lie where the organs lie, and are said."""

import dataclasses

import numpy as np
import pytest

from hirescam.ct.grid import Cells, cell_affine
from hirescam.ct.volume import Volume
from hirescam.errors import ShapeError
from hirescam.explanation.organ_shares import body_mask
from hirescam.organs.masks import ORGANS, OrganMasks, Verdict
from hirescam.simulation.chest import simulate
from make import affine
from make_explanation import explanation

SHAPE = (12, 40, 40)
CELLS = (Cells(1.0, 3.0, 4), Cells(4.5, 10.0, 4), Cells(4.5, 10.0, 4))
TRUSTED = {organ: Verdict() for organ in ORGANS}


def half_and_half(**options):
    """A body in the middle of air: its right half right lung, its left half nothing named."""
    place = affine(spacing=(3.0, 3.0, 3.0), **options)
    voxels = np.full(SHAPE, -1000, np.int16)
    voxels[:, 10:30, 10:30] = 40
    codes = np.zeros(SHAPE, np.uint8)
    codes[:, 10:30, 10:20] = 1
    return Volume(voxels, place), OrganMasks(codes, place, "drawn", verdicts=TRUSTED)


def shares_of(cell_values, **options):
    scan, organs = half_and_half(**options)
    maps = np.zeros((1, 4, 4, 4), np.float32)
    for cell, value in cell_values.items():
        maps[(0, *cell)] = value
    found = explanation(("x",), maps=maps[:, :, :3, :3], scan=scan)
    found = dataclasses.replace(
        found, raw_maps=maps, affine=cell_affine(CELLS, scan.affine), slice_logits=None
    )
    return found.by_organ(organs)


@pytest.mark.parametrize("options", [{}, {"flips": (-1, -1, 1)}, {"tilt_deg": 12}])
def test_evidence_goes_to_the_place_that_its_cell_lies_in(options):
    cells = {(1, 1, 1): 3.0, (1, 2, 2): 1.0, (2, 0, 0): 1.0, (0, 1, 1): -2.0}
    shares = shares_of(cells, **options)
    positive = {place: share for place, share in shares.positive("x").items() if share > 1e-6}
    assert positive == pytest.approx(
        {"right_lung": 0.6, "rest_of_body": 0.2, "outside_body": 0.2}, abs=0.01
    )  # but for the corners of the square body, which are rounded
    assert shares.negative("x")["right_lung"] == pytest.approx(1.0)
    assert shares.net("right_lung")["x"] == pytest.approx(1.0)


def test_the_sentence_tells_the_largest_share_first_and_what_lies_outside_the_body():
    shares = shares_of({(1, 1, 1): 83.0, (1, 2, 2): 6.0, (2, 0, 0): 11.0})
    assert shares.sentence("x") == (
        "83 % of the positive evidence lies in the right lung, 11 % outside the body, "
        "6 % elsewhere in the body."
    )


def test_a_map_that_only_lowers_is_told_as_such_and_zero_as_zero():
    assert shares_of({(1, 1, 1): -1.0}).sentence("x") == (
        "No place raised this score. 100 % of the negative evidence lies in the right lung."
    )
    nothing = shares_of({})
    assert nothing.sentence("x") == "The map is zero everywhere."
    assert sum(nothing.positive("x").values()) == 0


def test_a_mask_that_is_not_trusted_is_named():
    shares = shares_of({(1, 1, 1): 1.0})
    doubted = dataclasses.replace(shares, verdicts={"right_lung": Verdict(("cut off",))})
    assert doubted.sentence("x").endswith("In doubt: the mask of the right lung.")


def test_what_no_voxel_told_is_outside_the_field():
    scan, organs = half_and_half()
    above = (Cells(-1.5, 6.0, 1), Cells(20.0, 4.0, 1), Cells(15.0, 4.0, 1))
    found = dataclasses.replace(
        explanation(("x",), scan=scan),
        raw_maps=np.ones((1, 1, 1, 1), np.float32),
        slice_logits=None,
        affine=cell_affine(above, scan.affine),
    )
    positive = found.by_organ(organs).positive("x")
    assert positive["outside_field"] == pytest.approx(4 / 6)
    assert positive["right_lung"] == pytest.approx(2 / 6, abs=1e-6)


def test_an_organ_says_how_much_of_it_lies_within_the_cells():
    shares = shares_of({(1, 1, 1): 1.0})
    assert shares.seen["right_lung"] == pytest.approx(1.0)
    scan, organs = half_and_half()
    low = explanation(("x",), scan=scan)  # its cells cover a part
    low = dataclasses.replace(
        low, affine=cell_affine((Cells(1.0, 3.0, 4), *[Cells(14.0, 3.0, 3)] * 2), scan.affine)
    )
    expected = ((21.5 - 12.5) / 20) * ((19.5 - 12.5) / 10)
    assert low.by_organ(organs).seen["right_lung"] == pytest.approx(expected, abs=1e-6)


def test_organs_of_another_scan_are_refused():
    scan, organs = half_and_half()
    moved = dataclasses.replace(organs, affine=organs.affine + np.eye(4))
    with pytest.raises(ShapeError, match="another place"):
        explanation(scan=scan).by_organ(moved)


def test_shares_of_a_simulated_chest_add_up_to_one_whatever_its_masks():
    chest = simulate(3, spacing_mm=(6.0, 6.0, 6.0))
    random = np.random.default_rng(0)
    found = explanation(scan=chest.volume)
    maps = random.normal(size=(2, 9, 7, 8)).astype(np.float32)
    cells = tuple(
        Cells(-1.0, (size + 3) / count, count)
        for size, count in zip(chest.volume.shape, maps.shape[1:], strict=True)
    )
    found = dataclasses.replace(
        found,
        raw_maps=maps,
        affine=cell_affine(cells, chest.volume.affine),
        slice_logits=None,
    )
    codes = random.integers(0, 4, chest.volume.shape).astype(np.uint8)  # also in the air around
    shares = found.by_organ(OrganMasks(codes, chest.volume.affine, "noise", verdicts=TRUSTED))
    for label in found.labels:
        for each in (shares.positive(label), shares.negative(label)):
            assert min(each.values()) >= 0
            assert sum(each.values()) == pytest.approx(1.0, abs=1e-5)
    raised = np.maximum(maps, 0).sum(axis=(1, 2, 3), dtype=float)
    assert np.allclose(shares.raised.sum(axis=1), raised, rtol=1e-5)


def test_the_body_holds_the_lungs_and_not_the_air_around():
    chest = simulate(3, spacing_mm=(6.0, 6.0, 6.0))
    mask, place = body_mask(chest.volume)
    assert np.allclose(place, chest.volume.affine)
    for organ in ORGANS:
        inside = mask[chest.organs[organ]]
        assert inside.mean() > 0.97, organ
    assert mask[:, 0].mean() < 0.05
