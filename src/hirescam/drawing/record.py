"""Record: a summary's numbers as JSON, for programs; `summary.schema.json` describes it."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from hirescam.drawing.colours import UNIT, Scale
from hirescam.drawing.findings import Finding
from hirescam.drawing.organ_record import hidden_record, masks_record, shares_record
from hirescam.explanation import Explanation, HiddenOrgan, OrganShares
from hirescam.organs.masks import OrganMasks

SCHEMA_VERSION = "1.2"
DISCLAIMER = "For research, not for diagnosis."


def summary_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) that every `summary.json` keeps."""
    text = files(__package__).joinpath("summary.schema.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def record(
    found: Explanation,
    rows: Sequence[Finding],
    scale: Scale,
    names: Mapping[str, Mapping[str, str]],
    *,
    organs: OrganMasks | None = None,
    shares: OrganShares | None = None,
    hidden: Sequence[HiddenOrgan] = (),
) -> dict[str, Any]:
    """All numbers of a summary; `names` gives the files written for each label."""
    made_by = asdict(found.provenance)
    versions = {name: made_by.pop(name) for name in ("hirescam", "torch")}
    scan_sha256 = made_by.pop("scan_sha256")
    return {
        "schema_version": SCHEMA_VERSION,
        "disclaimer": DISCLAIMER,
        "versions": versions,
        "provenance": made_by,
        "scan": {
            "shape": list(found.scan.shape),
            "spacing_mm": list(found.scan.spacing_mm),
            "orientation": found.scan.orientation,
            "sha256": scan_sha256,
            "repairs": list(found.scan.repairs),
        },
        "map_grid": {
            "shape": list(found.raw_maps.shape[1:]),
            "affine": found.affine.tolist(),
            "unit": UNIT,
        },
        "colour_limit": scale.limit,
        "organs": masks_record(organs, shares),
        "findings": [
            _of_one(row, found.provenance.method)
            | {
                "organs": shares_record(shares, row.label),
                "hidden_organs": hidden_record(hidden, row.label),
                "files": dict(names[row.label]),
            }
            for row in rows
        ],
    }


def _of_one(row: Finding, method: str) -> dict[str, Any]:
    verdict = row.guarantee
    return {
        "label": row.label,
        "probability": row.probability,
        "score": row.score,
        "offset": row.offset,
        "map_sum": row.map_sum,
        "positive_evidence": row.positive,
        "negative_evidence": row.negative,
        "peak": {
            "value": row.peak.value,
            "cell": list(row.peak.cell),
            "patient_mm": list(row.peak.patient_mm),
        },
        "slice_scores": None if row.slice_scores is None else row.slice_scores.tolist(),
        "guarantee": {
            "kind": verdict.kind.name.lower(),
            "gap": verdict.gap if math.isfinite(verdict.gap) else None,
            "probes": verdict.probes,
            "holds_for_method": verdict.holds_for(method),
            "sentence": verdict.sentence(method),
        },
    }
