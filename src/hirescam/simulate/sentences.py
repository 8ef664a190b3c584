"""Sentences: how a radiologist would report what a simulated chest shows and does not show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Wording:
    """Ways to report one finding, to conclude it, and to say that it is absent."""

    present: tuple[str, ...]
    conclusion: str
    absent: tuple[str, ...]


WORDINGS = {
    "lung_nodule": Wording(
        (
            "There is a {size} solid nodule in the {lobe}.",
            "A {size} nodule is seen in the {lobe}.",
            "Within the {lobe} there is a rounded nodule measuring {size}.",
        ),
        "{size} nodule in the {lobe}.",
        ("No suspicious pulmonary nodule.", "No lung nodule is identified."),
    ),
    "lung_consolidation": Wording(
        (
            "There is patchy consolidation in the {lobe} with air bronchograms.",
            "Consolidation is present in the {lobe}.",
        ),
        "Consolidation in the {lobe}.",
        ("No focal consolidation.", "No airspace consolidation in either lung."),
    ),
    "lung_pleural_effusion": Wording(
        (
            "There is a {size} {side} pleural effusion layering dependently.",
            "A {size} layering {side} pleural effusion is present.",
        ),
        "A {size} {side} pleural effusion.",
        ("No pleural effusion.", "No pleural effusion on either side."),
    ),
    "heart_cardiomegaly": Wording(
        ("The heart is enlarged.", "There is cardiomegaly.", "The heart is markedly enlarged."),
        "Cardiomegaly.",
        ("The heart is normal in size.", "Heart size is within normal limits."),
    ),
    "great_vessel_calcification": Wording(
        (
            "There are calcifications of the aortic wall.",
            "Calcified plaques are seen along the wall of the thoracic aorta.",
        ),
        "Aortic calcifications.",
        ("The thoracic aorta is unremarkable.", "The aorta shows a normal course and wall."),
    ),
    "great_vessel_catheter_or_port": Wording(
        (
            "A central venous catheter ends in {tip}.",
            "A right-sided central venous catheter is in place with its tip in {tip}.",
        ),
        "Central venous catheter with its tip in {tip}.",
        ("No lines or tubes.", "No indwelling central line."),
    ),
}


def report(words: Mapping[str, Mapping[str, str]], random: np.random.Generator) -> str:
    """A report with one sentence for each finding, present (those with words) or absent."""
    seen, concluded = [], []
    for label, wording in WORDINGS.items():
        ways = wording.present if label in words else wording.absent
        way = ways[random.integers(len(ways))]
        seen.append(way.format(**words.get(label, {})))
        if label in words:
            concluded.append(wording.conclusion.format(**words[label]))
    return (
        "TECHNIQUE: CT of the chest without intravenous contrast.\n"
        f"FINDINGS: {' '.join(seen)}\n"
        f"IMPRESSION: {_numbered(concluded) or 'No acute abnormality in the chest.'}"
    )


def _numbered(sentences: Sequence[str]) -> str:
    return " ".join(f"{number}. {each}" for number, each in enumerate(sentences, 1))
