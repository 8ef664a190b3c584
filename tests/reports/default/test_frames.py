"""Frames: ways of writing that deny, doubt or state, each with every finding put in."""

import pytest

from hirescam.reports.table import Status

FINDINGS = {
    "pneumothorax": "pneumothorax",
    "pleural effusion": "pleural_effusion",
    "emphysema": "emphysema",
    "consolidation": "consolidation",
    "pneumonia": "pneumonia",
    "atelectasis": "atelectasis",
    "cardiomegaly": "cardiomegaly",
    "bronchiectasis": "bronchiectasis",
    "lymphadenopathy": "lymphadenopathy",
    "pericardial effusion": "pericardial_effusion",
}
ABSENT = (
    "No {}.",
    "There is no {}.",
    "No evidence of {}.",
    "No sign of {}.",
    "Without {}.",
    "w/o {}.",
    "Nil {}.",
    "Negative for {}.",
    "Free of {}.",
    "No finding compatible with {}.",
    "No features consistent with {}.",
    "No finding in keeping with {}.",
    "No finding suggestive of {}.",
    "No finding representing {}.",
    "Nothing to suggest {}.",
    "Low suspicion for {}.",
    "Not consistent with {}.",
    "Unlikely to represent {}.",
    "{} is unlikely.",
    "{} is absent.",
    "{} is not seen.",
    "{} was not identified.",
    "{}: None",
    "{}: none.",
    "{}: No",
    "{}: Absent",
    "{}: negative",
    "{}: Nil",
    "{}: not seen",
    "{}: None significant",
    "{} (-)",
    "{} (absent)",
    "{} [none]",
    "{} - none",
    "{} = no",
    "{} | none",
    "{} .... none",
    "{}: 0",
    "- {}: None",
    "* {}: None",
    "[ ] {}",
    "☐ {}",
    "{}: [ ] yes [x] no",
    "Presence of {}: no",
)
UNCERTAIN = (
    "Possible {}.",
    "{} is not excluded.",
    "{} cannot be excluded.",
    "{} cannot be ruled out.",
    "Cannot exclude {}.",
    "Suspected {}.",
)
PRESENT = (
    "{}.",
    "There is {}.",
    "{} is seen.",
    "{}: yes",
    "{}: present",
    "[x] {}",
    "☒ {}",
    "{} (+)",
)


def statuses(profile, text, name):
    return {each.status for each in profile.label("x", text) if each.abnormality == name}


CASES = [
    (frame, status)
    for frames, status in (
        (ABSENT, Status.ABSENT),
        (UNCERTAIN, Status.UNCERTAIN),
        (PRESENT, Status.PRESENT),
    )
    for frame in frames
]


@pytest.mark.parametrize(("frame", "status"), CASES)
@pytest.mark.parametrize("words", FINDINGS)
def test_a_frame_gives_every_finding_its_status(profile, frame, status, words):
    text = frame.format(words)
    text = text[0].upper() + text[1:]
    assert statuses(profile, text, FINDINGS[words]) == {status}


def test_a_normal_template_gives_no_finding(profile):
    keys = "Emphysema,Effusion,Pneumothorax,Nodule or mass,Consolidation,Fibrosis,Cavities"
    for value in ("None", "No", "Absent", "negative", "not seen", "nil", "-"):
        text = "\n".join(f"{key}: {value}" for key in keys.split(","))
        found = profile.label("x", text)
        assert {each.status for each in found} == {Status.ABSENT}


@pytest.mark.parametrize(
    ("text", "name", "place"),
    [
        ("Heart: Enlarged.", "cardiomegaly", "heart"),
        ("Nodule: right upper lobe.", "nodule", "right_upper"),
        ("Right lung: nodule.", "nodule", "right_lung"),
        ("Pneumothorax: Absent. Effusion: Moderate, right.", "pleural_effusion", "right_lung"),
    ],
)
def test_a_key_and_its_value_are_read_together(profile, text, name, place):
    found = [each for each in profile.label("x", text) if each.abnormality == name]
    assert place in {each.location for each in found}
    assert {each.status for each in found} == {Status.PRESENT}


@pytest.mark.parametrize(
    ("text", "statuses_of"),
    [
        (
            "No consolidation, likely atelectasis.",
            {"consolidation": "absent", "atelectasis": "present"},
        ),
        (
            "Mild emphysema, pneumothorax: none.",
            {"emphysema": "present", "pneumothorax": "absent"},
        ),
        ("No lesion compatible with metastasis.", {"lesion": "absent", "cancer": "absent"}),
        ("[ ] Emphysema [x] Nodule", {"emphysema": "absent", "nodule": "present"}),
    ],
)
def test_a_denial_reaches_as_far_as_it_is_meant(profile, text, statuses_of):
    for name, status in statuses_of.items():
        assert statuses(profile, text, name) == {Status(status)}


@pytest.mark.parametrize(
    "text", ["8 mm nodule, 15 mm from the pleura.", "Nodule, now 8 mm (14 mm before)."]
)
def test_a_distance_and_a_former_size_are_not_the_size(profile, text):
    assert not statuses(profile, text, "nodulegr1cm")


@pytest.mark.parametrize(
    "text", ["S/p lobectomy.", "Status post splenectomy.", "H/o sternotomy."]
)
def test_words_with_slashes_and_endings_are_matched(profile, text):
    assert statuses(profile, text, "postsurgical") == {Status.PRESENT}
