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
