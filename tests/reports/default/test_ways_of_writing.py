"""Sizes, places, spelling and forms, each kind with sentences that show it."""

import time

import pytest

from hirescam.reports.explain import explain_report
from hirescam.reports.label import label_one

LARGE = {
    "Pulmonary nodule measuring 14 mm.": True,
    "Subpleural nodule in the right lower lobe, 14 mm.": True,
    "Nodule increased from 8 mm to 14 mm.": True,
    "Nodule 9 mm, previously 14 mm.": False,
    "The nodule decreased from 14 mm to 8 mm.": False,
    "The nodule was 14 mm, now 8 mm.": False,
    "Nodule now 8 mm (14 mm before).": False,
    "8 mm nodule, 15 mm from the pleura.": False,
}


@pytest.mark.parametrize("text", LARGE)
def test_the_size_of_a_nodule_is_the_one_that_it_has_now(statuses, text):
    assert ("nodulegr1cm" in statuses(text)) == LARGE[text]


PLACES = {
    "Nodule in the right upper lobe, granuloma versus metastasis.": ("nodule", "right_upper"),
    "The lingula is clear except for atelectasis.": ("atelectasis", "left_lung"),
    "The left lung shows nothing but minimal atelectasis.": ("atelectasis", "left_lung"),
    "The left lung shows consolidation in the upper lobe.": ("consolidation", "left_upper"),
    "RIGHT LUNG:\n- 5 mm nodule in the upper lobe\n- scar": ("nodule", "right_upper"),
    "Nodule: right upper lobe.": ("nodule", "right_upper"),
    "Small L effusion.": ("pleural_effusion", "left_lung"),
    "Consolidaton in the left lung.": ("consolidation", "left_lung"),
}


@pytest.mark.parametrize("text", PLACES)
def test_a_finding_lies_where_its_sentence_says(places, text):
    name, place = PLACES[text]
    assert place in places(text, name)


def test_a_zone_of_a_kidney_is_no_lung(places):
    assert places("Cyst in the mid zone of the left kidney.", "cyst") == {"kidney", "left"}


STATUSES = {
    "No LAD.": ("lymphadenopathy", {"absent"}),
    "LAD stent.": ("lymphadenopathy", set()),
    "No pnuemothorax.": ("pneumothorax", {"absent"}),
    "No lymphadenopaty.": ("lymphadenopathy", {"absent"}),
    "N0 effusi0n.": ("pleural_effusion", {"absent"}),
    "Oedema: none": ("pulmonary_edema", {"absent"}),
    "1) No PE 2) 8 mm nodule.": ("nodule", {"present"}),
    "Nodules or masses: no suspicious nodule.": ("mass", set()),
    "Non\u2011calcified nodule.": ("calcification", {"absent"}),
}


@pytest.mark.parametrize("text", STATUSES)
def test_abbreviations_misspellings_and_signs_are_read(statuses, text):
    name, expected = STATUSES[text]
    assert statuses(text).get(name, set()) == expected


@pytest.mark.parametrize("word", ["injection", "massive", "intercostal", "parotid", "distant"])
def test_a_word_that_only_looks_misspelt_is_read_as_it_is(profile, word):
    assert profile.reader.words(f"The {word} one.").texts[1] == word


@pytest.mark.parametrize("value", ["Normal.", "Unremarkable.", "Within normal limits."])
@pytest.mark.parametrize("key", ["LYMPH NODES", "Lymphadenopathy", "Devices", "Lungs", "Heart"])
def test_a_heading_whose_value_is_normal_states_nothing_present(profile, key, value):
    found = profile.label("x", f"{key}: {value}")
    assert not [f for f in found if f.status != "absent"]


FORMS = [
    "[ ] nodule (-) | x |\n",
    "☐ mass: none ",
    "Nodule: 1. Size: 3 mm. ",
    "x\tnone\n",
    "? no ",
]


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_normalised_to_the_same_length_and_its_evidence_is_the_text(profile, form):
    text = form * 7
    assert len(profile.headings.normalise(text)) == len(text)
    assert all(text[f.start : f.end] == f.text for f in profile.label("x", text))


@pytest.mark.parametrize("part", [" ", "nodule: none, ", "[ ] ", "\t", "?", "location: "])
def test_a_line_without_an_end_takes_time_that_grows_with_its_length(profile, part):
    def seconds(length):
        text = part * (length // len(part))
        start = time.process_time()
        label_one(profile, "x", text)
        return time.process_time() - start

    seconds(1000)
    assert seconds(40_000) <= 12 * seconds(10_000) + 0.2


def test_no_row_of_the_vocabulary_is_dead(profile):
    dead = {row.name: row.unreachable for row in profile.vocabulary_rows() if row.unreachable}
    assert not dead


def test_an_explanation_marks_cues_and_words_read_as_others(profile):
    parts = explain_report(profile, "a", "No pnuemothorax.").stretches
    notes = " ".join(part.note for part in parts)
    assert "absent" in notes
    assert "read as 'pneumothorax'" in notes
