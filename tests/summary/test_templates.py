"""Numbers read as people write them."""

import pytest

from hirescam.summary import templates as numbers


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (2.0, "+2.00"), (-0.01234, "−0.0123"), (123.4, "+123")]
)
def test_signed_numbers_have_three_digits(value, text):
    assert numbers.signed(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "<0.1%"), (1e-6, "<0.1%"), (0.5, "50.0%"), (0.99999, ">99.9%"), (1.0, ">99.9%")],
)
def test_only_certainty_reads_as_nought_or_a_hundred_percent(share, text):
    assert numbers.probability(share) == text


def test_a_place_names_the_side_instead_of_a_sign():
    assert numbers.place((-12.0, -40.5, 101.3)) == "L 12.0 · P 40.5 · S 101.3 mm"
