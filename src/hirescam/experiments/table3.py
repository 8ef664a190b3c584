"""Table 3: what would maps of the networks in eleven published studies be worth?

Draelos and Carin, arXiv:2011.08891, section 8: studies of medical images, how their networks
end, and whether a map of them could show places that the network did not use. The paper
reasons; here small networks of each kind, with random weights, are built and audited. What is
guaranteed depends on what follows the explained layer, not on a network's size.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.evaluation.tables import Row
from hirescam.experiments.tables import Table
from hirescam.methods._audit import Guarantee, Kind, audit, weakest
from hirescam.models.backbone import Bottleneck, ResNetTrunk
from hirescam.models.layers import fully_connected
from hirescam.training.prepared import OnProgress

SIDE, LABELS = 32, 3


class Branches(nn.Module):
    """Paths side by side whose features are put together, as in Inception."""

    def __init__(self, *paths: nn.Module):
        super().__init__()
        self.paths = nn.ModuleList(paths)

    def forward(
        self, x: Float[Tensor, "image channel row column"]
    ) -> Float[Tensor, "image feature row_ column_"]:
        return torch.cat([path(x) for path in self.paths], dim=1)


class Residual(nn.Module):
    """A path that is added to its input before a ReLU, as in Inception-ResNet."""

    def __init__(self, path: nn.Module):
        super().__init__()
        self.path = path

    def forward(
        self, x: Float[Tensor, "image channel row column"]
    ) -> Float[Tensor, "image channel row column"]:
        return torch.relu(x + self.path(x))


@dataclass(frozen=True)
class Family:
    """How a network is built, where a map of it is made, and what its end is in words."""

    build: Callable[[], nn.Module]
    ends_in: str
    layer: str = "features"


def _convolved(before: int, after: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, padding=kernel // 2),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


def _inception(before: int) -> Branches:
    """1×1, 3×3 and pooled paths; 12 features come out."""
    return Branches(
        _convolved(before, 4, 1),
        nn.Sequential(_convolved(before, 4, 1), _convolved(4, 4)),
        nn.Sequential(nn.AvgPool2d(3, 1, 1), _convolved(before, 4, 1)),
    )


def _network(**parts: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(parts))


def _pooled(features: nn.Module, channels: int) -> nn.Sequential:
    """Global average pooling, then one fully connected layer: the CAM architecture."""
    return _network(
        features=features,
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        head=nn.Linear(channels, LABELS),
    )


def _plain() -> nn.Sequential:
    """Convolutions as of a network of one's own; 8 features on 8×8 places."""
    return _network(
        first=_convolved(1, 6, stride=2),
        second=_convolved(6, 8, stride=2),
        third=_convolved(8, 8),
    )


def _connected(*hidden: int, largest: bool = False) -> nn.Sequential:
    """Fully connected layers on all places, or on the largest value of each four."""
    places = 16 if largest else 64
    return _network(
        features=_plain(),
        pool=nn.MaxPool2d(2) if largest else nn.Identity(),
        flatten=nn.Flatten(),
        head=fully_connected((8 * places, *hidden, LABELS), dropout=0.5),
    )


_POOLED = "global average pooling, 1 fully connected layer"
FAMILIES: Mapping[str, Family] = {
    "VGG-16": Family(
        lambda: _connected(16, 16, largest=True), "max pooling, 3 fully connected layers"
    ),
    "ResNet-50": Family(
        lambda: _pooled(ResNetTrunk((4, 6), (1, 1), 1, Bottleneck), 24), _POOLED
    ),
    "Inception-v3": Family(
        lambda: _pooled(nn.Sequential(_convolved(1, 6, stride=4), _inception(6)), 12), _POOLED
    ),
    "Inception-ResNet-v2": Family(
        lambda: _pooled(
            nn.Sequential(
                _convolved(1, 6, stride=4),
                Residual(nn.Sequential(_inception(6), nn.Conv2d(12, 6, 1))),
            ),
            6,
        ),
        _POOLED,
    ),
    "own CNN, pooled": Family(lambda: _pooled(_plain(), 8), _POOLED),
    "own CNN, pooled; an earlier layer": Family(
        lambda: _pooled(_plain(), 8), f"convolution, {_POOLED}", layer="features.second"
    ),
    "own CNN, more than one FC layer": Family(
        lambda: _connected(16), "2 fully connected layers"
    ),
    "own CNN, 3 FC layers": Family(lambda: _connected(16, 16), "3 fully connected layers"),
    "AlexNet variant, 2 FC layers": Family(
        lambda: _connected(16, largest=True), "max pooling, 2 fully connected layers"
    ),
    "one FC layer on all places": Family(_connected, "1 fully connected layer"),
}


@dataclass(frozen=True)
class AuditSize:
    """How many networks of each kind are drawn."""

    networks: int


FULL, QUICK = AuditSize(50), AuditSize(2)


@dataclass(frozen=True)
class PublishedStudy:
    """A published study: its title, its number in the paper, the map it showed, the risk.

    `networks` are rows of `FAMILIES`; `risk` is what the paper says of a map's showing wrong
    places.
    """

    title: str
    number: int
    networks: tuple[str, ...]
    shown: str
    risk: str


_LAST = "No, at the last convolutional layer."
_MORE = "Yes: more than one fully connected layer."
STUDIES = (
    PublishedStudy(
        "An explainable deep-learning algorithm for the detection of acute intracranial "
        "haemorrhage from small datasets",
        44,
        ("VGG-16", "ResNet-50", "Inception-v3", "Inception-ResNet-v2"),
        "Grad-CAM",
        "Yes, for VGG-16: more than one fully connected layer.",
    ),
    PublishedStudy(
        "Comparison of deep learning approaches for multi-label chest x-ray classification",
        9,
        ("ResNet-50",),
        "Grad-CAM",
        _LAST,
    ),
    PublishedStudy(
        "Efficient deep network architectures for fast chest x-ray tuberculosis screening and "
        "visualization",
        54,
        ("own CNN, pooled", "own CNN, pooled; an earlier layer"),
        "saliency, Grad-CAM at several layers, by its looks guided",
        "Yes: maps of other layers, by their looks guided.",
    ),
    PublishedStudy(
        "Deep learning to assess long-term mortality from chest radiographs",
        50,
        ("own CNN, more than one FC layer",),
        "Grad-CAM",
        _MORE,
    ),
    PublishedStudy(
        "Classification of interstitial lung abnormality patterns with an ensemble of deep "
        "convolutional neural networks",
        10,
        ("own CNN, more than one FC layer",),
        "none",
        _MORE,
    ),
    PublishedStudy(
        "Weakly-supervised deep learning of interstitial lung disease types on CT images",
        70,
        ("own CNN, more than one FC layer",),
        "none",
        _MORE,
    ),
    PublishedStudy(
        "Holistic classification of CT attenuation patterns for interstitial lung diseases via "
        "deep convolutional neural networks",
        28,
        ("own CNN, 3 FC layers",),
        "none",
        _MORE,
    ),
    PublishedStudy(
        "Deep learning for classifying fibrotic lung disease on high-resolution computed "
        "tomography: a case-cohort study",
        69,
        ("Inception-ResNet-v2",),
        "none",
        _LAST,
    ),
    PublishedStudy(
        "Multisource transfer learning with convolutional neural networks for lung pattern "
        "analysis",
        15,
        ("own CNN, 3 FC layers",),
        "none",
        _MORE,
    ),
    PublishedStudy(
        "Lung pattern classification for interstitial lung diseases using a deep convolutional "
        "neural network",
        5,
        ("own CNN, more than one FC layer",),
        "none",
        _MORE,
    ),
    PublishedStudy(
        "Multi-label deep regression and unordered pooling for holistic interstitial lung "
        "disease pattern detection",
        29,
        ("AlexNet variant, 2 FC layers",),
        "none",
        _MORE,
    ),
    PublishedStudy(
        "What the paper recommends", 0, ("one FC layer on all places",), "HiResCAM", "No."
    ),
)


def run(
    data: Path,
    out: Path,
    *,
    scale: AuditSize = FULL,
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Table:
    """Draw networks of each kind, audit them, and put the verdicts beside the paper's words."""
    found: dict[str, list[Guarantee]] = {}
    for done, (name, family) in enumerate(FAMILIES.items()):
        on_progress("auditing networks", done, len(FAMILIES))
        found[name] = [audited(family, seed) for seed in range(scale.networks)]
    return Table(
        "table3",
        "What maps of published networks are worth",
        [_row(study, name, found[name]) for study in STUDIES for name in study.networks],
        notes=(
            f"{scale.networks} networks of each kind were drawn with random weights and "
            f"audited at the last convolutional layer, unless the row names another. They are "
            f"small stand-ins that end as the published ones do, which is what the verdict "
            f"depends on; the published weights were not audited.",
            "`gap` is the largest relative disagreement between a score and the affine "
            "prediction from its map, the least one over the networks where maps are not "
            "guaranteed. Numbers of studies are those of the paper's references; its verdicts "
            "are given in our words.",
        ),
    )


def audited(family: Family, seed: int) -> Guarantee:
    """The verdict on one network of a family with weights of its own."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = family.build().eval()
        image = torch.randn(1, 1, SIDE, SIDE)
    return audit(network, image, layer=family.layer)


def _row(study: PublishedStudy, name: str, verdicts: list[Guarantee]) -> Row:
    kinds = Counter(verdict.kind for verdict in verdicts)
    worst = weakest(tuple(verdicts))
    gaps = [verdict.gap for verdict in verdicts if verdict.kind is worst.kind]
    gap = min(gaps) if worst.kind is Kind.NONE else max(gaps)
    return {
        "study": study.title + (f" [{study.number}]" if study.number else ""),
        "network": name,
        "ends_in": FAMILIES[name].ends_in,
        "maps_shown": study.shown,
        "verdict": "; ".join(
            f"{kind} ({count} of {len(verdicts)})" for kind, count in kinds.items()
        ),
        "gap": f"{gap:.0e}",
        "what_breaks_it": worst.first_nonaffine or "",
        "risk_in_the_paper": study.risk,
    }
