"""Starting weights for networks that are trained from nothing on few scans."""

import torch
from torch import nn

from hirescam.models.classifier import Classifier

HEAD_GAIN = 10.0


def initialise(network: Classifier, seed: int) -> None:
    """He initialisation before each ReLU of the neck, and a head that hears single slices.

    torch's own default shrinks the features by half at each of the four convolutions, and the
    mean over slices divides what a small finding adds by their number: from there, training
    takes several times as many scans. He et al., "Delving deep into rectifiers", ICCV 2015.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for layer in network.features.neck.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        network.head.reset_parameters()
        with torch.no_grad():
            network.head.weight.mul_(HEAD_GAIN)
