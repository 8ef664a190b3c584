"""What the published rules get wrong (each sentence shows one weakness) is right here."""

import pytest

PRESENT, ABSENT = {"present"}, {"absent"}

SAYS = {
    # negation and its scope
    "No pneumothorax and consolidation.": {"consolidation": ABSENT},
    "No pneumothorax and no effusion.": {"pneumothorax": ABSENT, "pleural_effusion": ABSENT},
    "No nodule in the thyroid gland, cyst or effusion.": {"cyst": ABSENT},
    "No effusion but there is a nodule.": {"pleural_effusion": ABSENT, "nodule": PRESENT},
    "No consolidation, with a 5 mm nodule.": {"consolidation": ABSENT, "nodule": PRESENT},
    "The nodule is unchanged and not enlarged.": {"nodule": PRESENT},
    "Normal heart size with coronary calcification.": {
        "cardiomegaly": ABSENT,
        "coronary_artery_disease": PRESENT,
    },
    "The lungs are normally inflated with a nodule.": {"nodule": PRESENT},
    "Cardiomegaly without heart failure.": {"cardiomegaly": PRESENT, "heart_failure": ABSENT},
    "There is clearly a nodule.": {"nodule": PRESENT},
    "The effusion is no longer visible.": {"pleural_effusion": ABSENT},
    "Nonspecific nodule.": {"nodule": PRESENT},
    # words instead of substrings
    "Pericardial and pleural effusions.": {
        "pericardial_effusion": PRESENT,
        "pleural_effusion": PRESENT,
    },
    "Prosthetic tricuspid valve.": {"heart_valve_replacement": PRESENT},
    "Calcified granuloma.": {"calcification": PRESENT, "granuloma": PRESENT},
    "The aorta is tortuous.": {"aorta_shape": PRESENT},
    "Aortic ectasia.": {"aorta_shape": PRESENT, "dilation_or_ectasia": PRESENT},
    "Multiple nodules, the largest of 1.5-cm.": {"nodulegr1cm": PRESENT},
    "Nodule of 1.2 x 0.9 cm.": {"nodulegr1cm": PRESENT},
    "The nodule is now 1.5 cm.": {"nodulegr1cm": PRESENT},
    "A 14 x 8 mm groundglass nodule.": {"nodulegr1cm": PRESENT},
}


@pytest.mark.parametrize("text", SAYS)
def test_what_the_published_rules_lose_is_found(text, statuses):
    found = statuses(text)
    assert {name: found.get(name) for name in SAYS[text]} == SAYS[text]


SAYS_NOT = {
    "Massive ascites after massage.": "mass",
    "Scarce secretions.": "scarring",
    "Symmetric distribution of ventilation, attributed to position.": "fracture",
    "Curvilinear calcification of the aorta.": "bandlike_or_linear",
    "This leads to no concern.": "pacemaker_or_defib",
    "Edema of the subcutaneous tissue.": "pulmonary_edema",
    "Effusion in the knee joint.": "pleural_effusion",
    "Bypass of the stomach.": "cabg",
    "The coronary arteries are not well seen.": "coronary_artery_disease",
    "Mycetoma in the left apex.": "cancer",
    "Large pleural effusion next to the heart.": "cardiomegaly",
    "Old granulomatous disease in the lung.": "airspace_disease",
    "The vascular contour is prominent at the aorta.": "congestion",
    "The mediastinum is unremarkable.": "mediastinal_widening",
    "Cystic fibrosis.": "cyst",
    "A nodule of exactly 1 cm.": "nodulegr1cm",
    "If there is pneumonia, treat.": "pneumonia",
    "History of lung cancer.": "cancer",
    "Family history of breast cancer.": "cancer",
    "Recommend CT to evaluate for nodule.": "nodule",
}


@pytest.mark.parametrize("text", SAYS_NOT)
def test_what_the_published_rules_invent_is_not_found(text, statuses):
    assert "present" not in statuses(text).get(SAYS_NOT[text], set())


def test_uncertain_is_not_present(statuses):
    assert statuses("Possible pneumonia.") == {"pneumonia": {"uncertain"}}


def test_each_finding_of_a_sentence_has_its_own_place(places):
    text = "Nodule in the right upper lobe and atelectasis in the left lower lobe."
    assert places(text, "nodule") == {"right_upper", "right_lung", "lung"}
    assert places(text, "atelectasis") == {"left_lower", "left_lung", "lung"}


def test_the_right_coronary_artery_is_not_in_the_right_lung(places):
    text = "Stent of the right coronary artery and pneumonia in the left lung."
    assert places(text, "stent") == {"heart"}
    assert places(text, "pneumonia") == {"left_lung", "lung"}


def test_a_liver_word_leaves_the_lung_of_another_finding(places):
    text = "Liver cyst and left lower lobe nodule."
    assert places(text, "cyst") == {"liver"}
    assert places(text, "nodule") == {"left_lower", "left_lung", "lung"}


def test_spine_codes_count_as_words_only(places):
    assert places("Nodule in segment B1T2x of the right lung.", "nodule") == {
        "right_lung",
        "lung",
    }
    assert places("Lesion at T2.", "lesion") == {"spine", "bone"}


def test_bilateral_is_not_lateral(places):
    assert "lateral" not in places("Bilateral nodules in the lungs.", "nodule")


def test_a_place_is_carried_over_to_the_next_sentence(places):
    text = "There is a nodule. It is located in the right upper lobe."
    assert "right_upper" in places(text, "nodule")


def test_a_hilar_mass_of_the_lung_is_in_the_lung(places):
    assert {"hilum", "left_lung"} <= places("Hilar mass of the left lung.", "mass")
