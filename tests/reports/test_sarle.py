"""sarle-2020: every row of its tables, its published behaviour, a slow restatement of it."""

import csv
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hirescam.reports.profile import ProfileChoice
from hirescam.reports.sarle.matrix import Matrix
from hirescam.reports.sarle.rules import EFFECTS, apply_rules, whole
from hirescam.reports.sarle.terms import TermSearch, members
from hirescam.reports.sarle.vocabulary import read_vocabulary
from make import shared_data
from reports import slow_sarle

KINDS = ("ct", "cxr")
PROFILES = {
    (kind, ambiguous, checks): ProfileChoice(
        {"ct": "sarle-2020", "cxr": "sarle-2020-cxr"}[kind],
        options=(("ambiguous", ambiguous), ("location_checks", checks)),
    ).build()
    for kind in KINDS
    for ambiguous in (True, False)
    for checks in (True, False)
}


def cells(text, kind="ct", *, ambiguous=True, checks=True):
    profile = PROFILES[kind, ambiguous, checks]
    return {(found.abnormality, found.location) for found in profile.label("report", text)}


def at(cell):
    abnormality, _, places = cell.partition("@")
    return {(abnormality, place) for place in places.split("+")}


@pytest.mark.parametrize("kind", KINDS)
def test_every_rule_leaves_of_its_example_what_it_says(kind):
    rules = read_vocabulary(kind).rules
    left = {
        rule.trigger: " ".join(apply_rules(whole(f" {rule.example} "), rules).text.split())
        for rule in rules
    }
    assert left == {rule.trigger: rule.expected for rule in rules}


@pytest.mark.parametrize("kind", KINDS)
def test_every_rule_is_triggered_by_its_example(kind):
    assert all(rule.trigger in f" {rule.example} " for rule in read_vocabulary(kind).rules)


@pytest.mark.parametrize("kind", KINDS)
def test_every_abnormality_is_found_in_its_example_with_all_that_it_names(kind):
    vocabulary = read_vocabulary(kind)
    matrix = Matrix(vocabulary, location_checks=False)
    for row in vocabulary.abnormalities:
        found = tuple(mention.abnormality for mention in matrix.read(f" {row.example} "))
        assert row.name in found
        assert found == row.expected


@pytest.mark.parametrize("kind", KINDS)
def test_every_location_is_found_in_its_example_with_all_that_it_names(kind):
    rows = read_vocabulary(kind).locations
    search = TermSearch(rows)
    for row in rows:
        found = search.mentioned(search.hits(f" {row.example} "))
        assert row.name in (names := tuple(rows[entry].name for entry in members(found)))
        assert names == row.expected


@pytest.mark.parametrize(("kind", "abnormalities"), [("ct", 83), ("cxr", 95)])
def test_the_tables_have_the_published_size(kind, abnormalities):
    vocabulary = read_vocabulary(kind)
    assert (len(vocabulary.abnormalities), len(vocabulary.locations)) == (abnormalities, 51)


BEHAVIOUR = {
    "Enlarged heart without pericardial effusion": ["cardiomegaly@heart"],
    "Right upper lobe nodule": ["nodule@right_upper+right_lung+lung+right"],
    "Left pneumonia": ["pneumonia@left_lung+lung"],
    "Aortic calcifications": ["calcification@aorta"],
    "Calcified granuloma in the apex of the left lung": [
        "calcification@left_lung+lung+left",
        "granuloma@left_lung+lung+left",
    ],
    "Catheter tip in SVC": ["catheter_or_port@svc"],
    "The lungs are clear": [],
    "Resolved consolidation": [],
    "Aortic valve replacement": ["heart_valve_replacement@heart+aortic_valve+aorta"],
    "Nodule in the right upper lobe and atelectasis in the left lower lobe": [
        "nodule@right_upper+right_lung+left_lower+left_lung+lung+right+left",
        "atelectasis@right_upper+right_lung+left_lower+left_lung+lung",
    ],
    "There is scarring": ["scarring@"],
    "Scarring of the lung. Scarring again": ["scarring@lung"],
    "Something about the pancreas": ["other_disease@pancreas"],
    "Opacity in the SVC": [],
    "Pacemaker in the adrenal gland": ["pacemaker_or_defib@heart"],
    "Bronchiectasis in the ventricle": ["bronchiectasis@lung+airways"],
}


@pytest.mark.parametrize(("text", "expected"), BEHAVIOUR.items())
def test_published_behaviour(text, expected):
    assert cells(text) == set().union(*map(at, expected))


def test_location_checks_can_be_left_out():
    assert ("opacity", "svc") in cells("Opacity in the SVC", checks=False)


def test_ambiguous_findings_of_chest_x_rays_can_be_dropped():
    text = "Opacity that may be pneumonia"
    assert {name for name, _ in cells(text, "cxr")} == {"opacity", "pneumonia"}
    assert {name for name, _ in cells(text, "cxr", ambiguous=False)} == {"opacity"}


@pytest.mark.parametrize(
    ("text", "big"),
    [
        ("1.5 cm nodule", True),
        ("nodule measuring 12 mm", True),
        ("nodule of 1.5 cm", False),
        ("1.2 x 0.9 cm nodule", False),
        ("1 cm nodule", False),
        ("small cm nodule", False),
        ("nodule", False),
    ],
)
def test_sizes_are_read_as_published(text, big):
    assert ("nodulegr1cm" in {name for name, _ in cells(text)}) == big


def test_nodal_tissue_has_a_size_even_where_no_node_is_named():
    assert ("lymphadenopathy", "") in cells("1.5 cm nodal tissue")


def test_a_line_ends_a_sentence_unless_the_text_is_wrapped():
    start = "There is a nodule of several millimetres, not changed from before, in the right"
    for end in ("\n", "\r\n"):
        assert ("nodule", "right_upper") in cells(f"{start}{end}upper lobe")
        assert ("nodule", "right_upper") not in cells(f"{start}{end}{end}upper lobe")
    assert ("nodule", "right_upper") not in cells(f"{start} lung\nUpper lobe")
    assert ("nodule", "heart") not in cells("right nodule\nheart size normal")


def test_an_indication_is_cut_up_and_its_past_diseases_become_present():
    text = "Indication: 65 year old, history of lung cancer, evaluate for pneumonia."
    assert {name for name, _ in cells(text)} == {"cancer"}


def test_evidence_is_the_words_of_the_text_as_it_was_given():
    text = "Small  ATELECTATIC area, no mass. Heart: no effusion and enlarged (CHF)."
    for found in PROFILES["ct", True, True].label("report", text):
        assert text[found.start : found.end] == found.text
        assert found.text in {"ATELECTATIC", "Heart: no effusion and enlarged"}


WORDS = sorted(
    {
        word
        for kind in KINDS
        for rows in (read_vocabulary(kind).abnormalities, read_vocabulary(kind).locations)
        for row in rows
        for word in (*row.any, *row.first, *row.second, *row.unless)
    }
    | {stop for kind in KINDS for rule in read_vocabulary(kind).rules for stop in rule.until}
    | {"1.5 cm", "9 mm", "12mm", "node", "nodal", "measuring", "XXXX", "the", "in", "left"}
)
RULES = {
    effect: [
        rule for kind in KINDS for rule in read_vocabulary(kind).rules if rule.effect == effect
    ]
    for effect in EFFECTS
}
TRIGGERS = sorted({rule.trigger for rules in RULES.values() for rule in rules})
PIECES = st.sampled_from(WORDS) | st.sampled_from(TRIGGERS)
SENTENCES = st.lists(st.lists(PIECES, min_size=1, max_size=8).map(" ".join), max_size=4)


@given(st.sampled_from(sorted(RULES)).flatmap(lambda e: st.sampled_from(RULES[e])), st.data())
@settings(max_examples=200, deadline=None)
def test_no_rule_rewrites_otherwise_than_its_slow_restatement(rule, data):
    words = [*[rule.trigger.strip()] * 3, *rule.until, *rule.saved_by, "node", "nonx", "x"]
    pieces = data.draw(st.lists(st.sampled_from(words), min_size=1, max_size=8))
    text = f" {' '.join(pieces)} "
    left = apply_rules(whole(text), [rule])
    assert left.text.split() == slow_sarle.rewrite(text, rule).split()
    letters = zip(left.at, left.text, strict=True)
    assert all(text[at] == letter for at, letter in letters if letter != " ")


@given(SENTENCES, st.sampled_from(sorted(PROFILES)))
@settings(max_examples=100, deadline=None)
def test_no_cell_differs_from_a_slow_restatement(lines, mode):
    kind, ambiguous, checks = mode
    expected = slow_sarle.cells(
        lines, read_vocabulary(kind), ambiguous=ambiguous, location_checks=checks
    )
    assert cells("\n\n".join(lines), kind, ambiguous=ambiguous, checks=checks) == expected


@given(st.text())
@settings(max_examples=100, deadline=None)
def test_any_text_gives_findings_whose_words_stand_in_it(text):
    for found in PROFILES["ct", True, True].label(
        "report", text + " mass İ right lung " + text
    ):
        assert (text + " mass İ right lung " + text)[found.start : found.end] == found.text


@pytest.mark.parametrize(("ambiguous", "checks"), [(False, False), (True, True)])
def test_real_chest_x_ray_reports_give_the_cells_of_the_slow_restatement(ambiguous, checks):
    vocabulary, reports = read_vocabulary("cxr"), defaultdict(list)
    with shared_data("reports", "openi", "openi_filename_section_sent.csv").open() as file:
        for row in csv.DictReader(file):
            reports[row["Filename"]].append(row["Sentence"])
    for lines in list(reports.values())[::40]:
        slow = slow_sarle.cells(lines, vocabulary, ambiguous=ambiguous, location_checks=checks)
        for text in ("\n".join(lines), ". ".join(lines) + "."):
            assert cells(text, "cxr", ambiguous=ambiguous, checks=checks) == slow
