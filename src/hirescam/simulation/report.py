"""Report: how a radiologist would write up what a simulated chest shows and does not show."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from importlib.resources import files

import numpy as np

from hirescam.anatomy import ABNORMALITIES
from hirescam.simulation.findings.kinds import Lesion
from hirescam.simulation.findings.table import FINDINGS
from hirescam.simulation.truth import cells, labels_of


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
