"""Which words of a sentence a cue speaks about."""

import pytest

from hirescam.reports.default import build

PROFILE = build()


def statuses(text):
    """{abnormality: statuses} of a text."""
    found = {}
    for finding in PROFILE.label("report", text):
        found.setdefault(finding.abnormality, set()).add(finding.status.value)
    return found


CASES = {
    "No pneumothorax and consolidation.": {
        "pneumothorax": {"absent"},
        "consolidation": {"absent"},
    },
    "No effusion, but there is a pneumothorax.": {
        "pleural_effusion": {"absent"},
        "pneumothorax": {"present"},
    },
    "Pleural effusion was not observed.": {"pleural_effusion": {"absent"}},
    "Possible pneumonia.": {"pneumonia": {"uncertain"}},
    "Family history of pneumonia.": {},
}


@pytest.mark.parametrize("text", CASES)
def test_each_finding_has_the_status_that_its_own_words_give(text):
    assert statuses(text) == CASES[text]
