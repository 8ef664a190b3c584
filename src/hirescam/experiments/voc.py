"""PASCAL VOC: classifiers of photographs, their maps, and the maps' IoU with the objects.

Draelos and Carin, arXiv:2011.08891, section 13 (figures 6, 10 and 12): VGG-16, whose HiResCAM
and Grad-CAM differ and are not guaranteed. Beside it one layer on the flattened or averaged
features of a frozen EfficientNet-Lite0: there HiResCAM is guaranteed, and after averaging
Grad-CAM is the same map.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from hirescam.experiments.tables import Table, write_table
from hirescam.experiments.voc_networks import PLACES, Scale, Subject, subjects
from hirescam.figures.output import where_drawn
from hirescam.images.fit import FROZEN_TRUNK, PAPER, History, fit
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
from hirescam.images.photographs import Photographs, masks_on_grid, rgb
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
from hirescam.methods.guarantee import Guarantee, audit
from hirescam.training.prepared import OnProgress

FULL = Scale(
    side=224, frozen=FROZEN_TRUNK, vgg_side=128, vgg=replace(PAPER, batch=16, epochs=2)
)
QUICK = Scale(
    side=64,
    frozen=replace(FROZEN_TRUNK, epochs=2),
    vgg_side=64,
    vgg=replace(PAPER, batch=16, epochs=1),
    vgg_hidden=64,
    shown=2,
)
THRESHOLD_SAMPLE = 100  # training photographs on which a threshold of maps is chosen


@dataclass(frozen=True, eq=False)
class Result:
    """What became of a network, and what its maps of the photographs to be shown are."""

    subject: Subject
    history: History
    guarantee: Guarantee
    outside: float | None
    """Share of positive evidence outside the classes' places, if those are known."""
    maps: Mapping[str, Float[np.ndarray, "photograph label row column"]]


def run(
    data: Path,
    out: Path,
    *,
    scale: Scale = FULL,
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
    subject: Subject,
    evaluate: Evaluator,
    shown: Sequence[int],
    runs: Path,
    on_progress: OnProgress,
) -> Result:
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
    return Result(subject, history, guarantee, outside, maps_of(subject.network, x))


def _run_name(subject: Subject) -> str:
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
    photographs: Photographs, shown: Sequence[int], results: Mapping[str, Result], side: int
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


def _describe(result: Result, truth: Float[np.ndarray, "photograph label"]) -> str:
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
