"""A small 3D network and the model that hirescam explains: put yours in their place."""

import torch
from torch import nn

import hirescam

LABELS = ("effusion", "nodule")
PREPARATION = hirescam.Preparation(
    spacing_mm=(4, 4, 4),
    shape=(64, 64, 64),
    window_hu=(-1000, 1000),
    mean=0.0,
    group=1,
    orientation="RAS",
    interpolation="trilinear",
    fit="monai",
)


def build_network() -> nn.Module:
    """The network alone; model files of it are loaded by this name."""
    return nn.Sequential(
        nn.Sequential(nn.Conv3d(1, 8, 3, stride=2, padding=1), nn.ReLU()),
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
        nn.Linear(8, len(LABELS)),
    )


def build_model() -> hirescam.Model:
    """The network with its weights, labels and preparation, for `--model`."""
    torch.manual_seed(0)  # yours: load_state_dict
    return hirescam.wrap(
        build_network(),
        labels=LABELS,
        preparation=PREPARATION,
        name="own network",
        trained_on="nothing yet",
        source="own_network:build_network",
    )
