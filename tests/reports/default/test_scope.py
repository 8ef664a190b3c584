"""Which findings of a sentence a cue speaks about."""

import pytest

PRESENT, ABSENT, UNCERTAIN = {"present"}, {"absent"}, {"uncertain"}
CASES = {
    "No effusion, but there is a pneumothorax.": {
        "pleural_effusion": ABSENT,
        "pneumothorax": PRESENT,
    },
    "No focal consolidation, large pleural effusion or pneumothorax.": {
        "consolidation": ABSENT,
        "pleural_effusion": ABSENT,
        "pneumothorax": ABSENT,
    },
    "No pneumothorax and a small pleural effusion.": {
        "pneumothorax": ABSENT,
        "pleural_effusion": PRESENT,
    },
    "No acute, displaced rib fractures are demonstrated.": {"fracture": ABSENT},
    "Pleural effusion was not observed.": {"pleural_effusion": ABSENT},
    "A nodule, which was seen before, was not detected.": {"nodule": ABSENT},
    "Lymph nodes that did not reach pathological size are seen.": {
        "lymph_node": PRESENT,
        "lymphadenopathy": ABSENT,
    },
    "Heart size is within normal limits.": {"cardiomegaly": ABSENT},
    "Heart and pericardium are normal.": {
        "cardiomegaly": ABSENT,
        "pericardial_effusion": ABSENT,
    },
    "Vascular congestion within normal limits, small nodule.": {
        "congestion": ABSENT,
        "pulmonary_congestion": ABSENT,
        "nodule": PRESENT,
    },
    "Possible pneumonia.": {"pneumonia": UNCERTAIN},
    "Pneumonia is possible.": {"pneumonia": UNCERTAIN},
    "A pneumothorax cannot be excluded.": {"pneumothorax": UNCERTAIN},
    "Hypodense lesion (cyst?).": {"lesion": PRESENT, "cyst": UNCERTAIN},
    "Opacity may be due to pneumonia.": {"opacity": PRESENT, "pneumonia": UNCERTAIN},
    "Likely atelectasis.": {"atelectasis": PRESENT},
    "The right pneumothorax has resolved.": {"pneumothorax": ABSENT},
    "Nearly resolved pneumothorax.": {"pneumothorax": PRESENT},
    "If pneumonia develops, repeat the scan.": {},
    "Evaluate for pneumonia.": {},
    "Recommend biopsy of the nodule.": {},
    "Family history of lung cancer.": {},
    "History of pneumonia.": {},
    "History of sternotomy.": {"sternotomy": PRESENT, "postsurgical": PRESENT},
}


@pytest.mark.parametrize("text", CASES)
def test_each_finding_has_the_status_that_its_own_words_give(text, statuses):
    assert statuses(text) == CASES[text]
