"""Findings are as frequent as asked, and go together as their burdens say."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from hirescam.errors import HirescamError
from hirescam.simulation.findings.table import FINDINGS
from hirescam.simulation.occurrence import OCCURRENCE, draw_findings, with_prevalence

COUNT = 40_000


@pytest.fixture(scope="module")
def drawn():
    return draw_findings(COUNT, np.random.default_rng(0))


def test_every_finding_occurs_in_one_row():
    named = [label for row in OCCURRENCE for label in row.prevalence]
    assert sorted(named) == sorted(FINDINGS)
    assert all(sum(part**2 for part in row.loading.values()) < 1 for row in OCCURRENCE)


def test_prevalences_hit_their_targets(drawn):
    for row in OCCURRENCE:
        for label, share in row.prevalence.items():
            spread = np.sqrt(share * (1 - share) / COUNT)
            assert drawn[label].mean() == pytest.approx(share, abs=4.5 * spread), label


@pytest.mark.parametrize(
    ("one", "other", "correlation"),
    [
        ("lung_honeycombing", "lung_bronchiolectasis", 0.85 * 0.6),
        ("lung_emphysema", "lung_air_trapping", 0.85 * 0.3),
        ("lung_cyst", "lung_emphysema", 0.0),
    ],
)
def test_pairs_occur_as_often_as_the_bivariate_normal_says(drawn, one, other, correlation):
    cuts = [norm.ppf(drawn[label].mean()) for label in (one, other)]
    expected = multivariate_normal(cov=[[1, correlation], [correlation, 1]]).cdf(cuts)
    both = (drawn[one] & drawn[other]).mean()
    assert both == pytest.approx(expected, abs=5 * np.sqrt(expected / COUNT))


def test_without_co_occurrence_rows_are_independent():
    drawn = draw_findings(COUNT, np.random.default_rng(1), co_occurrence=0.0)
    one, other = drawn["lung_honeycombing"], drawn["lung_fibrosis"]
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.02


def test_findings_of_one_row_exclude_each_other(drawn):
    assert not (drawn["lung_cancer"] & drawn["lung_mass"]).any()


def test_prevalence_can_be_replaced_and_all_others_left_out():
    only = with_prevalence({"lung_nodule": 0.5}, only=True)
    drawn = draw_findings(4000, np.random.default_rng(2), rows=only)
    assert drawn["lung_nodule"].mean() == pytest.approx(0.5, abs=0.04)
    assert sum(has.any() for has in drawn.values()) == 1


@pytest.mark.parametrize(
    ("asked", "named"),
    [({"lung_lump": 0.1}, "lung_lump"), ({"lung_cancer": 0.7, "lung_mass": 0.6}, "at most")],
)
def test_prevalences_that_cannot_be_are_refused(asked, named):
    with pytest.raises(HirescamError, match=named):
        with_prevalence(asked)
