"""Flaws of a vocabulary: each kind is found where it is planted, and not where it is not."""

from pathlib import Path

import pytest

from hirescam.errors import HirescamError
from hirescam.reports.lint import check_vocabulary, flaws
from hirescam.reports.profile import VocabularyRow


def row(name, *terms, given=("x",), expected=("x",), **more):
    return VocabularyRow("abnormalities", name, terms, "an example", expected, given, **more)


def kinds(*rows):
    return {(flaw.kind, flaw.row) for flaw in flaws(rows)}


def test_rows_without_flaws_have_none():
    assert kinds(row("nodule", "nodul"), row("mass", "mass", "lump")) == set()


def test_an_example_that_gives_something_else_is_an_error():
    (flaw,) = flaws([row("mass", "mass", given=("nodule",), expected=("mass", "nodule"))])
    assert flaw.is_error
    assert flaw.sentence == "'an example' gives nodule, expected mass, nodule"


def test_a_swapped_letter_is_a_misspelling_of_the_word_that_others_use():
    right = [row(name, f"tricuspid {name}") for name in ("valve", "ring")]
    assert kinds(*right, row("replaced", "tricupsid")) == {("misspelt", "replaced")}


def test_a_word_in_another_form_is_no_misspelling():
    right = [row(name, f"calcified {name}") for name in ("node", "plaque")]
    assert kinds(*right, row("calcification", "calcification")) == set()


def test_a_term_of_two_rows_overlaps():
    (flaw,) = flaws([row("fibrosis", "fibrosis"), row("ild", "uip", "fibrosis")])
    assert (flaw.kind, flaw.sentence) == ("overlapping", "shares 'fibrosis' with 'ild'")


@pytest.mark.parametrize("profile", ["sarle-2020", "sarle-2020-cxr"])
def test_every_example_of_the_published_vocabulary_holds(profile):
    checked = check_vocabulary(profile)
    assert checked.rows == {"sarle-2020": 187, "sarle-2020-cxr": 187}[profile]
    assert not [flaw for flaw in checked.flaws if flaw.is_error]


@pytest.mark.parametrize(
    ("kind", "name", "sentence"),
    [
        ("misspelt", "heart_valve_replacement", "'tricupsid' looks like 'tricuspid'"),
        ("unreachable", "pleural_effusion", "'pleural effusion' adds nothing to 'effusion'"),
        (
            "unreachable",
            "was performed from the lower neck to the adrenal glands",
            "'was performed' takes it away before",
        ),
        ("unreachable", "heart", "'aortic_prosthe' has a capital or a sign"),
        ("overlapping", "interstitial_lung_disease", "shares 'fibrosis' with 'fibrosis'"),
    ],
)
def test_the_defects_of_the_published_vocabulary_are_found(kind, name, sentence):
    found = check_vocabulary("sarle-2020").flaws
    assert any(
        (flaw.kind, flaw.row) == (kind, name) and flaw.sentence.startswith(sentence)
        for flaw in found
    )


def test_a_site_learns_that_its_example_fails(tmp_path):
    (tmp_path / "ours.toml").write_text(
        """
        [[abnormalities]]
        name = "lump"
        system = "generic"
        any = ["lump"]
        example = "a bump"
        expected = ["lump"]
        """
    )
    (error,) = (
        flaw for flaw in check_vocabulary("sarle-2020", tmp_path).flaws if flaw.is_error
    )
    assert (error.row, error.sentence) == ("lump", "'a bump' gives nothing, expected lump")


def test_a_folder_that_is_none_is_named():
    with pytest.raises(HirescamError, match="nowhere is no folder"):
        check_vocabulary("sarle-2020", Path("nowhere"))
