"""Evaluation: a model's outcomes on a set of scans as a folder of tables and one page."""

import csv
import io
import json
import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

import jinja2
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

import hirescam
from hirescam.drawing.charts import dots, reliability_curves
from hirescam.drawing.folder import whole_folder
from hirescam.evaluation.classification import classification, median_auroc
from hirescam.evaluation.localisation import (
    chosen_thresholds,
    evidence_outside,
    localisation,
)
from hirescam.evaluation.outcomes import METHODS, Outcomes, save_outcomes
from hirescam.evaluation.slices import slice_table
from hirescam.evaluation.tables import Row, columns

WHAT_AN_IOU_SAYS = (
    "OrganIoU says how well this model, as it was trained, looks into the organs in which its "
    "labels lie. It says nothing about which explanation method is right: that has to be "
    "proved (Draelos and Carin, arXiv:2011.08891, section 9)."
)


def write_evaluation(
    outcomes: Outcomes,
    out: Path | str,
    *,
    thresholds: Float[np.ndarray, "method label"] | None = None,
    title: str = "Evaluation",
    notes: Sequence[str] = (),
    overwrite: bool = False,
    draws: int = 1000,
) -> Path:
    """Write evaluation.html, evaluation.json, one CSV per table and outcomes.npz.

    `thresholds` are those of `chosen_thresholds` on validation scans; left out, they are chosen
    on these very scans, as in the paper's table 1, and the page says so.
    """
    on_themselves = thresholds is None
    chosen = chosen_thresholds(outcomes) if thresholds is None else thresholds
    tables = {
        "classification": classification(outcomes, draws=draws),
        "localisation": localisation(outcomes, chosen, draws=draws),
        "evidence": evidence_outside(outcomes),
        "slices": slice_table(outcomes),
    }
    median = median_auroc(outcomes, draws=draws)
    if on_themselves:
        notes = (*notes, "OrganIoU thresholds were chosen on the scans they are reported on.")
    summary = {
        "hirescam": hirescam.__version__,
        "title": title,
        "scans": len(outcomes.scans),
        "median_auroc": [median.value, median.low, median.high],
        "organ_iou": {
            str(row["method"]): [
                row[name] for name in ("organ_iou", "organ_iou_low", "organ_iou_high")
            ]
            for row in tables["localisation"]
            if row["group"] == "overall"
        },
        "notes": list(notes),
    }
    with whole_folder(Path(out), overwrite=overwrite, proof="evaluation.json") as folder:
        for name, rows in tables.items():
            write_csv(rows, folder / f"{name}.csv")
        save_outcomes(outcomes, folder / "outcomes.npz")
        written = json.dumps(without_nan(summary | {"tables": tables}), indent=1)
        (folder / "evaluation.json").write_text(written + "\n", encoding="utf-8")
        (folder / "evaluation.html").write_text(
            _page(outcomes, tables, summary), encoding="utf-8"
        )
    return Path(out)


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """A table as CSV; what is undefined is left empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns(rows))
        writer.writeheader()
        writer.writerows({name: _blank(value) for name, value in row.items()} for row in rows)


def _page(outcomes: Outcomes, tables: dict[str, list[Row]], summary: Row) -> str:
    by_group = tables["localisation"]
    return _template().render(
        summary=summary,
        labels=len(outcomes.labels),
        methods=METHODS,
        tables=tables,
        groups=[row for row in by_group if row["group"] in ("overall", "concept")],
        by_count=[row for row in by_group if row["group"] == "labels per scan"],
        auroc_chart=svg(
            dots(tables["classification"], "label", "auroc", "AUROC", reference=0.5)
        ),
        organ_chart=svg(
            dots(
                [row for row in by_group if row["group"] in ("overall", "concept")],
                "name",
                "organ_iou",
                "OrganIoU",
                series="method",
            )
        ),
        calibration_chart=svg(reliability_curves(outcomes.truth, outcomes.probabilities)),
        caveat=WHAT_AN_IOU_SAYS,
    )


def svg(figure: Figure) -> str:
    """A figure as markup for a page."""
    packed = io.StringIO()
    figure.savefig(packed, format="svg", bbox_inches="tight", metadata={"Date": None})
    return packed.getvalue()[packed.getvalue().index("<svg") :]


def _blank(value: object) -> object:
    return "" if isinstance(value, float) and math.isnan(value) else value


def without_nan(value: object) -> object:
    """What JSON can hold: null where a number is undefined."""
    if isinstance(value, dict):
        return {name: without_nan(each) for name, each in value.items()}
    if isinstance(value, list):
        return [without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def number(value: object, digits: int = 3) -> str:
    """A number to read; a dash where it is undefined."""
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.{digits}f}"
    return str(value)


@cache
def _template() -> jinja2.Template:
    source = files(__package__).joinpath("evaluation.html.jinja").read_text(encoding="utf-8")
    house = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    house.filters["number"] = number
    return house.from_string(source)
