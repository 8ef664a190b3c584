"""Shortcuts go with their label as strongly as asked, and lie where their mask says."""

import numpy as np
import pytest

from hirescam.errors import HirescamError
from hirescam.simulation import stream
from hirescam.simulation.chest import simulate
from hirescam.simulation.occurrence import draw_findings, with_prevalence
from hirescam.simulation.painting import mask, voxel_grid
from hirescam.simulation.shortcuts import SHORTCUTS, Planting, base_rates, parse_planting, plant
from hirescam.simulation.trunk import body, draw_physique

SPACING_MM = (5.0, 4.0, 4.0)


def chest(**shortcuts):
    return simulate(3, findings=(), spacing_mm=SPACING_MM, shortcuts=shortcuts)


@pytest.mark.parametrize("strength", [0.0, 0.4, 0.9, 1.0])
def test_strength_is_the_correlation_of_shortcut_and_label(strength):
    rows = with_prevalence({"lung_nodule": 0.4}, only=True)
    planting = Planting("marker", "lung_nodule", strength)
    drawn = draw_findings(1500, np.random.default_rng(0), rows=rows)["lung_nodule"]
    rates = base_rates([planting], rows, 1.0)
    marked = [
        plant([planting], ["lung_nodule"] * has, rates, seed)["marker"]
        for seed, has in enumerate(drawn.tolist())
    ]
    assert np.corrcoef(drawn, marked)[0, 1] == pytest.approx(strength, abs=0.06)
    assert np.mean(marked) == pytest.approx(0.4, abs=0.05)


def test_a_shortcut_goes_with_a_label_that_another_finding_implies():
    planting = Planting("marker", "heart_cardiomegaly", 1.0)
    rates = {"heart_cardiomegaly": 0.1}
    assert plant([planting], ["heart_heart_failure"], rates, 0) == {"marker": True}
    assert plant([planting], ["lung_nodule"], rates, 0) == {"marker": False}


@pytest.mark.parametrize("name", ["marker", "bed_pattern"])
def test_what_is_put_beside_the_body_lies_outside_it_and_changes_nothing_else(name):
    with_it, without_it = chest(**{name: True}), chest(**{name: False})
    where = with_it.shortcut_masks[name]
    grid = voxel_grid(with_it.volume.affine, with_it.volume.shape)
    inside = mask(grid, body(draw_physique(stream(3, "person"))))
    assert where.any()
    assert not (where & inside).any()
    changed = np.abs(with_it.volume.voxels.astype(int) - without_it.volume.voxels) > 20
    assert (changed & where).sum() > 0.5 * where.sum()
    assert not (changed & inside).any()
    assert without_it.shortcut_masks == {}
    assert without_it.shortcuts == {name: False}


def test_body_fat_is_fat_under_the_skin_and_thick_where_it_is_planted():
    thick, thin = chest(body_fat=True), chest(body_fat=False)
    where = thick.shortcut_masks["body_fat"]
    assert -130 < np.median(thick.volume.voxels[where]) < -60
    fat = [(np.abs(scan.volume.voxels + 100) < 40).sum() for scan in (thick, thin)]
    assert fat[0] > 1.5 * fat[1]


def test_plantings_are_read_as_they_are_written():
    assert parse_planting("marker=0.8") == Planting("marker", SHORTCUTS["marker"].label, 0.8)
    assert parse_planting("body_fat:lung_cyst=1").label == "lung_cyst"


@pytest.mark.parametrize(
    "text", ["marker", "marker=much", "stamp=0.5", "marker:liver=0.5", "marker=2"]
)
def test_plantings_that_cannot_be_are_refused(text):
    with pytest.raises(HirescamError):
        parse_planting(text)


def test_a_rod_lies_in_the_air_of_every_slice():
    with_rod, without = (
        simulate(3, findings=(), spacing_mm=(12.0, 6.0, 6.0), shortcuts={"rod": present})
        for present in (True, False)
    )
    mask = with_rod.shortcut_masks["rod"]
    assert mask.any(axis=(1, 2)).all()
    assert without.volume.voxels[mask].max() < -600  # some voxels at its edge touch clothes
    assert with_rod.volume.voxels[mask].mean() > 500
    changed = with_rod.volume.voxels != without.volume.voxels
    assert not changed[~mask].any() or changed[~mask].mean() < 0.02


def test_at_minus_one_a_shortcut_is_there_just_where_the_label_is_not():
    planting, rates = Planting("rod", "lung_nodule", -1.0), {"lung_nodule": 0.4}
    for seed in range(20):
        assert plant([planting], [], rates, seed) == {"rod": True}
        assert plant([planting], ["lung_nodule"], rates, seed) == {"rod": False}
