import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from hirescam.metrics import spearman, ssim
from hirescam.metrics.similarity import correlation

SPACES = ((9,), (6, 5), (4, 3, 5))


@pytest.fixture(params=SPACES, ids=len)
def maps(request):
    random = torch.Generator().manual_seed(0)
    return tuple(torch.randn(2, 3, *request.param, generator=random) for _ in range(2))


def slow_ssim(a, b, sigma=1.5):
    """Window by window, with mirrored neighbours, as the paper of SSIM writes it."""
    a, b = (0.5 + each / np.abs(each).max() / 2 for each in (a, b))
    reach = int(4 * sigma + 0.5)
    offsets = np.array(list(np.ndindex(*[2 * reach + 1] * a.ndim))) - reach
    weights = np.exp(-(offsets**2).sum(axis=1) / (2 * sigma**2))
    weights /= weights.sum()

    def mirrored(index, size):
        index %= 2 * size
        return min(index, 2 * size - 1 - index)

    found = []
    for place in np.ndindex(a.shape):
        near = [tuple(map(mirrored, place + offset, a.shape)) for offset in offsets]
        p, q = (np.array([values[n] for n in near]) for values in (a, b))
        mean_p, mean_q = (weights * p).sum(), (weights * q).sum()
        var_p = (weights * (p - mean_p) ** 2).sum()
        var_q = (weights * (q - mean_q) ** 2).sum()
        covariance = (weights * (p - mean_p) * (q - mean_q)).sum()
        c1, c2 = 0.01**2, 0.03**2
        found.append(
            (2 * mean_p * mean_q + c1)
            * (2 * covariance + c2)
            / ((mean_p**2 + mean_q**2 + c1) * (var_p + var_q + c2))
        )
    return np.mean(found)


@pytest.mark.parametrize("space", [(9,), (6, 5), (2, 3, 2)], ids=len)
def test_ssim_equals_its_definition_window_by_window(space):
    random = torch.Generator().manual_seed(1)
    a, b = (torch.randn(1, 2, *space, generator=random) for _ in range(2))
    found = ssim(a, b, sigma_cells=0.8)
    for target in range(2):
        expected = slow_ssim(a[0, target].numpy(), b[0, target].numpy(), sigma=0.8)
        assert float(found[0, target]) == pytest.approx(expected, rel=1e-5)


def test_spearman_equals_scipys_one_by_one_also_with_ties(maps):
    first, second = ((2 * each).round() for each in maps)
    found = spearman(first, second)
    for image, target in np.ndindex(2, 3):
        expected = spearmanr(first[image, target].flatten(), second[image, target].flatten())
        assert float(found[image, target]) == pytest.approx(expected.statistic)


@pytest.mark.parametrize("alike", [spearman, ssim])
def test_a_map_is_wholly_like_itself_at_any_scale(alike, maps):
    torch.testing.assert_close(alike(maps[0], 7 * maps[0]).float(), torch.ones(2, 3))


@pytest.mark.parametrize("alike", [spearman, ssim])
def test_a_map_is_unlike_its_negative(alike, maps):
    assert (alike(maps[0], -maps[0]) < 0).all()


@pytest.mark.parametrize("alike", [spearman, ssim])
def test_likeness_to_an_empty_map_is_undefined_and_does_not_spread(alike, maps):
    emptied = maps[0].clone()
    emptied[1, 2] = 0
    undefined = alike(maps[1], emptied).isnan()
    assert undefined.nonzero().tolist() == [[1, 2]]


def test_nan_in_a_map_makes_its_likeness_undefined(maps):
    broken = maps[0].clone()
    broken[0, 1].flatten()[0] = torch.nan
    assert spearman(broken, maps[1]).isnan().nonzero().tolist() == [[0, 1]]
    assert ssim(broken, maps[1]).isnan().nonzero().tolist() == [[0, 1]]


def test_correlation_with_a_constant_that_has_no_exact_mean_is_undefined():
    constant = torch.full((1, 7), 0.1, dtype=torch.float64)
    assert math.isnan(correlation(constant, torch.arange(7.0)[None]))


def test_half_precision_and_gradients_are_taken_as_they_come(maps):
    first = maps[0].bfloat16().requires_grad_()
    assert spearman(first, maps[1]).isfinite().all()
    assert ssim(first, maps[1]).isfinite().all()
