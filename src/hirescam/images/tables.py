"""Tables of IoU: by class, by number of labels, by epoch.

Pairs of a photograph and a class that it shows come in the order of `numpy.nonzero(truth)`.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from hirescam.evaluation.tables import Row
from hirescam.images.fit import History
from hirescam.images.measure import METHODS
from hirescam.metrics.auroc import auroc
from hirescam.metrics.bootstrap import bootstrap
from hirescam.metrics.delong import Interval

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
    values[np.nonzero(truth)] = history.ious[history.best, list(METHODS).index(method)]

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
