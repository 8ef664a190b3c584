"""A simulated report says what is there, where, and nothing else."""

import re

import pytest

from hirescam.simulate.chest import SIMULATED_LABELS, simulate
from hirescam.simulate.findings import FINDINGS
from hirescam.simulate.sentences import WORDINGS

NAMED_BY = {
    "lung_nodule": "nodule",
    "lung_consolidation": "consolidation",
    "lung_pleural_effusion": "effusion",
    "heart_cardiomegaly": "enlarged|cardiomegaly",
    "great_vessel_calcification": "calcif",
    "great_vessel_catheter_or_port": "catheter",
}


def sentences(report):
    """Those of findings and impression that affirm something."""
    text = report.split("FINDINGS:")[1].replace("IMPRESSION:", "")
    every = [each.strip() for each in re.split(r"(?<=\.)\s+", text)]
    return [each.lower() for each in every if not each.startswith("No ")]


def test_every_finding_has_its_wording():
    assert set(WORDINGS) == set(FINDINGS)


@pytest.mark.parametrize("seed", range(8))
def test_a_report_names_exactly_the_present_findings(seed):
    scan = simulate(seed, spacing_mm=(12.0, 12.0, 12.0), prevalence=0.5)
    said = sentences(scan.report)
    for label in SIMULATED_LABELS:
        named = any(re.search(NAMED_BY[label], each) for each in said)
        assert named == scan.labels[label], (label, scan.report)


@pytest.mark.parametrize("seed", range(8))
def test_a_report_names_the_side(seed):
    scan = simulate(seed, findings=SIMULATED_LABELS, spacing_mm=(12.0, 12.0, 12.0))
    assert set(scan.sides) == {each for each in SIMULATED_LABELS if each.startswith("lung")}
    for label, side in scan.sides.items():
        word = {"both": "bilateral"}.get(side, side)
        naming = [each for each in sentences(scan.report) if NAMED_BY[label] in each]
        assert len(naming) == 2
        assert all(word in each for each in naming), (label, scan.report)


def test_a_healthy_report_concludes_that_nothing_is_wrong():
    scan = simulate(0, findings=(), spacing_mm=(12.0, 12.0, 12.0))
    assert "IMPRESSION: No acute abnormality" in scan.report
