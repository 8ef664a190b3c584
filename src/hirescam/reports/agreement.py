"""Agreement: two sets of labels of the same reports, side by side, with intervals."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from hirescam.atomic import atomic_write, refuse_overwriting
from hirescam.errors import HirescamError
from hirescam.printable import table_cell
from hirescam.reports.label_files import Labels, read_labels
from hirescam.reports.table import Status
from hirescam.reports.views import read_view


@dataclass(frozen=True)
class Interval:
    """A number, and the range that holds it in 95 of 100 samples of reports."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class LabelAgreement:
    """How often two sources say a label of the same reports; NaN where nobody says it."""

    label: str
    both: int
    only_first: int
    only_second: int
    f_score: Interval
    kappa: float


@dataclass(frozen=True)
class Agreement:
    """How two sources agree: label by label, over all labels, and where they differ.

    The F-score is the same whichever source is taken for the truth; precision and recall of the
    second against the first are `both / (both + only_second)` and `both / (both + only_first)`.
    """

    reports: int
    labels: tuple[LabelAgreement, ...]
    micro: Interval
    macro: Interval
    macro_labels: int
    differing: tuple[tuple[str, str, str], ...]  # report, label, the one that gives it
    made_by: tuple[str, str]


def compare_files(
    first: Path,
    second: Path,
    *,
    view: str | None = None,
    places: bool = False,
    uncertain: str = Status.PRESENT,
    least: int = 10,
) -> Agreement:
    """Compare two files of labels; see `read_labels` for what they may be, and `compare`.

    Raises `HirescamError` for a file that holds no labels, or two that share none.
    """
    seen = read_view(view) if view else None
    labels = [
        read_labels(path, uncertain=Status(uncertain), view=seen, places=places)
        for path in (first, second)
    ]
    return compare(*labels, least=least)


def write_differences(found: Agreement, out: Path) -> None:
    """Write report, label and which file gives it, one row for each difference."""
    heading = ("report", "label", "given_by")
    begins = out.read_bytes()[:100] if out.is_file() else b""
    refuse_overwriting(out, ours=begins.startswith(",".join(heading).encode()))
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(
        [heading, *([table_cell(cell) for cell in row] for row in found.differing)]
    )
    with atomic_write(out) as file:
        file.write(text.getvalue().encode())


def compare(
    first: Labels, second: Labels, *, least: int = 10, samples: int = 1000, seed: int = 0
) -> Agreement:
    """Compare what two files say of the reports and labels that both have.

    Macro is the mean over labels that `first` gives to at least `least` reports. Intervals are
    percentiles over `samples` bootstrap samples of reports.

    Raises `HirescamError` if the files share no report or no label.
    """
    every = _common(first.reports, second.reports, {*first.given, *second.given})
    reports = sorted(set(every) - first.refused - second.refused)
    named = set[str]().union(*first.given.values(), *second.given.values())
    labels = _common(first.labels, second.labels, named)
    if not reports or not labels:
        raise HirescamError(
            "the two files have no report, or no label, in common: check how each names them"
        )
    a, b = (_table(source, reports, labels) for source in (first, second))
    counts = np.stack([a & b, a & ~b, ~a & b], axis=-1).astype(float)
    weights = _weights(len(reports), samples, seed)
    drawn = np.tensordot(weights, counts, axes=1)
    total, often = counts.sum(axis=0), a.sum(axis=0) >= least
    kappas = _kappa(total, len(reports))
    rows = [
        LabelAgreement(
            label=label,
            both=int(total[at, 0]),
            only_first=int(total[at, 1]),
            only_second=int(total[at, 2]),
            f_score=_interval(_f_score(total[at]), _f_score(drawn[:, at])),
            kappa=float(kappas[at]),
        )
        for at, label in enumerate(labels)
    ]
    differing = [
        (reports[row], labels[column], "first" if a[row, column] else "second")
        for row, column in np.argwhere(a != b)
    ]
    return Agreement(
        reports=len(reports),
        labels=tuple(sorted(rows, key=lambda row: (-row.both - row.only_first, row.label))),
        micro=_interval(_f_score(total.sum(axis=0)), _f_score(drawn.sum(axis=1))),
        macro=_interval(_mean(_f_score(total[often])), _mean(_f_score(drawn[:, often]))),
        macro_labels=int(often.sum()),
        differing=tuple(differing),
        made_by=(first.made_by, second.made_by),
    )


def _common(
    first: Sequence[str] | None, second: Sequence[str] | None, named: Iterable[str]
) -> list[str]:
    """What both list; a file that does not list all leaves it to the other one."""
    if first is None or second is None:
        return list(first or second or sorted(named))
    shared = set(second)
    return [name for name in first if name in shared]


def _table(
    source: Labels, reports: Sequence[str], labels: Sequence[str]
) -> Bool[np.ndarray, "report label"]:
    column = {label: at for at, label in enumerate(labels)}
    table = np.zeros((len(reports), len(labels)), dtype=bool)
    for row, report in enumerate(reports):
        given = source.given.get(report, frozenset())
        table[row, [column[label] for label in given if label in column]] = True
    return table


def _weights(reports: int, samples: int, seed: int) -> Float[np.ndarray, "sample report"]:
    """How often each bootstrap sample holds each report."""
    even = np.full(reports, 1 / reports)
    return np.random.default_rng(seed).multinomial(reports, even, size=samples).astype(float)


def _f_score(counts: Float[np.ndarray, "*any 3"]) -> Float[np.ndarray, "*any"]:
    """F of both, only first, only second; 0 where only one says it, NaN where none does."""
    both, said = counts[..., 0], counts.sum(axis=-1)
    with np.errstate(invalid="ignore"):
        return np.asarray(2 * both / (said + both))


def _kappa(counts: Float[np.ndarray, "label 3"], reports: int) -> Float[np.ndarray, "label"]:
    """Cohen's kappa: agreement beyond chance; NaN where both always say the same one thing."""
    both, only_first, only_second = counts.T / reports
    first, second = both + only_first, both + only_second
    by_chance = first * second + (1 - first) * (1 - second)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((1 - only_first - only_second - by_chance) / (1 - by_chance))


def _mean(scores: Float[np.ndarray, "*sample label"]) -> Float[np.ndarray, "*sample"]:
    """Mean over labels; a label that a sample does not hold is left out of it."""
    known = ~np.isnan(scores)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nansum(scores, axis=-1) / known.sum(axis=-1))


def _interval(value: Float[np.ndarray, ""], drawn: Float[np.ndarray, "sample"]) -> Interval:
    if np.isnan(drawn).all():
        return Interval(float(value), np.nan, np.nan)
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Interval(float(value), float(low), float(high))
