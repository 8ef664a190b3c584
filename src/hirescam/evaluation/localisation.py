"""Whether a model looks into the organs of its labels, in which slices, more than another.

OrganIoU and shares of evidence measure the model and what it was trained with, never the
explanation method (Draelos and Carin, arXiv:2011.08891, section 9).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hirescam.anatomy import CONCEPTS
from hirescam.evaluation.classification import learnt_labels
from hirescam.evaluation.outcomes import METHODS, SIGNS, Outcomes
from hirescam.evaluation.references import ATLAS, ReferenceValues, gain
from hirescam.evaluation.tables import Row, interval_columns, share
from hirescam.metrics.classification import Interval, auroc_difference, bootstrap
from hirescam.metrics.organ_iou import THRESHOLDS, best_thresholds

Values = Float[np.ndarray, "scan label"]
"""OrganIoU of each scan and label at the label's own threshold; NaN where it is absent."""


def chosen_thresholds(outcomes: Outcomes) -> Float[np.ndarray, "method label"]:
    """The best threshold of each method and label, as an index into `THRESHOLDS`.

    To be chosen on validation scans and applied to others. NaN for labels that no scan has.
    """
    return np.stack([best_thresholds(outcomes.organ_ious[:, m]) for m in range(len(METHODS))])


def organ_values(
    outcomes: Outcomes, method: str, thresholds: Float[np.ndarray, "method label"]
) -> Values:
    """OrganIoU at thresholds that were chosen before; labels without one take the smallest."""
    row = METHODS.index(method)
    index = np.nan_to_num(thresholds[row]).astype(int)
    values = outcomes.organ_ious[:, row]
    return np.take_along_axis(values, index[None, :, None], axis=2)[:, :, 0].astype(float)


def overall(values: Values, *, draws: int = 1000) -> Interval:
    """Mean over all scan–label pairs, its interval over scans."""
    sums, counts = np.nansum(values, axis=1), (~np.isnan(values)).sum(axis=1)
    return bootstrap(lambda scans: share(sums[scans], counts[scans]), len(values), draws=draws)


def localisation(
    outcomes: Outcomes,
    thresholds: Float[np.ndarray, "method label"],
    *,
    references: ReferenceValues | None = None,
    draws: int = 1000,
) -> list[Row]:
    """OrganIoU by method: of all pairs, by concept group, by labels per scan, by label.

    With `references` these have rows too, and every method its gain over the atlas. `learnt`
    is "no" for a label whose AUROC interval includes 0.5: its maps mean nothing.
    """
    rows: list[Row] = []
    learnt = learnt_labels(outcomes)
    values_of = {method: organ_values(outcomes, method, thresholds) for method in METHODS}
    if references is not None:
        values_of |= references.organ_iou
    atlas = None if references is None else references.organ_iou[ATLAS]
    for method, values in values_of.items():
        beside = zip(
            _groups(outcomes, values),
            _groups(outcomes, values if atlas is None else atlas),
            strict=True,
        )
        for (group, name, part), (_, _, of_atlas) in beside:
            found = overall(part, draws=draws)
            rows.append(
                {
                    "method": method,
                    "group": group,
                    "name": name,
                    "pairs": int((~np.isnan(part)).sum()),
                    **interval_columns("organ_iou", found),
                    **_gain(method, part, None if atlas is None else of_atlas, draws),
                    **_threshold(group, name, outcomes.labels, thresholds, method),
                    "learnt": learnt[name] if group == "label" and method in METHODS else "",
                }
            )
    return rows


def evidence_outside(outcomes: Outcomes) -> list[Row]:
    """Per method, label and sign: the share of the evidence that lies where it may not.

    Of labels that are present; sums over all scans, so that scans count by their evidence. NaN
    for labels of which no organ is known in which they may lie.
    """
    told = ~np.isnan(outcomes.outside)
    evidence = np.where(told, np.nan_to_num(outcomes.evidence), 0.0)
    return [
        {
            "method": method,
            "label": label,
            "sign": sign,
            "share_outside": share(
                np.nan_to_num(outcomes.outside[:, m, column, s]),
                evidence[:, m, column, s],
            ),
        }
        for m, method in enumerate(METHODS)
        for column, label in enumerate(outcomes.labels)
        for s, sign in enumerate(SIGNS)
    ]


def undefined_note(outcomes: Outcomes) -> tuple[str, ...]:
    """One sentence that names the labels without an organ, whose OrganIoU is undefined."""
    present = outcomes.truth == 1
    undefined = np.isnan(outcomes.outside).all(axis=(1, 3)) & present
    names = [
        label
        for column, label in enumerate(outcomes.labels)
        if present[:, column].any() and undefined[:, column].sum() == present[:, column].sum()
    ]
    if not names:
        return ()
    return (
        f"No organ is known in which {', '.join(names)} may lie: OrganIoU and evidence outside "
        f"are undefined there.",
    )


def _groups(outcomes: Outcomes, values: Values) -> Iterator[tuple[str, str, Values]]:
    yield "overall", "", values
    for name, labels in CONCEPTS.items():
        columns = [column for column, label in enumerate(outcomes.labels) if label in labels]
        if columns:
            yield "concept", name, values[:, columns]
    counts = (~np.isnan(values)).sum(axis=1)
    for count in sorted(set(counts.tolist()) - {0}):
        yield "labels per scan", str(count), values[counts == count]
    for column, label in enumerate(outcomes.labels):
        yield "label", label, values[:, [column]]


def _gain(method: str, values: Values, atlas: Values | None, draws: int) -> Row:
    """How much a method gains over the atlas, on the same scans; NaN for references."""
    if atlas is None or method not in METHODS:
        nothing = Interval(np.nan, np.nan, np.nan)
        return interval_columns("gain_over_atlas", nothing)
    return interval_columns("gain_over_atlas", gain(values, atlas, draws=draws))


def _threshold(
    group: str,
    name: str,
    labels: Sequence[str],
    thresholds: Float[np.ndarray, "method label"],
    method: str,
) -> Row:
    if group != "label" or method not in METHODS:
        return {"threshold": np.nan}
    chosen = thresholds[METHODS.index(method), labels.index(name)]
    return {"threshold": np.nan if np.isnan(chosen) else float(THRESHOLDS[int(chosen)])}


def slice_table(outcomes: Outcomes, *, draws: int = 200) -> list[Row]:
    """Per label, slice group and class: the mean score and its interval, as figure 13."""
    rows: list[Row] = []
    for column, label in enumerate(outcomes.labels):
        for name, wanted in (("present", 1.0), ("absent", 0.0)):
            scores = outcomes.slice_scores[outcomes.truth[:, column] == wanted, column]
            if not len(scores):
                continue
            random = np.random.default_rng(0)
            drawn = random.integers(len(scores), size=(draws, len(scores)))
            means = np.stack([scores[one].mean(axis=0) for one in drawn])
            low, high = np.quantile(means, [0.025, 0.975], axis=0)
            rows += [
                {
                    "label": label,
                    "class": name,
                    "slice": slice_number,
                    "score": float(scores[:, slice_number].mean()),
                    "score_low": float(low[slice_number]),
                    "score_high": float(high[slice_number]),
                    "scans": len(scores),
                }
                for slice_number in range(scores.shape[1])
            ]
    return rows


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
