"""Seeds: what several trainings of one recipe say together, on the same scans."""

from collections.abc import Callable, Sequence

import numpy as np

from hirescam.evaluation.localisation import Values
from hirescam.evaluation.tables import share
from hirescam.experiments.runs import Judged
from hirescam.metrics.bootstrap import bootstrap
from hirescam.metrics.delong import Interval


def over_seeds(of_seeds: Sequence[Judged], method: str) -> Values:
    """OrganIoU of each test scan and label, mean over the seeds."""
    return np.mean([one.organ_values(method) for one in of_seeds], axis=0)


def each_seed(of_seeds: Sequence[Judged], method: str) -> str:
    """OrganIoU of each seed, in words."""
    return ", ".join(f"{np.nanmean(one.organ_values(method)):.3f}" for one in of_seeds)


def difference(one: Values, other: Values) -> Interval:
    """How much larger the mean over scan–label pairs is in `one`; scans are drawn again."""
    return _compared(one, other, lambda first, second: first - second)


def relative_gain(one: Values, other: Values) -> Interval:
    """The same as a share of the mean in `other`."""
    return _compared(one, other, lambda first, second: first / second - 1)


def _compared(one: Values, other: Values, how: Callable[[float, float], float]) -> Interval:
    def found(scans: np.ndarray) -> float:
        first, second = (
            share(np.nansum(each[scans], axis=1), (~np.isnan(each[scans])).sum(axis=1))
            for each in (one, other)
        )
        return how(first, second)

    return bootstrap(found, len(one))
