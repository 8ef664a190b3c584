"""Sections, sentences, sizes and phrases."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hirescam.reports.default.mentions import find_sizes
from hirescam.reports.default.phrases import Phrasebook, spell_out, split_words
from hirescam.reports.default.text import split_sentences


@pytest.mark.parametrize(
    ("text", "largest_mm"),
    [
        ("a 1.5-cm nodule", 15),
        ("12 x 9 mm", 12),
        ("12x9 mm", 12),
        ("0.8 x 1.2 cm", 12),
        ("9 mm x 1.3 cm", 13),
        ("measures up to 14 mm", 14),
        ("1,5 cm", 15),
        ("2-3 mm", 3),
        ("2.3 and 3 mm", 3),
        ("1.4 x 1.0 x 2.2 cm", 22),
        ("12 by 8 millimeters", 12),
        ("2 centimetres", 20),
    ],
)
def test_the_largest_length_is_read(text, largest_mm):
    (size,) = find_sizes(text)
    assert size.largest_mm == pytest.approx(largest_mm)


@pytest.mark.parametrize("text", ["subcentimeter", "sub-5 mm", "less than 1 cm", "< 1 cm"])
def test_a_bound_from_above_stays_below_1_cm(text):
    assert all(size.largest_mm < 10 for size in find_sizes(text))


def test_a_bound_from_below_lies_above_1_cm():
    assert find_sizes("larger than 1 cm")[0].largest_mm > 10


def test_a_former_size_is_none():
    (size,) = find_sizes("a 10 mm nodule, previously measured 23 mm")
    assert size.largest_mm == 10


@pytest.mark.parametrize("text", ["series 2 image 41", "(5:106)", "at 3 months", "T12"])
def test_numbers_without_a_length_are_no_sizes(text):
    assert find_sizes(text) == []


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("No nodule. Mass.", ["No nodule", "Mass"]),
        ("A nodule of 1.5 cm. Mass.", ["A nodule of 1.5 cm", "Mass"]),
        ("No lytic\nlesions. Mass", ["No lytic\nlesions", "Mass"]),
        ("Nodule\nMass", ["Nodule", "Mass"]),
        ("1. Nodule\n2. Mass", ["Nodule", "Mass"]),
        ('Nodule "Mass" • Cyst', ["Nodule", "Mass", "Cyst"]),
        ("Stable granuloma The lungs are clear", ["Stable granuloma", "The lungs are clear"]),
        ("Lesion (cyst?). Mass", ["Lesion (cyst?)", "Mass"]),
        ("Seen vs. prior. Mass", ["Seen vs. prior", "Mass"]),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text, sentences):
    assert [text[start:end] for start, end in split_sentences(text, 0, len(text))] == sentences


@given(st.text(max_size=200))
def test_sentences_lie_in_order_inside_any_text(text):
    spans = list(split_sentences(text, 0, len(text)))
    assert all(start < end for start, end in spans)
    assert spans == sorted(spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))


def test_a_phrase_stands_for_every_choice():
    assert spell_out("(mildly|) @big heart", {"big": ["large", "very large"]}) == [
        ("mildly", "large", "heart"),
        ("mildly", "very", "large", "heart"),
        ("large", "heart"),
        ("very", "large", "heart"),
    ]


@pytest.mark.parametrize(
    ("phrase", "text", "found"),
    [
        ("nodule", "two nodules", True),
        ("nodul*", "nodularity", True),
        ("mass", "massive", False),
        ("opacity", "opacities", True),
        ("ground glass", "Ground-glass", True),
        ("scar", "scarce", False),
        ("rib", "distribution", False),
    ],
)
def test_phrases_match_whole_words_in_either_number(phrase, text, found):
    book = Phrasebook([(phrase, "it")])
    assert bool(book.find(split_words(text).texts)) is found


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=8))
def test_the_tree_finds_what_a_search_at_each_word_finds(words):
    phrases = [("a", "b"), ("b",), ("b", "c", "a"), ("a", "b", "c")]
    book = Phrasebook([(" ".join(phrase), phrase) for phrase in phrases])
    slow = {
        (first, first + len(phrase))
        for first in range(len(words))
        for phrase in phrases
        if tuple(words[first : first + len(phrase)]) == phrase
    }
    assert {match[:2] for match in book.find(words)} == slow


def test_words_that_have_run_together_are_taken_apart():
    book = Phrasebook([("scarring", 1), ("atelecta*", 2), ("bronchiecta*", 3), ("bronchi", 4)])
    assert {m.meaning for m in book.find(["scarringatelectasis"])} == {1, 2}
    assert {m.meaning for m in book.find(["bronchiectasis"])} == {3}
