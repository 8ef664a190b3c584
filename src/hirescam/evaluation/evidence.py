"""Evidence: where a model looks in many scans, read from the folders of explanations."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from hirescam.errors import ReadError
from hirescam.parsing import read_json
from hirescam.training.prepared import OnProgress


@dataclass(frozen=True, eq=False)
class Evidence:
    """What raised each score and where, in logits.

    `volume` is the share of the map's volume in each place, which evidence that is spread
    evenly would have. `slice_scores` are means over the scans, head to feet.
    """

    model: str
    scans: tuple[str, ...]
    labels: tuple[str, ...]
    places: tuple[str, ...]
    probabilities: Float32[np.ndarray, "scan label"]
    raised: Float32[np.ndarray, "scan label place"]
    volume: Float32[np.ndarray, "scan place"]
    slice_scores: Float[np.ndarray, "label slice"]


def read_evidence(
    folder: Path, *, on_progress: OnProgress = lambda name, done, of: None
) -> Evidence:
    """The evidence of every explained scan below `folder`, each named by its own folder.

    Raises `ReadError` if there is none, or if they are not of one model, with organs.
    """
    paths = sorted(folder.rglob("summary.json"))
    if not paths:
        raise ReadError(
            f"no summary.json lies below {folder}: give a folder that `hirescam explain` wrote"
        )
    first = _summary(paths[0])
    model = first["provenance"]["model_sha256"]
    labels = tuple(sorted(finding["label"] for finding in first["findings"]))
    places = tuple(first["organs"]["map_volume"])
    probabilities = np.empty((len(paths), len(labels)), np.float32)
    raised = np.empty((len(paths), len(labels), len(places)), np.float32)
    volume = np.empty((len(paths), len(places)), np.float32)
    slice_sums: Float[np.ndarray, "label slice"] | None = None
    for row, path in enumerate(paths):
        summary = _summary(path)
        of_label = {finding["label"]: finding for finding in summary["findings"]}
        if summary["provenance"]["model_sha256"] != model or set(of_label) != set(labels):
            raise ReadError(
                f"{path.parent.name} and {paths[0].parent.name} are explained by other models "
                f"or for other labels: give a folder with one model's explanations"
            )
        found = [of_label[label] for label in labels]
        probabilities[row] = [finding["probability"] for finding in found]
        raised[row] = [_by_place(finding, places) for finding in found]
        volume[row] = [summary["organs"]["map_volume"][place] for place in places]
        scores = np.array([finding["slice_scores"] or [] for finding in found])
        slice_sums = scores if slice_sums is None else slice_sums + scores
        on_progress("reading explanations", row + 1, len(paths))
    assert slice_sums is not None, "there is a first summary"
    return Evidence(
        model=first["provenance"]["model"],
        scans=tuple(path.parent.relative_to(folder).as_posix() for path in paths),
        labels=labels,
        places=places,
        probabilities=probabilities,
        raised=raised,
        volume=volume,
        slice_scores=slice_sums / len(paths),
    )


def _summary(path: Path) -> dict[str, Any]:
    try:
        summary = read_json(path)
        organs = summary["organs"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReadError(
            f"{path.parent.name}/summary.json is no summary of this version ({error}): explain "
            f"that scan anew"
        ) from error
    if organs is None:
        raise ReadError(
            f"{path.parent.name} was explained without organs: explain it anew with "
            f"--organs auto"
        )
    return dict(summary)


def _by_place(finding: Mapping[str, Any], places: tuple[str, ...]) -> list[float]:
    shares = finding["organs"]["positive"]
    return [finding["positive_evidence"] * shares[place] for place in places]
