"""Small models for tests: one with seeded weights, one that answers to brightness alone."""

import torch
from torch import nn

from hirescam.ct.preparation import Preparation
from hirescam.models.files import new_model

LABELS = ("lung_nodule", "heart_cabg", "lung_cyst")
PREPARATION = Preparation(spacing_mm=(2, 2, 2), shape=(30, 112, 112), interpolation="linear")
ARGUMENTS = {"widths": (8, 16), "blocks": (1, 1), "neck": (8, 8, 6, 5)}


def small_model(labels=LABELS, preparation=PREPARATION):
    """An AxialNet of a few thousand weights, the same each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = new_model(
            name="small",
            labels=labels,
            preparation=preparation,
            arguments=ARGUMENTS,
            trained_on="nothing",
        )
    model.network.eval().requires_grad_(False)
    return model


def marker_model(side=128, neck=(2,)):
    """An AxialNet that answers to brightness under the centre of each cell's field, no more."""
    model = new_model(
        name="marker",
        labels=("marker",),
        preparation=Preparation(
            spacing_mm=(2.0, 2.0, 2.0), shape=(60, side, side), interpolation="linear"
        ),
        arguments={"widths": (2, 2), "blocks": (1, 1), "neck": neck},
        trained_on="nothing",
    )
    for module in model.network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    centre = model.network.features.trunk.conv1.weight.data.zero_()[:, :, 3, 3]
    centre.fill_(1 / 3)  # what lies under the stem's centre; the border's padding is dark to it
    model.network.eval().requires_grad_(False)
    return model
