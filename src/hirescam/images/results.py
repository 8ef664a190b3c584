"""Results: tables of IoU by class, number of labels and epoch; photographs beside their maps.

Pairs of a photograph and a class that it shows come in the order of `numpy.nonzero(truth)`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib.ticker import MaxNLocator
from PIL import Image

from hirescam.evaluation.tables import Row
from hirescam.figures.output import TWO_COLUMNS_MM, printed
from hirescam.images.fit import History
from hirescam.images.measure import METHODS
from hirescam.methods.map_methods import MAP_METHODS
from hirescam.metrics.classification import Interval, auroc, bootstrap
from hirescam.summary.colours import Scale, blend

Truth = Float[np.ndarray, "photograph label"]

COUNTS = {
    "1 label": range(1, 2),
    "2 labels": range(2, 3),
    "3 or more labels": range(3, 10_000),
}


def by_group(
    histories: Mapping[str, History], truth: Truth, classes: Sequence[str]
) -> Iterator[Row]:
    """Mean IoU of each network and method, with its best weights, over each group of pairs."""
    for name, chosen in _groups(truth, classes).items():
        yield {
            "photographs with": name,
            "pairs": int(chosen.sum()),
            **{
                f"{network}, {method}": _mean(history.ious[history.best, row, chosen])
                for network, history in histories.items()
                for row, method in enumerate(METHODS)
            },
        }


def by_epoch(histories: Mapping[str, History], truth: Truth) -> Iterator[Row]:
    """Losses and mean IoU of each network and method after each epoch."""
    groups = _groups(truth, ())
    for network, history in histories.items():
        for epoch in range(len(history.train_loss)):
            for row, method in enumerate(METHODS):
                values = history.ious[epoch, row]
                yield {
                    "network": network,
                    "map": method,
                    "epoch": epoch + 1,
                    "train_loss": float(history.train_loss[epoch]),
                    "valid_loss": float(history.valid_loss[epoch]),
                    **{name: _mean(values[chosen]) for name, chosen in groups.items()},
                }


def mean_iou(history: History, method: str, truth: Truth) -> Interval:
    """Over all pairs, with its 95 % interval had other photographs been drawn."""
    values = np.zeros(truth.shape)
    values[np.nonzero(truth)] = history.ious[history.best, METHODS.index(method)]

    def mean(drawn: np.ndarray) -> float:
        return float(values[drawn].sum() / max(truth[drawn].sum(), 1))

    return bootstrap(mean, len(truth))


def mean_auroc(history: History, truth: Truth) -> float:
    """Over the classes that some validation photographs show and some do not."""
    scores = history.scores[history.best]
    each = [auroc(one > 0, score) for one, score in zip(truth.T, scores.T, strict=True)]
    return _mean(np.array([value for value in each if not np.isnan(value)]))


def _groups(truth: Truth, classes: Sequence[str]) -> dict[str, Bool[np.ndarray, "pair"]]:
    """All pairs, those of photographs with so many labels, those of each class that has any."""
    photographs, shown = np.nonzero(truth)
    counts = truth.sum(axis=1).astype(int)[photographs]
    of_class = {name: shown == at for at, name in enumerate(classes)}
    return {
        "any label": np.ones(len(shown), bool),
        **{name: np.isin(counts, meant) for name, meant in COUNTS.items()},
        **{name: chosen for name, chosen in of_class.items() if chosen.any()},
    }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


_MAP_MM = 27.0


@dataclass(frozen=True, eq=False)
class Example:
    """A photograph, one class that it shows and where, and maps of it by network and method."""

    picture: UInt8[np.ndarray, "row column 3"]
    label: str
    mask: Bool[np.ndarray, "row column"]
    maps: Mapping[tuple[str, str], Float[np.ndarray, "row_ column_"]]


def draw_epochs(rows: Sequence[Row], path: Path) -> None:
    """HiResCAM's IoU after each epoch by number of labels: a panel per network (figure 10)."""
    networks = list(dict.fromkeys(str(row["network"]) for row in rows))
    with printed(path, width_mm=TWO_COLUMNS_MM, height_mm=52.0) as figure:
        panels = figure.subplots(1, len(networks), squeeze=False, sharey=True)[0]
        for axes, network in zip(panels, networks, strict=True):
            own = [
                row for row in rows if row["network"] == network and row["map"] == "hirescam"
            ]
            for name in COUNTS:
                axes.plot(
                    [row["epoch"] for row in own],
                    [row[name] for row in own],
                    "o-",
                    label=name,
                )
            axes.set_title(network)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            axes.set_xlim(0.5, len(own) + 0.5)
        panels[0].set_ylim(0, None)
        panels[0].set_ylabel("IoU of HiResCAM with the object")
        handles = panels[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper right", ncols=len(COUNTS))


def draw_gallery(examples: Sequence[Example], path: Path) -> None:
    """A row per example: the photograph, then each network's maps (figure 12).

    Each map is coloured up to its own largest value: orange raised the score, blue lowered it.
    A white line encloses the object.
    """
    columns = list(examples[0].maps)
    size = {
        "width_mm": _MAP_MM * (1 + len(columns)),
        "height_mm": (_MAP_MM + 1) * len(examples) + 8,
    }
    with printed(path, **size) as figure:
        grid = figure.subplots(len(examples), 1 + len(columns), squeeze=False)
        for axes in grid.flat:
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
        for row, example in zip(grid, examples, strict=True):
            row[0].imshow(example.picture)
            row[0].set_ylabel(example.label)
            for axes, column in zip(row[1:], columns, strict=True):
                axes.imshow(_painted(example.picture, example.maps[column]))
                if 0 < example.mask.mean() < 1:
                    axes.contour(example.mask, [0.5], colors="white", linewidths=0.6)
        for axes, (network, method) in zip(grid[0, 1:], columns, strict=True):
            axes.set_title(f"{network}\n{MAP_METHODS[method].title}")


def _painted(
    picture: UInt8[np.ndarray, "row column 3"], values: Float[np.ndarray, "row_ column_"]
) -> UInt8[np.ndarray, "row column 3"]:
    grey = np.asarray(Image.fromarray(picture).convert("L"), np.float32) / 255
    upsampled = Image.fromarray(values.astype(np.float32)).resize(
        grey.shape[::-1], Image.Resampling.BILINEAR
    )
    limit = float(np.abs(values).max())
    return blend(grey, np.asarray(upsampled), Scale(limit or 1.0))
