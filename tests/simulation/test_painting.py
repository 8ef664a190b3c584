"""Tissues of a healthy chest have the density and the place that a radiologist expects."""

import numpy as np
import pytest

from hirescam.simulation.chest import simulate
from hirescam.simulation.organs import build_organs, canal, ribs, spine
from hirescam.simulation.painting import mask, voxel_grid
from hirescam.simulation.render import noise, reconstruct
from hirescam.simulation.shapes import cloud, common, grown
from hirescam.simulation.trunk import belly_organs, body, cavity, draw_physique

SEED = 2


@pytest.fixture(scope="module")
def scan():
    return simulate(SEED, findings=(), spacing_mm=(3.0, 3.0, 3.0))


@pytest.fixture(scope="module")
def person():
    return draw_physique(np.random.default_rng([SEED, *b"person"]))


@pytest.fixture(scope="module")
def shapes(person):
    organs, belly = build_organs(person), belly_organs(person)
    return {
        "heart": organs.heart,
        "aorta": organs.aorta,
        "airways": organs.airways,
        "lung": grown(organs.lungs["right"], -4),
        "ribs": ribs(person),
        "spine": spine(person),
        "canal": canal(person),
        **{name: grown(shape, -2) for name, shape in belly.items()},
    }


RANGES_HU = {
    "heart": (35, 55),
    "aorta": (30, 50),
    "airways": (-1020, -850),
    "lung": (-900, -780),
    "ribs": (150, 700),
    "spine": (100, 450),
    "canal": (0, 60),
    "liver": (45, 70),
    "spleen": (35, 60),
    "stomach": (-1000, 60),
    "stomach_gas": (-1020, -900),
}


@pytest.mark.parametrize("tissue", RANGES_HU)
def test_each_tissue_has_its_density(scan, shapes, tissue):
    grid = voxel_grid(scan.volume.affine, scan.volume.shape)
    low, high = RANGES_HU[tissue]
    assert low < np.median(scan.volume.voxels[mask(grid, shapes[tissue])]) < high


def test_liver_lies_to_the_right_stomach_and_heart_to_the_left(scan, shapes):
    grid = voxel_grid(scan.volume.affine, scan.volume.shape)
    for organ, sign in {"liver": 1, "stomach_gas": -1, "spleen": -1, "heart": -1}.items():
        index = np.argwhere(mask(grid, shapes[organ]))
        x = index @ scan.volume.affine[0, :3] + scan.volume.affine[0, 3]
        assert sign * x.mean() > 5, organ


def test_air_surrounds_the_body(scan, person):
    grid = voxel_grid(scan.volume.affine, scan.volume.shape)
    outside = ~mask(grid, grown(body(person), 4))
    assert outside.mean() > 0.2
    assert np.quantile(scan.volume.voxels[outside], 0.9) < -950


def test_everything_of_the_chest_lies_in_the_cavity(person):
    inside, organs = cavity(person), build_organs(person)
    tries = np.random.default_rng(0).uniform(inside.low * (1, 1, 0), inside.high, (4000, 3))
    tries[:, 2] -= 120
    for shape in (organs.heart, *organs.lungs.values()):
        places = cloud(tries[shape.distance(cloud(tries)) < 0])
        assert len(places.x) > 20
        assert (inside.distance(places) < 0).all()


def test_what_two_shapes_share_lies_in_both(shapes):
    tries = cloud(np.random.default_rng(1).uniform(-120, 120, (2000, 3)))
    both = common(shapes["heart"], shapes["lung"]).distance(tries) < 0
    assert not both.any()


def test_noise_has_the_asked_strength_and_is_shared_by_neighbours():
    planes = np.stack(list(noise((40, 60, 60), 15.0, np.random.default_rng(0))))
    assert planes.std() == pytest.approx(15, rel=0.05)
    for one, other in ((planes[1:], planes[:-1]), (planes[:, :, 1:], planes[:, :, :-1])):
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("sharpness", "low", "high"), [(-1.0, 0.6, 0.8), (0.0, 1, 1), (1.0, 1.2, 1.4)]
)
def test_a_sharp_kernel_shows_more_noise_and_keeps_the_mean(sharpness, low, high):
    planes = np.stack(list(noise((30, 60, 60), 15.0, np.random.default_rng(1))))
    sharp = np.stack([reconstruct(plane.copy(), sharpness) for plane in planes])
    assert low <= sharp.std() / planes.std() <= high
    assert sharp.mean() == pytest.approx(planes.mean(), abs=0.02)
