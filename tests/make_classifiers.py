"""One small model of every architecture and variant, by the name that the paper gives it."""

import torch

from hirescam.ct.preparation import Preparation
from hirescam.models.files import new_model

LABELS = ("lung_nodule", "heart_cabg", "lung_cyst")
PREPARATION = Preparation(spacing_mm=(3, 3, 3), shape=(54, 112, 112), interpolation="linear")
TRUNK = {"widths": (4, 8), "blocks": (1, 1)}
AXIALNET = {**TRUNK, "neck": (6, 5)}

CLASSIFIERS = {
    "AxialNet": ("AxialNet", AXIALNET),
    "MaxPool": ("AxialNet", {**AXIALNET, "pool": "max"}),
    "NoCustomConv": ("AxialNet", {**TRUNK, "neck": ()}),
    "padded": ("AxialNet", {**AXIALNET, "padding": 1}),
    "bottlenecks": ("AxialNet", {**AXIALNET, "trunk": "ResNetBottleneck"}),
    "BodyCAM": ("BodyCAM", AXIALNET),
    "CTNet": ("CTNet", {"widths": (4, 32), "blocks": (1, 1), "neck": (6, 5, 4)}),
    "BodyConv": ("BodyConv", {**TRUNK, "neck": (6, 5, 4), "strides": (2, 2, 1)}),
    "3DConv": ("3DConv", {"widths": (4, 6, 8), "neck": (6, 4)}),
    "EvidenceNet": ("EvidenceNet", {"width": 6, "stem": 4, "dilations": (1,)}),
}


def classifier_model(name, seed=0):
    """A fresh model, the same each time, in evaluation mode."""
    architecture, arguments = CLASSIFIERS[name]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = new_model(
            name=name,
            labels=LABELS,
            preparation=PREPARATION,
            trained_on="nothing",
            architecture=architecture,
            arguments=arguments,
        )
    model.network.eval()
    return model


def scan_input(batch=1, seed=1):
    """What a prepared scan looks like to these networks."""
    shape = batch, *PREPARATION.input_shape
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
