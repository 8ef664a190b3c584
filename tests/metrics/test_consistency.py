from itertools import pairwise

import pytest
import torch

from hirescam.errors import ShapeError
from hirescam.metrics import consistency, spearman, ssim


@pytest.fixture
def runs():
    random = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, 4, 4, 4, generator=random) for _ in range(3)]


@pytest.mark.parametrize("alike", [ssim, spearman])
def test_it_is_the_mean_over_all_pairs(alike, runs):
    a, b, c = runs
    expected = (alike(a, b) + alike(a, c) + alike(b, c)) / 3
    torch.testing.assert_close(consistency(iter(runs), alike=alike), expected)
    assert not torch.equal(consistency(runs), sum(alike(p, q) for p, q in pairwise(runs)) / 2)


def test_equal_runs_are_fully_consistent(runs):
    same = consistency([runs[0]] * 3)
    torch.testing.assert_close(same, torch.ones_like(same))


def test_one_undefined_pair_makes_the_mean_undefined(runs):
    runs[2][1, 0] = 0
    assert consistency(runs).isnan().nonzero().tolist() == [[1, 0]]


def test_a_single_run_has_nothing_to_be_alike_to(runs):
    with pytest.raises(ShapeError, match="at least two runs"):
        consistency(runs[:1])
