"""Reference maps: what OrganIoU and lesion measures give to maps that never saw the image.

A network's localisation means something only beside them. `even map` marks every cell; `smooth
noise` is random; `mean map` is the network's own mean map of a label over other scans; `atlas`
is where the organs of the label's place lie on average over other scans. Other scans are the
validation scans; where those are themselves measured, each half of them is judged by the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from jaxtyping import Float, Int8
from scipy.ndimage import gaussian_filter

from hirescam.evaluation.outcomes import METHODS, Outcomes, scan_half
from hirescam.evaluation.tables import Row, interval_columns, share
from hirescam.metrics.classification import Interval, bootstrap
from hirescam.metrics.lesions import LESION_MEASURES, lesion_measures
from hirescam.metrics.organ_iou import THRESHOLDS, best_thresholds, organ_ious
from hirescam.regions.allowed import allowed_regions, organs_of, possible_places

Maps = Float[np.ndarray, "label slice row column"]
Values = Float[np.ndarray, "scan label"]

EVEN, NOISE, MEAN_MAP, ATLAS = "even map", "smooth noise", "mean map", "atlas"
REFERENCES = (EVEN, NOISE, MEAN_MAP, ATLAS)
WHAT_REFERENCES_SAY = (
    "Maps of reference rows never saw the image: `even map` marks every cell, `smooth noise` "
    "is random, `mean map` is the network's own mean map of a label over other scans, and "
    "`atlas` is where the organs of the label's place lie on average in other scans. A network "
    "looks at the scan before it only as far as it gains over the atlas."
)


@dataclass(frozen=True, eq=False)
class ReferenceValues:
    """Of each reference: the OrganIoU of every scan and label, and its lesion measures."""

    organ_iou: dict[str, Values]
    lesions: dict[str, Float[np.ndarray, "scan label measure"]]


def reference_values(test: Outcomes, valid: Outcomes | None = None) -> ReferenceValues | None:
    """The references on `test`, made from `valid` scans, at thresholds chosen on those.

    Without `valid`, each half of the scans is judged by the other. None for outcomes that do
    not tell where organs lie, as those of earlier versions.
    """
    if test.organs is None or (valid is not None and valid.organs is None):
        return None
    fitted = test if valid is None else valid
    names = [name for name in REFERENCES if name != MEAN_MAP or fitted.map_sums is not None]
    ious: dict[str, Values] = {}
    lesions = {}
    for name in names:
        of_fitted = _organ_ious(name, fitted, fitted)
        of_test = of_fitted if valid is None else _organ_ious(name, test, fitted)
        ious[name] = _at_thresholds(of_test, of_fitted)
        if test.lesion_states is not None:
            lesions[name] = np.stack(
                [
                    _lesion_values(_map_of(name, test, fitted, scan), states)
                    for scan, states in enumerate(test.lesion_states)
                ]
            )
            lesions[name][test.truth != 1] = np.nan
    return ReferenceValues(ious, lesions)


def gain(one: Values, other: Values, *, draws: int = 1000) -> Interval:
    """How much larger the mean over scan–label pairs is in `one`; scans are drawn again."""
    (ones, counts), (others, other_counts) = _sums(one), _sums(other)

    def difference(scans: np.ndarray) -> float:
        return share(ones[scans], counts[scans]) - share(others[scans], other_counts[scans])

    return bootstrap(difference, len(one), draws=draws)


def lesion_table(
    outcomes: Outcomes, references: ReferenceValues | None, *, draws: int = 1000
) -> list[Row]:
    """How maps find the lesions of present labels, by method or reference; all, and by label.

    Empty where no lesion masks came with the scans.
    """
    if outcomes.lesions is None:
        return []
    of_maps = {name: outcomes.lesions[:, row] for row, name in enumerate(METHODS)}
    if references is not None:
        of_maps |= references.lesions
    rows: list[Row] = []
    for name, values in of_maps.items():
        for group, columns in _columns(outcomes.labels):
            part = values[:, columns]
            pairs = int((~np.isnan(part[..., 0])).sum())
            if not pairs:
                continue
            row: Row = {"method": name, "name": group, "pairs": pairs}
            for measure, each in zip(LESION_MEASURES, np.moveaxis(part, 2, 0), strict=True):
                sums, counts = _sums(each)
                row |= interval_columns(measure, _mean_interval(sums, counts, draws))
            rows.append(row)
    return rows


def _columns(labels: tuple[str, ...]) -> Iterator[tuple[str, list[int]]]:
    yield "", list(range(len(labels)))
    for column, label in enumerate(labels):
        yield label, [column]


def _mean_interval(sums: np.ndarray, counts: np.ndarray, draws: int) -> Interval:
    return bootstrap(lambda scans: share(sums[scans], counts[scans]), len(sums), draws=draws)


def _sums(values: Values) -> tuple[np.ndarray, np.ndarray]:
    return np.nansum(values, axis=1), (~np.isnan(values)).sum(axis=1)


def _at_thresholds(
    values: Float[np.ndarray, "scan label threshold"],
    fitted: Float[np.ndarray, "fitted_scan label threshold"],
) -> Values:
    index = np.nan_to_num(best_thresholds(fitted)).astype(int)
    return np.take_along_axis(values, index[None, :, None], axis=2)[:, :, 0]


def _organ_ious(
    name: str, outcomes: Outcomes, fitted: Outcomes
) -> Float[np.ndarray, "scan label threshold"]:
    """OrganIoU of a reference on every scan, NaN where a network's is not known either."""
    assert outcomes.organs is not None, "asked before"
    assert outcomes.places is not None, "told with the organs"
    unknown = np.isnan(outcomes.organ_ious[:, 0, :, 0])
    values = np.full((*unknown.shape, len(THRESHOLDS)), np.nan)
    for scan, (places, organs) in enumerate(zip(outcomes.places, outcomes.organs, strict=True)):
        allowed = allowed_regions(places, organs)
        if name == EVEN:  # scaling leaves nothing of it: every cell counts as marked
            values[scan] = allowed.mean(axis=(1, 2, 3))[:, None]
        else:
            values[scan] = organ_ious(_map_of(name, outcomes, fitted, scan), allowed)
    values[unknown] = np.nan
    return values


def _map_of(name: str, outcomes: Outcomes, fitted: Outcomes, scan: int) -> Maps:
    """A reference map of every label for one scan."""
    assert outcomes.organs is not None, "asked before"
    shape = (len(outcomes.labels), *outcomes.organs.shape[2:])
    if name == EVEN:
        return np.ones(shape)
    if name == NOISE:
        return smooth_noise(shape, seed=crc32(outcomes.scans[scan].encode()))
    half = scan_half(outcomes.scans[scan]) if fitted is outcomes else None
    return mean_maps(fitted, without=half) if name == MEAN_MAP else atlas(fitted, without=half)


def smooth_noise(shape: tuple[int, ...], *, seed: int) -> Maps:
    """Random maps, smooth over a twelfth of the slices and a sixth of a plane's side."""
    noise = np.random.default_rng(seed).normal(size=shape)
    sigma = (0.0, shape[1] / 12, shape[2] / 6, shape[3] / 6)
    return gaussian_filter(noise, sigma, mode="nearest")


def mean_maps(outcomes: Outcomes, *, without: int | None = None) -> Maps:
    """The network's mean map of each label, scaled in each scan; even where no scan has it.

    `without` is a half of the scans that is left out.
    """
    assert outcomes.map_sums is not None, "asked before"
    assert outcomes.map_counts is not None, "told with the sums"
    halves = [half for half in range(2) if half != without]
    sums, counts = outcomes.map_sums[halves].sum(axis=0), outcomes.map_counts[halves].sum(0)
    means = sums / np.maximum(counts, 1)[:, None, None, None]
    return np.where(counts[:, None, None, None] > 0, means, 1.0).astype(float)


def atlas(outcomes: Outcomes, *, without: int | None = None) -> Maps:
    """In what share of the scans a cell lies in an organ of the label's place."""
    assert outcomes.organs is not None, "asked before"
    kept = [row for row, scan in enumerate(outcomes.scans) if scan_half(scan) != without]
    organs = outcomes.organs[kept or slice(None)]
    assert outcomes.places is not None, "told with the organs"
    seen = outcomes.places.any(axis=0)  # of labels whose names do not tell where they lie
    possible = np.stack(
        [
            possible_places([label])[0] if organs_of(label) else place
            for label, place in zip(outcomes.labels, np.asarray(seen), strict=True)
        ]
    )
    rows, inverse = np.unique(possible, axis=0, return_inverse=True)
    by_place = np.stack([organs[:, row].any(axis=1).mean(axis=0) for row in rows])
    return by_place[inverse.reshape(-1)]


def _lesion_values(
    maps: Maps, states: Int8[np.ndarray, "label slice row column"]
) -> Float[np.ndarray, "label measure"]:
    return np.stack([lesion_measures(*pair) for pair in zip(maps, states, strict=True)])
