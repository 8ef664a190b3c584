"""Whole reports: sections, evidence, odd input, always the same answer."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from hirescam.reports.default import build

REPORT = """INDICATION: Rule out pneumonia.
COMPARISON: CT of last year showed an effusion.
TECHNIQUE: Catheter injection of contrast.
FINDINGS:
Lungs: A 12 mm nodule in the right upper lobe. It is cavitary.
Heart: Normal heart size.
IMPRESSION: 1. Right upper lobe nodule.
2. No pleural effusion.
"""


def test_only_the_sections_of_this_scan_are_read(statuses):
    assert statuses(REPORT) == {
        "nodule": {"present"},
        "nodulegr1cm": {"present"},
        "cavitation": {"present"},
        "cardiomegaly": {"absent"},
        "pleural_effusion": {"absent"},
    }


def test_what_was_not_read_is_told(profile):
    left = " ".join(REPORT[part.start : part.end] for part in profile.left_out(REPORT))
    assert "pneumonia" in left
    assert "Catheter" in left
    assert "nodule" not in left


def test_a_report_without_headings_is_read_whole(statuses):
    assert set(statuses("Comparison: none. Nodule in the lung. Cardiomegaly.")) == {
        "nodule",
        "cardiomegaly",
    }


def test_evidence_is_the_text_at_its_place(profile):
    for finding in profile.label("report", REPORT):
        assert REPORT[finding.start : finding.end] == finding.text
        assert finding.report == "report"


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_any_text_gives_evidence_inside_it(text):
    for finding in PROFILE.label("report", text + " Nodule " + text):
        assert (text + " Nodule " + text)[finding.start : finding.end] == finding.text


@settings(max_examples=25, deadline=None)
@given(st.permutations(REPORT.splitlines()[4:]))
def test_the_order_of_lines_does_not_change_the_findings(lines):
    def said(text):
        return {(f.abnormality, f.status) for f in PROFILE.label("report", text)}

    assert said("\n".join(lines)) == said("\n".join(REPORT.splitlines()[4:]))


def test_odd_texts_are_read(statuses):
    assert statuses("") == {}
    assert statuses("XXXX XXXX XXXX nodule XXXX") == {"nodule": {"present"}}
    assert statuses("\N{MATHEMATICAL BOLD SMALL N} ×2 Nodül — nodule") == {
        "nodule": {"present"}
    }
    assert statuses("Nodule. " * 2_000 + "x" * 1_000_000) == {"nodule": {"present"}}


def test_a_text_without_a_full_stop_is_read_in_pieces(profile):
    start = time.process_time()
    text = "nodule in the right lung and " * 500
    findings = profile.label("report", text)
    assert {"right_lung", "lung"} <= {finding.location for finding in findings}
    assert findings[-1].end > len(text) - 40
    assert time.process_time() - start < 5


def test_a_labeller_made_again_says_the_same(profile):
    assert build().label("report", REPORT) == profile.label("report", REPORT)


PROFILE = build()
