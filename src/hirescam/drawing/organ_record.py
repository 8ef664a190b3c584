"""Organ record: where evidence lies, and what hiding organs did, as JSON for `summary.json`."""

from collections.abc import Sequence
from typing import Any

from hirescam.explanation import HiddenOrgan, OrganShares
from hirescam.organs.files import organ_record
from hirescam.organs.masks import OrganMasks

ORGANS_FILE = "organs.nii.gz"


def masks_record(
    organs: OrganMasks | None, shares: OrganShares | None
) -> dict[str, Any] | None:
    """The masks: their file, how they were made, how far each is trusted, how much was seen.

    `map_volume` is the share of each place that evidence spread evenly would have.
    """
    if organs is None or shares is None:
        return None
    told = organ_record(organs)
    return {
        "file": ORGANS_FILE,
        "method": told["method"],
        "masks": {
            organ: {
                **{key: facts[key] for key in ("code", "volume_ml", "trusted", "heuristic")},
                "reasons": facts["reasons"],
                "seen": shares.seen[organ],
            }
            for organ, facts in told["organs"].items()
        },
        "map_volume": dict(shares.volume),
    }


def shares_record(shares: OrganShares | None, label: str) -> dict[str, Any] | None:
    """One label's evidence by place, and the sentence that tells it."""
    if shares is None:
        return None
    return {
        "sentence": shares.sentence(label),
        "positive": shares.positive(label),
        "negative": shares.negative(label),
    }


def hidden_record(hidden: Sequence[HiddenOrgan], label: str) -> list[dict[str, Any]]:
    """What hiding each organ did to one label."""
    rows = [(each, each.labels.index(label)) for each in hidden]
    return [
        {
            "organ": each.organ,
            "score": float(each.after[row]),
            "drop": float(each.drops[row]),
            "foretold_drop": float(each.foretold[row]),
            "agreement": each.agreement(label).name.lower(),
            "sentence": each.sentence(label),
        }
        for each, row in rows
    ]
