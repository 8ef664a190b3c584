"""Findings and places of sentences written for this test: 80 labels, all organs, both sides."""

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from hirescam.anatomy import ABNORMALITIES

SENTENCES = tomllib.loads(
    (Path(__file__).parent.parent / "data" / "ct_locations.toml").read_text(encoding="utf-8")
)["sentence"]
DIRECTIONS = {"right", "left", "anterior", "posterior", "superior", "inferior"} | {
    "medial",
    "lateral",
}


@pytest.fixture(scope="module")
def names():
    """The abnormalities that the sentences were written for."""
    lung, heart = set(ABNORMALITIES["lung"]), set(ABNORMALITIES["heart"])
    said = {row.split(" @ ")[0].split()[1] for one in SENTENCES for row in one["expected"]}
    return lung | heart | said


def with_containers(locations, within):
    found = list(locations)
    for name in found:
        found += [outer for outer in within.get(name, ()) if outer not in found]
    return found or [""]


def expected(sentence, within):
    triples = set()
    for row in sentence["expected"]:
        said, _, at = row.partition(" @ ")
        status, name = said.split()
        triples |= {(status, name, place) for place in with_containers(at.split(), within)}
    return triples


def without_directions(triples):
    """ "Right" adds nothing to a finding in the right lung."""
    in_lung = {triple[:2] for triple in triples if triple[2] == "lung"}
    return {t for t in triples if not (t[:2] in in_lung and t[2] in DIRECTIONS)}


@pytest.fixture(scope="module")
def compared(profile, names):
    """(sentence, expected triples, triples found) of every sentence."""
    within = profile.vocabulary.within
    return [
        (
            one["text"],
            without_directions(expected(one, within)),
            without_directions(
                {
                    (finding.status.value, finding.abnormality, finding.location)
                    for finding in profile.label("report", one["text"])
                    if finding.abnormality in names
                }
            ),
        )
        for one in SENTENCES
    ]


def test_the_exact_triples_reach_an_f_of_97_percent(compared):
    hits, extra, missed = (
        sum(map(len, each))
        for each in zip(*((b & c, c - b, b - c) for _, b, c in compared), strict=True)
    )
    assert 2 * hits / (2 * hits + extra + missed) >= 0.97


def test_99_of_100_sentences_are_read_exactly(compared):
    differ = [text for text, want, got in compared if want != got]
    assert len(differ) <= len(compared) / 100, differ


def test_every_one_of_the_80_labels_has_a_sentence():
    lies_in = {
        "great_vessel": {"aorta", "svc", "ivc", "pulmonary_artery", "pulmonary_vein"},
        "mediastinum": {"mediastinum", "hilum"},
        "heart": {"heart", "mitral_valve", "aortic_valve"},
    }
    present = Counter()
    for one in SENTENCES:
        for row in one["expected"]:
            said, _, at = row.partition(" @ ")
            status, name = said.split()
            for organ, inner in lies_in.items():
                present[organ, name] += status == "present" and bool(inner & set(at.split()))
            present["lung", name] += status == "present" and any(
                place == "lung" or place.startswith(("right_", "left_")) for place in at.split()
            )
    missing = [
        (organ, name)
        for organ, names in ABNORMALITIES.items()
        for name in names
        if not present[organ, name]
    ]
    assert not missing
