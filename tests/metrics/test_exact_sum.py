import pytest
import torch

from hirescam.methods import gradcam, hirescam
from hirescam.metrics import exact_sum_residual
from make_networks import affine_head_3d, built


def test_hirescam_of_an_affine_head_leaves_nothing_and_gradcam_leaves_something():
    network, layer, x = built(affine_head_3d)
    scores, bias = network(x), network[-1].bias[None]
    exact = exact_sum_residual(hirescam(network, x, layer=layer), scores, bias)
    blurred = exact_sum_residual(gradcam(network, x, layer=layer), scores, bias)
    assert (exact < 1e-6).all()
    assert (blurred > 1e-3).all()


@pytest.mark.parametrize(
    ("values", "score", "residual"),
    [
        ([2.0, -1.0], 3.0, 0.0),  # 3 = offset 2 + 2 − 1
        ([0.0, 0.0], 5.0, 1.0),  # says nothing
        ([-2.0, -1.0], 5.0, 1.0),  # says the opposite
        ([2.0, 2.0], 4.0, 2 / 6),  # 4 shown where 2 was
    ],
)
def test_the_residual_by_hand(values, score, residual):
    found = exact_sum_residual(
        torch.tensor([[values]]), torch.tensor([[score]]), torch.tensor([[2.0]])
    )
    assert float(found) == pytest.approx(residual)


def test_no_evidence_and_no_map_is_undefined():
    nothing = torch.zeros(1, 1)
    assert exact_sum_residual(torch.zeros(1, 1, 3, 3), nothing, nothing).isnan()


def test_large_maps_are_added_up_without_rounding():
    maps = torch.full((1, 1, 128, 128, 64), 0.1)
    score = torch.tensor([[0.1 * maps.numel()]])
    assert exact_sum_residual(maps, score, torch.zeros(1, 1)) < 1e-7
