"""A simulated report says what is there, where, and nothing else."""

import re

import numpy as np
import pytest

from hirescam.reports.label import label_reports
from hirescam.reports.table import Status
from hirescam.simulation.chest import SIMULATED_LABELS, simulate
from hirescam.simulation.findings.table import FINDINGS
from hirescam.simulation.report import absences, labels_of, wordings

POINTS_MM = (30.0, 30.0, 30.0)
NAMED_BY = {
    "lung_nodule": "nodule",
    "lung_consolidation": "consolidat",
    "lung_pleural_effusion": "pleural effusion",
    "heart_cardiomegaly": "enlarge|cardiomegaly",
    "great_vessel_calcification": "calcif",
    "great_vessel_catheter_or_port": "catheter",
}
DENIED = re.compile(
    r"^(the previously|interval resolution)|\b(no|free of|without|removed|not aneurysmal)\b"
)


def affirmed(report):
    """Those sentences of findings and impression that deny nothing."""
    text = report.split("FINDINGS:")[1].replace("IMPRESSION:", "")
    every = [each.strip().lower() for each in re.split(r"(?<=\.)\s+", text)]
    return [each for each in every if not DENIED.search(each)]


def test_every_finding_has_its_wording():
    assert set(wordings()) == set(FINDINGS)


@pytest.mark.parametrize("start", range(8))
def test_every_finding_is_reported_and_concluded(start):
    findings = tuple(FINDINGS)[start::8]
    scan = simulate(start, findings=findings, spacing_mm=POINTS_MM)
    assert "{" not in scan.report
    for label in findings:
        ways = (*wordings()[label].present, wordings()[label].conclusion)
        said = [re.escape(way).replace(r"\{", "{") for way in ways]
        said = [re.sub(r"\{.*?\}", ".+?", way) for way in said]
        assert sum(bool(re.search(way, scan.report, re.I)) for way in said) >= 2, label


@pytest.mark.parametrize("seed", range(4))
def test_a_report_names_exactly_the_present_findings(seed):
    scan = simulate(seed, spacing_mm=POINTS_MM, prevalence=0.5)
    said = affirmed(scan.report)
    for label in SIMULATED_LABELS:
        named = any(re.search(NAMED_BY[label], each) for each in said)
        assert named == scan.labels[label], (label, scan.report)


@pytest.mark.parametrize("seed", range(2))
def test_a_report_names_the_side(seed):
    scan = simulate(seed, findings=SIMULATED_LABELS, spacing_mm=POINTS_MM)
    assert set(scan.sides) == {each for each in SIMULATED_LABELS if each.startswith("lung")}
    for label, side in scan.sides.items():
        word = {"both": "bilateral"}.get(side, side)
        naming = [each for each in affirmed(scan.report) if NAMED_BY[label] in each]
        assert len(naming) == 2
        assert all(word in each for each in naming), (label, scan.report)


def test_nothing_is_denied_that_is_there():
    for seed in range(4):
        scan = simulate(seed, findings=tuple(FINDINGS)[seed::16], spacing_mm=POINTS_MM)
        present = labels_of(scan.cells)
        for absence in absences():
            if any(way in scan.report for way in absence.says):
                assert not set(absence.of) & set(present)


def test_a_healthy_report_affirms_no_finding_and_differs_from_the_next():
    reports = {simulate(seed, findings=(), spacing_mm=POINTS_MM).report for seed in range(4)}
    assert len(reports) == 4
    for report in reports:
        assert not any(
            re.search("|".join(NAMED_BY.values()), each) for each in affirmed(report)
        )


def test_sizes_in_words_are_those_of_the_voxels():
    scan = simulate(5, findings=["lung_mass"], spacing_mm=(2.0, 2.0, 2.0))
    number, unit = re.search(r"([\d.]+) (mm|cm)", scan.report).groups()
    said_mm = float(number) * {"mm": 1, "cm": 10}[unit]
    volume_mm3 = scan.masks["lung_mass"].sum() * 8
    assert said_mm == pytest.approx((6 * volume_mm3 / np.pi) ** (1 / 3), rel=0.15)


def test_our_labeller_reads_the_truth_out_of_the_reports():
    truths, reports = {}, {}
    for seed in range(5):
        scan = simulate(seed, findings=tuple(FINDINGS)[seed::16], spacing_mm=POINTS_MM)
        truths[str(seed)], reports[str(seed)] = set(labels_of(scan.cells)), scan.report
    read = {name: set() for name in reports}
    for found in label_reports(reports).findings:
        if found.status != Status.ABSENT:
            read[found.report].add((found.abnormality, found.location))
    hits = sum(len(truths[name] & set(labels_of(read[name]))) for name in reports)
    said = sum(len(labels_of(cells)) for cells in read.values())
    true = sum(len(labels) for labels in truths.values())
    assert 2 * hits / (said + true) > 0.95
