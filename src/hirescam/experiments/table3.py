"""Table 3: what would maps of the networks in eleven published studies be worth?

Draelos and Carin, arXiv:2011.08891, section 8: studies of medical images, how their networks
end, and whether a map of them could show places that the network did not use. The paper
reasons; here small networks of each kind, with random weights, are built and audited.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch

from hirescam.evaluation.tables import Row
from hirescam.experiments.families import FAMILIES, SIDE, Family
from hirescam.experiments.tables import Table
from hirescam.methods.guarantee import Guarantee, Kind, audit, weakest
from hirescam.training.prepared import OnProgress


@dataclass(frozen=True)
class Scale:
    """How many networks of each kind are drawn."""

    networks: int


FULL, QUICK = Scale(50), Scale(2)


@dataclass(frozen=True)
class Study:
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
    Study(
        "An explainable deep-learning algorithm for the detection of acute intracranial "
        "haemorrhage from small datasets",
        44,
        ("VGG-16", "ResNet-50", "Inception-v3", "Inception-ResNet-v2"),
        "Grad-CAM",
        "Yes, for VGG-16: more than one fully connected layer.",
    ),
    Study(
        "Comparison of deep learning approaches for multi-label chest x-ray classification",
        9,
        ("ResNet-50",),
        "Grad-CAM",
        _LAST,
    ),
    Study(
        "Efficient deep network architectures for fast chest x-ray tuberculosis screening and "
        "visualization",
        54,
        ("own CNN, pooled", "own CNN, pooled; an earlier layer"),
        "saliency, Grad-CAM at several layers, by its looks guided",
        "Yes: maps of other layers, by their looks guided.",
    ),
    Study(
        "Deep learning to assess long-term mortality from chest radiographs",
        50,
        ("own CNN, more than one FC layer",),
        "Grad-CAM",
        _MORE,
    ),
    Study(
        "Classification of interstitial lung abnormality patterns with an ensemble of deep "
        "convolutional neural networks",
        10,
        ("own CNN, more than one FC layer",),
        "none",
        _MORE,
    ),
    Study(
        "Weakly-supervised deep learning of interstitial lung disease types on CT images",
        70,
        ("own CNN, more than one FC layer",),
        "none",
        _MORE,
    ),
    Study(
        "Holistic classification of CT attenuation patterns for interstitial lung diseases via "
        "deep convolutional neural networks",
        28,
        ("own CNN, 3 FC layers",),
        "none",
        _MORE,
    ),
    Study(
        "Deep learning for classifying fibrotic lung disease on high-resolution computed "
        "tomography: a case-cohort study",
        69,
        ("Inception-ResNet-v2",),
        "none",
        _LAST,
    ),
    Study(
        "Multisource transfer learning with convolutional neural networks for lung pattern "
        "analysis",
        15,
        ("own CNN, 3 FC layers",),
        "none",
        _MORE,
    ),
    Study(
        "Lung pattern classification for interstitial lung diseases using a deep convolutional "
        "neural network",
        5,
        ("own CNN, more than one FC layer",),
        "none",
        _MORE,
    ),
    Study(
        "Multi-label deep regression and unordered pooling for holistic interstitial lung "
        "disease pattern detection",
        29,
        ("AlexNet variant, 2 FC layers",),
        "none",
        _MORE,
    ),
    Study("What the paper recommends", 0, ("one FC layer on all places",), "HiResCAM", "No."),
)


def run(
    data: Path,
    out: Path,
    *,
    scale: Scale = FULL,
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


def _row(study: Study, name: str, verdicts: list[Guarantee]) -> Row:
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
        "what_breaks_it": worst.breaks or "",
        "risk_in_the_paper": study.risk,
    }
