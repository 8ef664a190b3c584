"""VOC networks: which classifiers of photographs are compared, and how each is trained."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from hirescam.errors import MissingPackageError
from hirescam.images.fit import PAPER, SIDE_IN_PAPER, Recipe
from hirescam.images.networks import TwoParts, flattened, pooled, vgg16
from hirescam.images.parts import PhotographInputs, read_part, stored_part
from hirescam.images.photographs import Photographs
from hirescam.images.places import Places, allowed_places, read_places
from hirescam.models.efficientnet_lite import (
    CHANNELS,
    EfficientNetLite0Trunk,
    load_imagenet_lite0,
)
from hirescam.models.vgg import (
    IMAGENET_VGG16_URL,
    VGG16,
    find_imagenet_vgg16,
    load_imagenet_vgg16,
)
from hirescam.training.prepared import OnProgress

CELL = 32  # pixels of the input per cell of every network's features
LITE0, VGG = "EfficientNet-Lite0", "VGG-16"
SPLITS = ("train", "val")
PLACES = "places.toml"
"""A file beside the photographs that says where classes may be."""
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Scale:
    """How large photographs are (sides in pixels), and how networks are trained.

    `vgg` is for random weights: from ImageNet's, VGG-16 is trained by the paper's recipe.
    """

    side: int
    frozen: Recipe
    vgg_side: int
    vgg: Recipe
    vgg_hidden: int = 4096
    shown: int = 6
    """Photographs in the gallery."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A network, what it learns from, and what a reader must know of its weights."""

    name: str
    network: TwoParts
    recipe: Recipe
    training: PhotographInputs
    validation: PhotographInputs
    side: int
    description: str


@dataclass(frozen=True, eq=False)
class _Setting:
    photographs: Photographs
    data: Path
    cache: Path
    scale: Scale
    threads: int
    device: torch.device
    places: Places | None
    on_progress: OnProgress

    @property
    def labels(self) -> int:
        return len(self.photographs.classes)

    def part(self, split: str, side: int, recipe: Recipe) -> PhotographInputs:
        photographs = self.photographs.splits[split]
        part = read_part(photographs, side=side, batch=recipe.batch, threads=self.threads)
        if self.places is None:
            return part
        classes, cells = self.photographs.classes, (_cells(side), _cells(side))
        allowed = allowed_places(self.places, classes, part.labels.numpy(), cells)
        return replace(part, allowed=torch.from_numpy(allowed))


def subjects(
    photographs: Photographs,
    data: Path,
    cache: Path,
    scale: Scale,
    *,
    threads: int,
    on_progress: OnProgress,
) -> Iterator[Subject]:
    """Each network, built when its turn comes: VGG-16 is large."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    said = data / PLACES
    places = read_places(said, photographs.classes) if said.exists() else None
    setting = _Setting(photographs, data, cache, scale, threads, device, places, on_progress)
    yield from _on_frozen_trunk(setting)
    yield _vgg16(setting)


def _on_frozen_trunk(setting: _Setting) -> Iterator[Subject]:
    """One layer on stored features, flattened and averaged."""
    scale, recipe = setting.scale, setting.scale.frozen
    trunk = _seeded(EfficientNetLite0Trunk, recipe.seed)
    description = f"{LITE0} with ImageNet weights, frozen."
    try:
        load_imagenet_lite0(trunk)
    except MissingPackageError as error:
        description = f"{LITE0} with RANDOM weights, frozen: its maps say little. {error}."
    trunk.to(setting.device)
    training, validation = (
        stored_part(
            setting.part(split, scale.side, recipe),
            trunk,
            setting.cache,
            f"{split}-{scale.side}",
            batch=recipe.batch,
            on_progress=partial(setting.on_progress, f"features, {split}"),
        )
        for split in SPLITS
    )
    cells = _cells(scale.side)
    build_flattened = partial(flattened, nn.Identity(), CHANNELS, cells, setting.labels)
    build_pooled = partial(pooled, nn.Identity(), CHANNELS, setting.labels)
    # a sum over all cells answers to a change of its weights as often as it has cells
    for_sums = replace(recipe, learning_rate=recipe.learning_rate / cells**2)
    heads = {"flattened": (build_flattened, for_sums), "pooled": (build_pooled, recipe)}
    if setting.places is not None:
        heads["flattened, mask loss"] = build_flattened, replace(for_sums, mask_loss="present")
    for name, (build, its_recipe) in heads.items():
        network = _seeded(build, recipe.seed).to(setting.device)
        yield Subject(name, network, its_recipe, training, validation, scale.side, description)


def _vgg16(setting: _Setting) -> Subject:
    """From ImageNet weights where they are to be had, else from random ones."""
    scale = setting.scale
    weights = find_imagenet_vgg16(setting.data)
    recipe, side = (scale.vgg, scale.vgg_side) if weights is None else (PAPER, SIDE_IN_PAPER)
    build = partial(VGG16, setting.labels, hidden=scale.vgg_hidden)
    network = vgg16(_seeded(build, recipe.seed))
    description = f"{VGG}, convolutions from ImageNet, all layers trained as in the paper."
    if weights is None:
        description = (
            f"{VGG} from RANDOM weights (epochs: {recipe.epochs}, {side} pixels): this shows "
            f"that it trains and is explained, its IoU means nothing. For the paper's recipe "
            f"put {Path(IMAGENET_VGG16_URL).name} from download.pytorch.org/models beside the "
            f"photographs."
        )
    else:
        load_imagenet_vgg16(network, weights)
    network.to(setting.device)
    training, validation = (setting.part(split, side, recipe) for split in SPLITS)
    return Subject(VGG, network, recipe, training, validation, side, description)


def _cells(side: int) -> int:
    return -(-side // CELL)


def _seeded(build: Callable[[], Network], seed: int) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()
