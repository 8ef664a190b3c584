"""Small networks for tests, 2D and 3D, with heads that are affine and heads that are not."""

import torch
from torch import nn


def affine_head_2d():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(4 * 36, 3)
    ), (2, 1, 6, 6)


def pooled_head_2d():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    ), (2, 1, 6, 6)


def affine_head_3d():
    return nn.Sequential(
        nn.Conv3d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64, 3)
    ), (2, 1, 4, 4, 4)


def deep_head_3d():
    return nn.Sequential(
        nn.Conv3d(1, 4, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 64, 8),
        nn.ReLU(),
        nn.Linear(8, 3),
    ), (2, 1, 4, 4, 4)


AFFINE = (affine_head_2d, pooled_head_2d, affine_head_3d)
NETWORKS = (*AFFINE, deep_head_3d)


def built(build, seed=0):
    """A network, its explained layer and an input, the same for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network, shape = build()
        return network, network[1], torch.randn(shape)


CURVES = (nn.ReLU, nn.GELU, nn.Sigmoid, nn.Tanh, nn.LeakyReLU, nn.SiLU)


def random_pair(seed):
    """One trunk under an affine head, and under one that is not; the culprit's type; an input.

    2D or 3D, one or two images, with or without a ReLU under the head, four kinds of head.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        draw = torch.randint(1000, (6,)).tolist()
        d, channels, images = 2 + draw[0] % 2, 2 + draw[1] % 5, 1 + draw[2] % 2
        conv = (nn.Conv2d, nn.Conv3d)[d - 2]
        pool = (nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)[d - 2]
        largest = (nn.MaxPool2d, nn.MaxPool3d)[d - 2](2)
        trunk = nn.Sequential(conv(1, channels, 3), *[nn.ReLU()][: draw[3] % 3])
        curve = CURVES[draw[4] % len(CURVES)]()
        places = 3**d
        flat, size = nn.Flatten(), channels * places
        affine, curved = [
            (
                [flat, nn.Linear(size, 3)],
                [flat, nn.Linear(size, 8), curve, nn.Linear(8, 3)],
            ),
            (
                [pool(1), flat, nn.Linear(channels, 3)],
                [pool(1), flat, nn.Linear(channels, 6), curve, nn.Linear(6, 3)],
            ),
            (
                [conv(channels, 4, 1), flat, nn.Linear(4 * places, 3)],
                [conv(channels, 4, 1), curve, flat, nn.Linear(4 * places, 3)],
            ),
            (
                [flat, nn.Linear(size, 6), nn.Linear(6, 3)],
                [largest, flat, nn.Linear(channels, 3)],
            ),
        ][draw[5] % 4]
        culprit = type(largest if draw[5] % 4 == 3 else curve).__name__
        x = torch.randn(images, 1, *[5] * d)
        return nn.Sequential(trunk, *affine), nn.Sequential(trunk, *curved), culprit, x
