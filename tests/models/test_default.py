"""The model that comes with the package: small, exact, and looking at what was simulated."""

import numpy as np
import pytest

import hirescam
from hirescam.methods import Kind
from hirescam.models.files import default_model_path, load_model
from hirescam.simulation.chest import SIMULATED_LABELS

SEED = 912_345  # no chest of its training


@pytest.fixture(scope="module")
def model():
    return load_model(default_model_path())


def test_it_is_small_and_says_what_it_is(model):
    assert default_model_path().stat().st_size <= 2_000_000
    assert model.labels == SIMULATED_LABELS
    assert "only ever seen simulated chests" in model.card.notes[0]
    measured = " ".join(model.card.notes[1:])
    assert all(f"{label}: AUROC" in measured for label in model.labels)


@pytest.mark.parametrize("label", ["lung_pleural_effusion", "great_vessel_catheter_or_port"])
def test_it_tells_a_chest_with_a_finding_and_points_at_it(model, label):
    without = hirescam.simulate(SEED, findings=(), spacing_mm=(3.0, 3.2, 3.2))
    chest = hirescam.simulate(SEED, findings=(label,), spacing_mm=(3.0, 3.2, 3.2))
    found = hirescam.explain(model, chest.volume)
    assert found.guarantees[label].kind is Kind.CAM
    assert found.scores[label] > hirescam.explain(model, without.volume).scores[label] + 1
    cell = np.unravel_index(found.maps[label].argmax(), found.maps[label].shape)
    place_mm = (found.affine @ [*cell, 1])[:3]
    lesion = np.argwhere(chest.masks[label])
    lesion_mm = lesion @ chest.volume.affine[:3, :3].T + chest.volume.affine[:3, 3]
    assert np.abs(lesion_mm - place_mm).max(axis=1).min() < 1.5 * 12.8
