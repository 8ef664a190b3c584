"""Disease painted into a lung: the mask holds it, or is not trusted."""

from dataclasses import replace

import numpy as np
import pytest

from hirescam.organs.segment import segment_organs
from hirescam.simulation.chest import simulate

SPACING_MM = (3.0, 2.5, 2.5)
SIDE = {700_000: "right_lung", 700_001: "left_lung"}
PARTS = {  # axis from head, front or right; the share that is painted; whether at its end
    "upper part": (0, 0.3, False),
    "lower part": (0, 0.3, True),
    "rear part": (1, 0.35, True),
    "front part": (1, 0.3, False),
}


@pytest.fixture(scope="module", params=SIDE)
def chest(request):
    return SIDE[request.param], simulate(request.param, spacing_mm=SPACING_MM)


@pytest.mark.parametrize("part", PARTS)
def test_a_lung_that_lost_a_part_to_consolidation_is_not_trusted(chest, part):
    side, simulated = chest
    axis, share, last = PARTS[part]
    lung = simulated.organs[side]
    edge = np.quantile(np.nonzero(lung)[axis], 1 - share if last else share)
    places = np.indices(lung.shape)[axis]
    painted = lung & ((places > edge) if last else (places < edge))
    noise = np.random.default_rng(0).normal(40, 15, lung.shape)
    voxels = np.where(painted, noise, simulated.volume.voxels).astype(np.int16)
    found = segment_organs(replace(simulated.volume, voxels=voxels))
    dice = 2 * (found.mask(side) & lung).sum() / (found.mask(side).sum() + lung.sum())
    assert dice > 0.95 or found.verdicts[side].reasons


def test_lungs_without_such_a_thing_are_trusted(chest):
    _, simulated = chest
    found = segment_organs(simulated.volume)
    reasons = {organ: verdict.reasons for organ, verdict in found.verdicts.items()}
    assert reasons == dict.fromkeys(found.organs, ())
