"""Starting weights for networks that are trained from nothing on few scans."""

import torch
from torch import nn

from hirescam.models.classifier import Classifier

HEAD_GAIN = 10.0


def initialise(network: Classifier, seed: int) -> None:
    """He initialisation before each ReLU above the trunk, and a head that hears single slices.

    torch's own default shrinks the features by half at each of the four convolutions, and the
    mean over slices divides what a small finding adds by their number: from there, training
    takes several times as many scans. He et al., "Delving deep into rectifiers", ICCV 2015.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        *hidden, last = _above_trunk(network)
        for layer in hidden:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        last.reset_parameters()
        if network.averages_slices:
            with torch.no_grad():
                last.weight.mul_(HEAD_GAIN)


def _above_trunk(network: Classifier) -> list[nn.Conv2d | nn.Conv3d | nn.Linear]:
    """The layers with weights that come after a trunk, the last one gives the scores."""
    trunk = set(network.trunk.modules()) if network.trunk else set()
    return [
        layer
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.Linear) and layer not in trunk
    ]
