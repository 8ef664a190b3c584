"""What "it" and "the nodule" say of the sentence before."""

import pytest

LEFT_APEX = {"left_upper", "left_lung", "lung"}
CASES = {
    ("A nodule is seen. It lies in the left apex.", "nodule"): LEFT_APEX,
    ("Nodule in the left apex. It measures 12 mm.", "nodulegr1cm"): LEFT_APEX,
    ("Nodule in the left apex. The nodule is 1.2 cm.", "nodulegr1cm"): LEFT_APEX,
    ("Nodule in the left apex. It is stable. It is cavitary.", "cavitation"): LEFT_APEX,
    ("Mass in the left apex. The mass is cavitary.", "cavitation"): LEFT_APEX,
    ("Pneumonia. It is in the left apex.", "pneumonia"): LEFT_APEX,
    # not clear, or not so
    ("Nodule and cyst. It lies in the left apex.", "nodule"): {""},
    ("No nodule. It would lie in the left apex.", "nodule"): set(),
    ("Nodule in the left apex. Emphysema. It is cavitary.", "cavitation"): {""},
    ("Nodule in the left apex. The heart is enlarged.", "cardiomegaly"): {"heart"},
    ("Nodule in the left apex. It abuts the heart. Cyst.", "cyst"): {""},
}


@pytest.mark.parametrize(("text", "abnormality"), CASES)
def test_a_place_is_carried_over_where_it_is_clear(text, abnormality, places):
    assert places(text, abnormality) == CASES[text, abnormality]
