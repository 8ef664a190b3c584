"""Whether one model looks into the right organ more than another, and scores as well."""

from dataclasses import dataclass

import numpy as np

from hirescam.evaluation.localisation import Values
from hirescam.evaluation.outcomes import Outcomes
from hirescam.evaluation.tables import Row, share
from hirescam.metrics.bootstrap import bootstrap
from hirescam.metrics.delong import Interval, auroc_difference


@dataclass(frozen=True)
class Comparison:
    """How much more one model has than another on the same scans."""

    organ_iou: Interval
    auroc: tuple[Row, ...]


def compare(
    one: tuple[Outcomes, Values], other: tuple[Outcomes, Values], *, draws: int = 1000
) -> Comparison:
    """OrganIoU and AUROC of `one` less those of `other`, paired by scan.

    The OrganIoU interval is of scans drawn again for both at once: it excludes 0 where the
    difference is significant at 5 %. AUROC by DeLong's test, per label.
    """
    first, second = (_sums(values) for _, values in (one, other))

    def difference(scans: np.ndarray) -> float:
        return share(*(part[scans] for part in first)) - share(
            *(part[scans] for part in second)
        )

    rows: list[Row] = []
    for column, label in enumerate(one[0].labels):
        truth = one[0].truth[:, column]
        known = ~np.isnan(truth)
        value, p = auroc_difference(
            truth[known] == 1,
            one[0].logits[known, column].astype(float),
            other[0].logits[known, column].astype(float),
        )
        rows.append({"label": label, "auroc_difference": value, "p": p})
    return Comparison(bootstrap(difference, len(first[0]), draws=draws), tuple(rows))


def _sums(values: Values) -> tuple[np.ndarray, np.ndarray]:
    return np.nansum(values, axis=1), (~np.isnan(values)).sum(axis=1)
