"""Assemble: from a config, the parts that are trained with: model, objective, optimiser."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import nn

from hirescam.errors import HirescamError
from hirescam.models.backbone import ResNetTrunk, load_imagenet
from hirescam.models.classifier import Classifier
from hirescam.models.files import Model, load_model, new_model
from hirescam.training.config import TrainConfig
from hirescam.training.datasets.cases import Case, Cases
from hirescam.training.losses import positive_weights
from hirescam.training.objective import Objective
from hirescam.training.prepared import Grid, grid_of

HEAD_GAIN = 10.0


def initialise(network: Classifier, seed: int) -> None:
    """He initialisation before each ReLU above the trunk, and a head scaled for single slices.

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


SIMULATED = (
    "This model has only ever seen simulated chests: what it says of a real scan means nothing."
)


def initial_model(config: TrainConfig, cases: Cases) -> Model:
    """The model before its first step, the same whenever and in whichever process."""
    model = randomly_initialised_model(config, cases)
    STARTS[config.start](model.network, config)
    for parameter in model.network.features.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.to(memory_format=torch.channels_last)
    return model


def randomly_initialised_model(config: TrainConfig, cases: Cases) -> Model:
    """The model that a config describes, with weights as torch draws them from the seed."""
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        return new_model(
            name=config.name,
            labels=config.labels,
            preparation=config.preparation,
            architecture=config.architecture,
            arguments=config.arguments,
            trained_on=f"{len(cases.splits['train'])} scans, layout {config.layout}",
            notes=(SIMULATED,) if config.layout == "simulated" else (),
        )


def grid(config: TrainConfig, model: Model) -> Grid:
    """What scans and regions are prepared for."""
    return grid_of(
        model,
        downsampling=config.downsampling,
        fraction=config.fraction,
        dilated=config.dilated,
    )


def _few_scans(network: Classifier, config: TrainConfig) -> None:
    initialise(network, config.seed)


def _imagenet(network: Classifier, config: TrainConfig) -> None:
    trunk = network.trunk
    if not isinstance(trunk, ResNetTrunk):
        raise HirescamError(
            f"{config.architecture} has no ResNet trunk for ImageNet weights: set start to "
            f"random"
        )
    load_imagenet(trunk, config.imagenet_weights)


def _another_model(network: Classifier, config: TrainConfig) -> None:
    assert config.start_model is not None, "the config was checked"
    other = load_model(config.start_model)
    mine = (config.architecture, config.labels, config.preparation)
    if (other.card.architecture, other.labels, other.preparation) != mine:
        raise HirescamError(
            f"{config.start_model.name} is another {other.card.architecture}, or has other "
            f"labels or another preparation: give all three as that model has them"
        )
    try:
        network.load_state_dict(other.network.state_dict())
    except RuntimeError as error:
        raise HirescamError(
            f"{config.start_model.name} does not fit this network: give the `arguments` that "
            f"it was trained with"
        ) from error


STARTS: dict[str, Callable[[Classifier, TrainConfig], None]] = {
    "random": lambda network, config: None,
    "few-scans": _few_scans,
    "imagenet": _imagenet,
    "model": _another_model,
}
"""What is done to weights that torch has drawn from the seed."""


def objective(config: TrainConfig, network: Classifier, cases: Sequence[Case]) -> Objective:
    """What is minimised; weights of rare labels come from the training `cases`."""
    weights = None
    if config.positive_weights:
        weights = positive_weights(torch.from_numpy(np.stack([case.labels for case in cases])))
    return Objective(
        network,
        mask_loss=config.mask_loss,
        mask_loss_weight=config.mask_loss_weight,
        cell_loss_weight=config.cell_loss_weight,
        maps=config.maps,
        positive_weight=weights,
        gradient_penalty=config.gradient_penalty,
        groups=len(group_names(cases)) if config.groups else 0,
        labels=len(config.labels),
        group_rate=config.group_rate,
    )


def group_names(cases: Sequence[Case]) -> tuple[str, ...]:
    """The groups that scans are of, in a fixed order."""
    return tuple(sorted({case.group for case in cases if case.group}))


def optimiser(config: TrainConfig, network: Classifier) -> torch.optim.Optimizer:
    """What minimises it, without a schedule."""
    make: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "sgd": partial(torch.optim.SGD, momentum=config.momentum),
        "adamw": torch.optim.AdamW,
    }
    return make[config.optimiser](
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
