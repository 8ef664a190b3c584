"""The truth of a chest: where abnormalities lie, the labels that hold, and a report of it."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from importlib.resources import files

import numpy as np

from hirescam.anatomy import ABNORMALITIES, LABELS
from hirescam.simulation.findings.kinds import Finding, Lesion
from hirescam.simulation.findings.table import FINDINGS

Cell = tuple[str, str]  # an abnormality and a location, as SARLE spells them

_LOBES = {
    f"{side}_{lobe}": (f"{side}_lung", "lung")
    for side in ("right", "left")
    for lobe in ("upper", "mid", "lower")
}
IMPLIED = _LOBES | {
    "right_lung": ("lung",),
    "left_lung": ("lung",),
    "aortic_valve": ("heart",),
    "mitral_valve": ("heart",),
}
"""What else a location lies in, by anatomy and not by the words of a report."""

PLACES = {
    "great_vessel": ("aorta", "svc", "ivc", "pulmonary_artery", "pulmonary_vein"),
    "mediastinum": ("mediastinum", "hilum"),
    "heart": ("heart", "mitral_valve", "aortic_valve", "tricuspid_valve", "pulmonary_valve"),
    "lung": (*_LOBES, "right_lung", "left_lung"),
}
"""Locations that count for the labels of each place (Draelos and Carin, arXiv:2011.08891)."""

_CELLS_OF = {
    f"{place}_{abnormality}": frozenset((abnormality, each) for each in PLACES[place])
    for place, abnormalities in ABNORMALITIES.items()
    for abnormality in abnormalities
}


def cells(finding: Finding, lesion: Lesion) -> frozenset[Cell]:
    """Every abnormality of a lesion at each of its locations and at those that hold these."""
    places = {*lesion.locations}.union(*(IMPLIED.get(at, ()) for at in lesion.locations))
    abnormalities = (*finding.abnormalities, *lesion.also)
    return frozenset((what, where) for what in abnormalities for where in places)


def labels_of(truth: Iterable[Cell]) -> tuple[str, ...]:
    """Those of the 80 labels that hold, in their published order."""
    known = frozenset(truth)
    return tuple(label for label in LABELS if known & _CELLS_OF[label])


@dataclass(frozen=True)
class Wording:
    """Ways to report one finding, and to conclude it."""

    present: Sequence[str]
    conclusion: str


@dataclass(frozen=True)
class Absence:
    """Ways to say that none of some labels is there, and in how many of 100 reports."""

    says: Sequence[str]
    of: Sequence[str]
    often: int


def write_report(lesions: Mapping[str, Lesion], random: np.random.Generator) -> str:
    """A report that affirms the lesions, and denies a part of what is not there."""
    present = {
        label
        for finding, lesion in lesions.items()
        for label in labels_of(cells(FINDINGS[finding], lesion))
    }
    frame, told = _frame(), {}
    for place in ABNORMALITIES:
        told[place] = [
            _sentence(_one(wordings()[finding].present, random), lesion)
            for finding, lesion in lesions.items()
            if finding.startswith(place)
        ]
    denied = _denied(present, random)
    sections = [told[place] for place in random.permutation(list(told))]
    findings = [sentence for section in sections for sentence in section]
    findings += random.permutation(denied).tolist()
    findings.append(_one(frame["elsewhere"], random))
    concluded = [
        _sentence(wordings()[finding].conclusion, lesion) for finding, lesion in lesions.items()
    ]
    if concluded and random.uniform() < 0.25:
        concluded.append(_one(frame["advice"], random))
    return (
        f"INDICATION: {_one(frame['indication'], random)}\n"
        f"TECHNIQUE: {_one(frame['technique'], random)}\n"
        f"COMPARISON: {_one(frame['comparison'], random)}\n"
        f"FINDINGS: {' '.join(findings)}\n"
        f"IMPRESSION: {_numbered(concluded) or _one(frame['nothing'], random)}"
    )


def _denied(present: set[str], random: np.random.Generator) -> list[str]:
    """What is said not to be there; nothing is denied twice."""
    said: list[str] = []
    known: set[str] = set()
    for absence in absences():
        comes = random.uniform(0, 100) < absence.often
        way = _one(absence.says, random)
        if comes and not known & {*absence.of} and not _any_of(absence.of, present):
            said.append(way)
            known |= {*absence.of}
    return said


@cache
def wordings() -> dict[str, Wording]:
    """Every finding's wording, by its label."""
    tables = (_table(place) for place in ABNORMALITIES)
    return {label: Wording(**row) for table in tables for label, row in table.items()}


@cache
def absences() -> tuple[Absence, ...]:
    """Every way to say that something is not there."""
    return tuple(Absence(**row) for row in _table("absent")["absent"])


@cache
def _frame() -> dict[str, list[str]]:
    return _table("frame")


def _table(name: str) -> dict:
    return tomllib.loads((files(__package__) / "wordings" / f"{name}.toml").read_text("utf-8"))


def _any_of(patterns: Sequence[str], labels: set[str]) -> bool:
    return any(fnmatch(label, pattern) for label in labels for pattern in patterns)


def _one(ways: Sequence[str], random: np.random.Generator) -> str:
    return ways[int(random.integers(len(ways)))]


def _sentence(way: str, lesion: Lesion) -> str:
    said = way.format(**lesion.words)
    return said[0].upper() + said[1:]


def _numbered(sentences: Sequence[str]) -> str:
    return " ".join(f"{number}. {each}" for number, each in enumerate(sentences, 1))
