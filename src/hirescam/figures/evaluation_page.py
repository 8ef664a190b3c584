"""Evaluation page: a model's outcomes on a set of scans as a folder of tables and one page."""

import json
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np
from jaxtyping import Float

import hirescam
from hirescam.atomic import atomic_folder
from hirescam.evaluation.classification import classification, median_auroc
from hirescam.evaluation.localisation import (
    chosen_thresholds,
    evidence_outside,
    localisation,
    slice_table,
    undefined_note,
)
from hirescam.evaluation.outcomes import METHODS, Outcomes, save_outcomes
from hirescam.evaluation.references import (
    WHAT_REFERENCES_SAY,
    lesion_table,
    reference_values,
)
from hirescam.evaluation.tables import Row
from hirescam.figures.charts import dots, reliability_curves
from hirescam.figures.output import svg, without_nan, write_csv
from hirescam.summary.templates import template

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
    valid: Outcomes | None = None,
    title: str = "Evaluation",
    notes: Sequence[str] = (),
    overwrite: bool = False,
    draws: int = 1000,
) -> Path:
    """Write evaluation.html, evaluation.json, one CSV per table and outcomes.npz.

    `thresholds` are those of `chosen_thresholds` on validation scans; left out, they are chosen
    on these very scans, as in the paper's table 1, and the page says so.
    """
    if thresholds is None and valid is not None:
        thresholds = chosen_thresholds(valid)
    on_themselves = thresholds is None
    chosen = chosen_thresholds(outcomes) if thresholds is None else thresholds
    references = reference_values(outcomes, valid)
    tables = {
        "classification": classification(outcomes, draws=draws),
        "localisation": localisation(outcomes, chosen, references=references, draws=draws),
        "lesions": lesion_table(outcomes, references, draws=draws),
        "evidence": evidence_outside(outcomes),
        "slices": slice_table(outcomes),
    }
    if on_themselves:
        notes = (*notes, "OrganIoU thresholds were chosen on the scans they are reported on.")
    notes = (*notes, *undefined_note(outcomes))
    if references is not None:
        notes = (*notes, WHAT_REFERENCES_SAY)
    summary = {
        "hirescam": hirescam.__version__,
        "title": title,
        "scans": len(outcomes.scans),
        "median_auroc": list(astuple(median_auroc(outcomes, draws=draws))),
        "organ_iou": _overall(tables["localisation"]),
        "notes": list(notes),
    }
    with atomic_folder(Path(out), "evaluation", overwrite=overwrite) as folder:
        for name, rows in tables.items():
            if not rows:
                continue
            write_csv(rows, folder / f"{name}.csv")
        save_outcomes(outcomes, folder / "outcomes.npz")
        written = json.dumps(without_nan(summary | {"tables": tables}), indent=1)
        (folder / "evaluation.json").write_text(written + "\n", encoding="utf-8")
        (folder / "evaluation.html").write_text(
            _page(outcomes, tables, summary), encoding="utf-8"
        )
    return Path(out)


def _overall(localisation: Sequence[Row]) -> dict[str, list[object]]:
    """OrganIoU of each method over all pairs: the value, and where it lies."""
    return {
        str(row["method"]): [row[f"organ_iou{end}"] for end in ("", "_low", "_high")]
        for row in localisation
        if row["group"] == "overall"
    }


def _page(outcomes: Outcomes, tables: dict[str, list[Row]], summary: Row) -> str:
    by_group = tables["localisation"]
    return template("evaluation.html.jinja", __package__).render(
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
