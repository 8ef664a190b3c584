"""Defects measured in neighbouring tools, each with the sentence that is true of ours."""

import pytest
import torch
from torch import nn

from hirescam import methods
from hirescam.errors import TargetError
from make_networks import AFFINE, affine_head_2d, affine_head_3d, built, deep_head_3d


def test_fewer_targets_than_images_give_no_silently_empty_map():
    network, layer, x = built(affine_head_2d)
    with pytest.raises(TargetError, match="batch of 2"):
        methods.hirescam(network, x, layer=layer, targets=[[1]])
    one_for_all = methods.hirescam(network, x, layer=layer, targets=[1])
    assert (one_for_all.abs().amax(dim=(2, 3)) > 0).all()


def test_an_index_error_is_not_swallowed():
    class Broken(nn.Module):
        def forward(self, x):
            return x[:, [99]]

    network, _, x = built(affine_head_2d)
    with pytest.raises(IndexError):
        methods.hirescam(network.append(Broken()), x, layer=network[1])


def test_the_network_is_not_left_in_evaluation_mode():
    network, layer, x = built(affine_head_2d)
    network.train()
    methods.hirescam(network, x, layer=layer)
    assert all(module.training for module in network.modules())


def test_a_failed_ablation_leaves_no_layer_inside_the_network():
    network, layer, x = built(affine_head_2d)
    before = dict(network.named_modules())
    network.append(nn.Linear(99, 1))
    broken = dict(network.named_modules())
    with pytest.raises(RuntimeError):
        methods.ablationcam(network, x, layer=layer)
    assert dict(network.named_modules()) == broken
    assert before.items() <= broken.items()
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize("method", ["scorecam", "ablationcam", "hirescam", "gradcam", "lrp"])
def test_methods_that_fail_in_3d_elsewhere_work(method):
    network, _, x = built(affine_head_3d)
    assert methods.METHODS[method](network, x).isfinite().all()


@pytest.mark.parametrize("build", AFFINE)
def test_maps_keep_their_sign_and_size(build):
    network, layer, x = built(build)
    maps = methods.hirescam(network, x, layer=layer)
    assert (maps < 0).any()
    assert (maps > 0).any()
    torch.testing.assert_close(maps.flatten(2).sum(2), network(x) - network[-1].bias)


def test_the_largest_value_is_not_mapped_to_zero():
    network, layer, x = built(affine_head_2d)
    network[3].weight.data.abs_()
    maps = methods.gradcam(network, x, layer=layer)
    activation = network[:2](x).sum(1)
    assert maps[0, 0].flatten()[activation[0].argmax()] > 0


def test_gradcam_plus_plus_is_finite_at_a_logit_of_430():
    network, layer, x = built(affine_head_2d)
    network[3].weight.data.abs_()
    network[3].weight.data *= 430 / network(x).max().detach()
    network[3].bias.data.zero_()
    assert network(x).max() > 400
    assert methods.gradcam_plus_plus(network, x, layer=layer).isfinite().all()


def test_a_batch_and_an_all_negative_map_give_numbers():
    network, layer, x = built(affine_head_2d)
    network[3].weight.data.abs_().neg_()
    maps = methods.gradcam(network, x, layer=layer)
    assert maps.isfinite().all()
    assert (maps <= 0).all()
    assert len(maps) == 2


@pytest.mark.parametrize("inplace", [False, True])
def test_an_in_place_relu_breaks_no_hook(inplace):
    network, _, x = built(affine_head_2d)
    expected = methods.hirescam(network, x, layer=network[0])
    network[1] = nn.ReLU(inplace=inplace)
    torch.testing.assert_close(methods.hirescam(network, x, layer=network[0]), expected)


def test_a_two_layer_head_or_an_early_layer_is_not_passed_over_in_silence():
    network, layer, x = built(deep_head_3d)
    assert "ReLU `4` between `3` and `5`" in methods.audit(network, x, layer=layer).sentence(
        "hirescam"
    )
    network, _, x = built(affine_head_2d)
    early = methods.audit(network, x, layer=network[0])
    assert not early.holds_for("hirescam")
    assert early.first_nonaffine.startswith("ReLU `1`")
