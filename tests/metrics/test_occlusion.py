import pytest
import torch
from torch import nn

from hirescam.metrics import blocks, mass_in_parts, occlusion_agreement

SPACES = [(7,), (4, 6), (3, 4, 2)]


def linear(space):
    """A network that adds up weighted voxels, so that each place's share is known."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(int(torch.tensor(space).prod()), 3))
    x = torch.randn(2, 1, *space, generator=torch.Generator().manual_seed(0))
    return network, x, x * network[1].weight.detach().reshape(1, 3, *space)


def drops_of(network, x, parts):
    """Score by score, part by part."""
    with torch.no_grad():
        drops = [network(x) - network(x.masked_fill(part, 0)) for part in parts]
    return torch.stack(drops, dim=2)


@pytest.mark.parametrize("space", SPACES, ids=len)
def test_blocks_tile_the_grid_in_reading_order(space):
    parts = blocks(space, 2)
    assert torch.equal(parts.sum(dim=0), torch.ones(space, dtype=torch.long))
    firsts = [int(part.flatten().nonzero()[0]) for part in parts]
    assert firsts == sorted(firsts)
    for part in parts:
        extent = part.nonzero().amax(dim=0) - part.nonzero().amin(dim=0) + 1
        assert (extent <= 2).all()
        assert int(extent.prod()) == int(part.sum())


@pytest.mark.parametrize("space", SPACES, ids=len)
def test_hiding_a_part_of_a_linear_network_costs_exactly_the_maps_mass_there(space):
    network, x, maps = linear(space)
    parts = blocks(space, 2)
    drops = drops_of(network, x, parts)
    torch.testing.assert_close(mass_in_parts(maps, parts).float(), drops)
    agreement = occlusion_agreement(maps, parts, drops)
    torch.testing.assert_close(agreement.float(), torch.ones(2, 3))


def test_a_reversed_map_disagrees_fully():
    network, x, maps = linear((4, 6))
    parts = blocks((4, 6), 2)
    found = occlusion_agreement(-maps, parts, drops_of(network, x, parts))
    torch.testing.assert_close(found.float(), -torch.ones(2, 3))


def test_one_part_alone_or_a_map_of_equal_masses_agrees_with_nothing():
    network, x, maps = linear((4, 6))
    whole, parts = blocks((4, 6), 6), blocks((4, 6), 2)
    assert occlusion_agreement(maps, whole, drops_of(network, x, whole)).isnan().all()
    even = torch.ones_like(maps)
    assert occlusion_agreement(even, parts, drops_of(network, x, parts)).isnan().all()
