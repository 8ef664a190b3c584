"""Evidence page: evidence of many scans as tables, one page, and all of it as JSON."""

import json
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

import hirescam
from hirescam.atomic import atomic_folder
from hirescam.evaluation.evidence import OUTLIER_Z, Evidence, label_table, outlier_table
from hirescam.evaluation.tables import Row
from hirescam.figures.output import svg, without_nan, write_csv
from hirescam.summary.templates import template

WHAT_AN_ALARM_SAYS = (
    "An alarm says where the model looks, not yet that it relies on what is there: hide the "
    "place and see whether the score moves. No alarm does not say that there is no shortcut: "
    "one may lie within an organ, or act by lowering scores where it is missing."
)
_ROW_INCHES = 0.17
_MOST_OUTLIERS = 50


def write_evidence(
    evidence: Evidence, out: Path | str, *, overwrite: bool = False, draws: int = 500
) -> Path:
    """Write evidence.html, evidence.json, labels.csv and outliers.csv into a new folder.

    `out` appears whole or not at all. Raises `WriteError` if it may not be replaced.
    """
    labels = label_table(evidence, draws=draws)
    outliers = outlier_table(evidence)
    summary = {
        "hirescam": hirescam.__version__,
        "model": evidence.model,
        "scans": len(evidence.scans),
        "alarms": {row["label"]: row["alarm"] for row in labels if row["alarm"]},
        "outliers": len(outliers),
        "organs_doubted": list(evidence.doubted),
        "left_out": list(evidence.left_out),
        "map_volume": dict(
            zip(evidence.places, evidence.volume.mean(axis=0).tolist(), strict=True)
        ),
    }
    tables = {"labels": labels, "outliers": outliers}
    with atomic_folder(Path(out), "evidence", overwrite=overwrite) as folder:
        for name, rows in tables.items():
            write_csv(rows, folder / f"{name}.csv")
        written = json.dumps(without_nan(summary | {"tables": tables}), indent=1)
        (folder / "evidence.json").write_text(written + "\n", encoding="utf-8")
        (folder / "evidence.html").write_text(_page(evidence, summary, tables), "utf-8")
    return Path(out)


def _page(evidence: Evidence, summary: Row, tables: dict[str, list[Row]]) -> str:
    order = [evidence.labels.index(str(row["label"])) for row in tables["labels"]]
    names = [evidence.labels[row].replace("_", " ") for row in order]
    columns = [place.replace("_", " ") for place in evidence.places]
    in_places = np.array([[row[p] for p in evidence.places] for row in tables["labels"]], float)
    slices = evidence.slice_scores[order]
    highest = np.abs(slices).max(axis=1, keepdims=True, initial=1e-9)
    return template("evidence.html.jinja", __package__).render(
        summary=summary,
        tables=tables,
        places=evidence.places,
        places_chart=svg(_heat(in_places, names, columns, "Oranges", (0.0, 1.0))),
        slices_chart=svg(
            _heat(slices / highest, names, ["head", "feet"], "RdBu_r", (-1.0, 1.0))
        )
        if slices.size
        else "",
        caveat=WHAT_AN_ALARM_SAYS,
        doubts=evidence.note,
        outlying=OUTLIER_Z,
        most=_MOST_OUTLIERS,
    )


def _heat(
    values: Float[np.ndarray, "row column"],
    rows: list[str],
    ends: list[str],
    colours: str,
    limits: tuple[float, float],
) -> Figure:
    """A cell per value; `ends` name all columns, or the first and the last."""
    figure = Figure(figsize=(7, 0.7 + _ROW_INCHES * max(len(rows), 3)), layout="constrained")
    axes = figure.subplots()
    low, high = limits
    picture = axes.imshow(
        values, cmap=colours, vmin=low, vmax=high, aspect="auto", interpolation="nearest"
    )
    axes.set_yticks(range(len(rows)), rows, fontsize=7)
    axes.set_xticks(np.linspace(0, values.shape[1] - 1, len(ends)), ends, fontsize=7)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    figure.colorbar(picture, ax=axes, shrink=0.6, pad=0.01).ax.tick_params(labelsize=7)
    return figure
