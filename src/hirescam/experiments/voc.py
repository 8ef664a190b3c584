"""PASCAL VOC: classifiers of photographs, their maps, and the maps' IoU with the objects.

Draelos and Carin, arXiv:2011.08891, section 13 (figures 6, 10 and 12): VGG-16, whose HiResCAM
and Grad-CAM differ and are not guaranteed. Beside it one layer on the flattened or averaged
features of a frozen EfficientNet-Lite0: there HiResCAM is guaranteed, and after averaging
Grad-CAM is the same map.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from hirescam.errors import MissingPackageError
from hirescam.experiments.tables import Table, write_table
from hirescam.figures.output import where_drawn
from hirescam.images.fit import FROZEN_TRUNK, PAPER, SIDE_IN_PAPER, History, Recipe, fit
from hirescam.images.measure import (
    METHODS,
    WHAT_AN_IOU_SAYS,
    Evaluator,
    Masks,
    difference,
    evaluator,
    evidence_outside,
    maps_of,
    read_masks,
)
from hirescam.images.networks import TwoParts, flattened, pooled, vgg16
from hirescam.images.parts import PhotographInputs, read_part, stored_part
from hirescam.images.photographs import Photographs, masks_on_grid, rgb
from hirescam.images.places import Places, allowed_places, read_places
from hirescam.images.read import read_photographs
from hirescam.images.results import (
    Example,
    by_epoch,
    by_group,
    draw_epochs,
    draw_gallery,
    mean_auroc,
    mean_iou,
)
from hirescam.methods._audit import Guarantee, audit
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
class VocSize:
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
class Classifier:
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
    scale: VocSize
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
    scale: VocSize,
    *,
    threads: int,
    on_progress: OnProgress,
) -> Iterator[Classifier]:
    """Each network, built when its turn comes: VGG-16 is large."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    said = data / PLACES
    places = read_places(said, photographs.classes) if said.exists() else None
    setting = _Setting(photographs, data, cache, scale, threads, device, places, on_progress)
    yield from _on_frozen_trunk(setting)
    yield _vgg16(setting)


def _on_frozen_trunk(setting: _Setting) -> Iterator[Classifier]:
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
        yield Classifier(
            name, network, its_recipe, training, validation, scale.side, description
        )


def _vgg16(setting: _Setting) -> Classifier:
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
    return Classifier(VGG, network, recipe, training, validation, side, description)


def _cells(side: int) -> int:
    return -(-side // CELL)


def _seeded(build: Callable[[], Network], seed: int) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()


FULL = VocSize(
    side=224, frozen=FROZEN_TRUNK, vgg_side=128, vgg=replace(PAPER, batch=16, epochs=2)
)
QUICK = VocSize(
    side=64,
    frozen=replace(FROZEN_TRUNK, epochs=2),
    vgg_side=64,
    vgg=replace(PAPER, batch=16, epochs=1),
    vgg_hidden=64,
    shown=2,
)
THRESHOLD_SAMPLE = 100  # training photographs on which a threshold of maps is chosen


@dataclass(frozen=True, eq=False)
class TrainedClassifier:
    """What became of a network, and what its maps of the photographs to be shown are."""

    subject: Classifier
    history: History
    guarantee: Guarantee
    outside: float | None
    """Share of positive evidence outside the classes' places, if those are known."""
    maps: Mapping[str, Float[np.ndarray, "photograph label row column"]]


def run(
    data: Path,
    out: Path,
    *,
    scale: VocSize = FULL,
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Table:
    """Train the networks, see where their maps lie, draw them; what is done stays done."""
    photographs = read_photographs(data)
    validation = photographs.splits["val"]
    truth = np.stack([one.labels for one in validation])
    shown = _drawn(len(validation), scale.shown)
    sample = _drawn(len(photographs.splits["train"]), THRESHOLD_SAMPLE)

    @cache
    def masks(side: int) -> tuple[Masks, Masks]:
        of_sample = [photographs.splits["train"][number] for number in sample]
        return read_masks(validation, side), read_masks(of_sample, side)

    results = {}
    for subject in subjects(
        photographs, data, out / "runs", scale, threads=jobs, on_progress=on_progress
    ):
        valid, of_sample = masks(subject.side)
        evaluate = evaluator(
            subject.validation, valid, subject.training.some(sample), of_sample
        )
        results[subject.name] = _result(subject, evaluate, shown, out / "runs", on_progress)
    histories = {name: result.history for name, result in results.items()}
    epochs = list(by_epoch(histories, truth))
    write_table(Table("voc-epochs", "IoU and losses after each epoch", epochs), out)
    draw_epochs(epochs, out / "voc-epochs")
    draw_gallery(list(_examples(photographs, shown, results, scale.side)), out / "voc-gallery")
    return Table(
        "voc",
        "IoU of maps with objects, by number of labels and by class",
        list(by_group(histories, truth, photographs.classes)),
        notes=(
            WHAT_AN_IOU_SAYS,
            photographs.description,
            *(_describe(result, truth) for result in results.values()),
            "Of a map, pixels above a share of its largest value count as marked: the share "
            "that is best on training photographs, one for each network and kind of map. Each "
            "network has the weights of its epoch with the lowest validation loss.",
            where_drawn("voc-epochs", "Its numbers are in voc-epochs.csv."),
            where_drawn(
                "voc-gallery",
                "Orange raised a score, blue lowered it, up to each map's largest value; the "
                "white line is the object.",
            ),
        ),
    )


def _result(
    subject: Classifier,
    evaluate: Evaluator,
    shown: Sequence[int],
    runs: Path,
    on_progress: OnProgress,
) -> TrainedClassifier:
    history = fit(
        subject.network,
        subject.training,
        evaluate,
        subject.validation.labels,
        subject.recipe,
        runs / _run_name(subject),
        on_epoch=partial(on_progress, f"epochs, {subject.name}"),
    )
    x = torch.cat(list(subject.validation.some(shown).batches(range(len(shown)))))
    guarantee = audit(subject.network, x[:1], layer=subject.network.features)
    outside = None
    if subject.validation.allowed is not None:
        outside = evidence_outside(
            subject.network, subject.validation, subject.validation.allowed
        )
    return TrainedClassifier(subject, history, guarantee, outside, maps_of(subject.network, x))


def _run_name(subject: Classifier) -> str:
    """Another one for whatever would make it another run."""
    names = [one.name for one in subject.training.photographs]
    allowed = subject.training.allowed if subject.recipe.mask_loss else None
    places = None if allowed is None else allowed.flatten(1).nonzero().tolist()
    decides = repr(
        (subject.description, subject.side, subject.recipe, names, places, subject.network)
    )
    return f"voc-{subject.name}-{hashlib.sha256(decides.encode()).hexdigest()[:8]}"


def _drawn(count: int, some: int) -> list[int]:
    """The numbers of some photographs, the same each time."""
    return np.random.default_rng(0).permutation(count)[:some].tolist()


def _examples(
    photographs: Photographs,
    shown: Sequence[int],
    results: Mapping[str, TrainedClassifier],
    side: int,
) -> Iterator[Example]:
    """The first class that each of the shown photographs shows, and every map of it."""
    for row, number in enumerate(shown):
        photograph = photographs.splits["val"][number]
        label = int(photograph.labels.argmax())
        maps = {
            (name, method): maps[row, label]
            for name, result in results.items()
            for method, maps in result.maps.items()
        }
        mask = masks_on_grid(photograph, side).inside[label]
        yield Example(rgb(photograph.path, side), photographs.classes[label], mask, maps)


def _describe(result: TrainedClassifier, truth: Float[np.ndarray, "photograph label"]) -> str:
    subject, history = result.subject, result.history
    means = {method: mean_iou(history, method, truth) for method in METHODS}
    description = ", ".join(
        f"{method} {each.value:.3f} (95 % interval {each.low:.3f} to {each.high:.3f})"
        for method, each in means.items()
    )
    sentences = [
        f"{subject.name}: {subject.description}",
        f"Maps are {result.guarantee.kind}; both kinds differ by up to "
        f"{difference(result.maps):.1%} of a map's largest value.",
        f"Mean AUROC {mean_auroc(history, truth):.3f}; IoU by {description}.",
    ]
    if result.outside is not None:
        sentences.append(f"Positive evidence outside {PLACES}: {result.outside:.0%}.")
    return " ".join(sentences)
