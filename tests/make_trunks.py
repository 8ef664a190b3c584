"""Small convolutional networks in 1D, 2D and 3D, with norms, skips and pools as real ones."""

import torch
from torch import nn

CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
NORM = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
MAXPOOL = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVGPOOL = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
ADAPTIVE = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}


class Residual(nn.Module):
    """A convolution with batch norm beside an identity, then an in-place ReLU."""

    def __init__(self, dimensions, channels, bias):
        super().__init__()
        self.conv = CONV[dimensions](channels, channels, 3, padding=1, bias=bias)
        self.norm = NORM[dimensions](channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.norm(self.conv(x)).add_(x))


def trunk(dimensions=2, *, bias=True, channels=4, labels=3):
    """Convolution, norm, ReLU, max pool, residual block, two means, a linear layer."""
    return nn.Sequential(
        CONV[dimensions](2, channels, 3, padding=1, bias=bias),
        NORM[dimensions](channels),
        nn.ReLU(inplace=True),
        MAXPOOL[dimensions](2),
        Residual(dimensions, channels, bias),
        AVGPOOL[dimensions](2),
        ADAPTIVE[dimensions](1),
        nn.Flatten(),
        nn.Linear(channels, labels, bias=bias),
    )


def trunk_and_images(dimensions=2, *, bias=True, seed=0):
    """A trunk in evaluation mode whose norms have seen data, and two images of 8 per axis."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = trunk(dimensions, bias=bias)
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.running_var.uniform_(0.5, 2)
                nn.init.uniform_(module.weight, 0.5, 2)
                if bias:
                    module.running_mean.normal_()
                    nn.init.normal_(module.bias)
        return network.eval(), torch.randn(2, 2, *[8] * dimensions)
