import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from hirescam.errors import TargetError
from hirescam.methods import hirescam
from hirescam.metrics import deletion, insertion
from make_networks import NETWORKS, built


def slow_curve(score, start, end, maps, steps):
    """Image by image, target by target, place by place."""
    scores = torch.empty(steps + 1, *maps.shape[:2])
    for image in range(maps.shape[0]):
        for target in range(maps.shape[1]):
            values = maps[image, target].flatten().tolist()
            order = sorted(range(len(values)), key=lambda place: -values[place])
            for step in range(steps + 1):
                changed = start[image].clone().flatten(1)
                for place in order[: round(step / steps * len(order))]:
                    changed[:, place] = end[image].flatten(1)[:, place]
                found = score(changed.reshape(start[image].shape)[None])
                scores[step, image, target] = found[0, target]
    return scores


@pytest.fixture(params=NETWORKS, ids=lambda build: build.__name__)
def case(request):
    network, layer, x = built(request.param)
    return network.eval(), x, hirescam(network, x, layer=layer)


@pytest.mark.parametrize("images_at_once", [1, 5, 1000])
def test_curves_equal_changing_one_place_after_another(case, images_at_once):
    network, x, maps = case
    options = {"n_steps": 7, "fill": 0.5, "images_at_once": images_at_once}
    empty = torch.full_like(x, 0.5)
    with torch.no_grad():
        down, up = (slow_curve(network, *ends, maps, 7) for ends in ((x, empty), (empty, x)))
    torch.testing.assert_close(deletion(network, x, maps, **options).scores, down)
    torch.testing.assert_close(insertion(network, x, maps, **options).scores, up)


def test_the_ends_are_the_whole_and_the_empty_image(case):
    network, x, maps = case
    down, up = deletion(network, x, maps, n_steps=3), insertion(network, x, maps, n_steps=3)
    with torch.no_grad():
        whole, empty = network(x), network(torch.zeros_like(x))
    for found, expected in ((down.scores, (whole, empty)), (up.scores, (empty, whole))):
        torch.testing.assert_close(found[0], expected[0])
        torch.testing.assert_close(found[-1], expected[1])


def test_no_order_beats_the_exact_map_of_a_linear_network():
    """Where scores are sums over places, the largest parts first is the best order there is."""
    linear = nn.Sequential(nn.Flatten(), nn.Linear(27, 2, bias=False))
    random = torch.Generator().manual_seed(0)
    x = torch.randn(4, 1, 3, 3, 3, generator=random)
    exact = x * linear[1].weight.detach().reshape(1, 2, 3, 3, 3)
    best_down, best_up = (f(linear, x, exact, n_steps=27).area for f in (deletion, insertion))
    for _ in range(20):
        other = torch.randn(exact.shape, generator=random)
        assert (deletion(linear, x, other, n_steps=27).area >= best_down - 1e-5).all()
        assert (insertion(linear, x, other, n_steps=27).area <= best_up + 1e-5).all()


def test_the_area_is_the_mean_height_by_trapezoids(case):
    network, x, maps = case
    curve = deletion(network, x, maps, n_steps=4)
    pairs = [(curve.scores[i] + curve.scores[i + 1]) / 2 for i in range(4)]
    torch.testing.assert_close(curve.area, torch.stack(pairs).mean(dim=0))


@pytest.mark.parametrize("space", [(8,), (8, 4), (4, 4, 2)], ids=len)
def test_a_coarser_map_is_stretched_in_blocks(space):
    x = torch.randn(2, 1, *space, generator=torch.Generator().manual_seed(0))
    coarse = torch.randn(
        2, 1, *[size // 2 for size in space], generator=torch.Generator().manual_seed(1)
    )
    fine = interpolate(coarse, scale_factor=2, mode="nearest")

    def score(images):
        return (images**2).flatten(1).sum(dim=1, keepdim=True)

    assert torch.equal(deletion(score, x, coarse).scores, deletion(score, x, fine).scores)


def test_a_map_without_an_order_has_no_curve_and_no_area(case):
    network, x, maps = case
    maps = maps.clone()
    maps[1, 2] = 3.0
    area = deletion(network, x, maps, n_steps=2).area
    assert area.isnan().nonzero().tolist() == [[1, 2]]


def test_fill_may_be_an_image():
    x, other = torch.ones(1, 2, 3, 3), torch.arange(18.0).reshape(1, 2, 3, 3)
    maps = torch.arange(9.0).reshape(1, 1, 3, 3)

    def score(images):
        return images.flatten(1).sum(dim=1, keepdim=True)

    assert deletion(score, x, maps, fill=other).scores[-1] == other.sum()


def test_maps_of_fewer_targets_than_scores_are_refused(case):
    network, x, maps = case
    with pytest.raises(TargetError, match="maps of 1 targets but 3 scores"):
        deletion(network, x, maps[:, :1])
