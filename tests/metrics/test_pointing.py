from itertools import permutations

import pytest
import torch

from hirescam.metrics import mass_accuracy, pointing_game, rank_accuracy

MEASURES = (pointing_game, mass_accuracy, rank_accuracy)


@pytest.fixture(params=[(9,), (4, 5), (3, 2, 4)], ids=len)
def case(request):
    random = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 3, *request.param, generator=random)
    return maps, torch.rand(2, 3, *request.param, generator=random) < 0.4


def each(maps, regions):
    """Pairs of lists: the values of one map, and whether each lies inside."""
    for image in range(maps.shape[0]):
        for target in range(maps.shape[1]):
            yield maps[image, target].flatten().tolist(), regions[image, target].flatten()


def test_the_pointing_game_asks_where_the_highest_value_lies(case):
    expected = [float(inside[v.index(max(v))]) for v, inside in each(*case)]
    assert pointing_game(*case).flatten().tolist() == expected


def test_mass_accuracy_adds_up_positive_values_only(case):
    expected = [
        sum(v for v, i in zip(values, inside, strict=True) if i and v > 0)
        / sum(v for v in values if v > 0)
        for values, inside in each(*case)
    ]
    assert mass_accuracy(*case).flatten().tolist() == pytest.approx(expected)


def test_rank_accuracy_takes_as_many_places_as_the_region_has(case):
    expected = []
    for values, inside in each(*case):
        first = sorted(range(len(values)), key=lambda place: -values[place])
        first = first[: int(inside.sum())]
        expected.append(sum(bool(inside[place]) for place in first) / len(first))
    assert rank_accuracy(*case).flatten().tolist() == pytest.approx(expected)


@pytest.mark.parametrize("measure", [pointing_game, rank_accuracy])
def test_ties_count_as_the_mean_over_all_ways_to_break_them(measure):
    values, inside = [2, 1, 1, 2, 1], torch.tensor([[[True, True, False, False, True]]])
    tied = measure(torch.tensor([[values]]).float(), inside)
    ways = []
    for nudges in permutations(range(5)):
        nudged = [value + nudge / 100 for value, nudge in zip(values, nudges, strict=True)]
        ways.append(measure(torch.tensor([[nudged]]), inside))
    assert float(tied) == pytest.approx(float(torch.stack(ways).mean()))


@pytest.mark.parametrize("measure", MEASURES)
def test_an_empty_region_is_undefined_and_does_not_spread(measure, case):
    maps, regions = case
    regions[1, 2] = False
    assert measure(maps, regions).isnan().nonzero().tolist() == [[1, 2]]


def test_mass_accuracy_of_a_map_without_positive_values_is_undefined(case):
    maps, regions = case
    assert mass_accuracy(-maps.abs(), regions).isnan().all()


@pytest.mark.parametrize("measure", MEASURES)
def test_a_map_of_the_region_itself_is_perfect_and_of_its_outside_worthless(measure, case):
    _, regions = case
    assert (measure(regions.float(), regions) == 1).all()
    assert (measure((~regions).float(), regions) < 1).all()


@pytest.mark.parametrize("measure", MEASURES)
def test_a_map_without_order_scores_as_chance(measure, case):
    maps, regions = case
    chance = regions.flatten(2).float().mean(dim=2)
    torch.testing.assert_close(measure(torch.ones_like(maps), regions).float(), chance)
