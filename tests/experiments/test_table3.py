"""Table 3: networks that end as published ones do get the verdicts that theory gives them."""

import pytest

from hirescam.experiments import table3
from hirescam.experiments.table3 import FAMILIES
from hirescam.methods import Kind

EXPECTED = {
    "VGG-16": Kind.NONE,
    "ResNet-50": Kind.CAM,
    "Inception-v3": Kind.CAM,
    "Inception-ResNet-v2": Kind.CAM,
    "own CNN, pooled": Kind.CAM,
    "own CNN, pooled; an earlier layer": Kind.NONE,
    "own CNN, more than one FC layer": Kind.NONE,
    "own CNN, 3 FC layers": Kind.NONE,
    "AlexNet variant, 2 FC layers": Kind.NONE,
    "one FC layer on all places": Kind.AFFINE,
}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_audit_says_of_each_kind_of_network_what_the_theory_says(name):
    assert {table3.audited(FAMILIES[name], seed).kind for seed in range(3)} == {EXPECTED[name]}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    nowhere = tmp_path_factory.mktemp("table3")
    return table3.run(nowhere, nowhere, scale=table3.QUICK)


def test_table_3_has_the_papers_eleven_studies_and_agrees_with_each(table):
    numbers = {study.number for study in table3.STUDIES if study.number}
    assert len(numbers) == 11
    assert sum(study.shown != "none" for study in table3.STUDIES if study.number) == 4
    for study in table3.STUDIES:
        rows = [row for row in table.rows if row["study"].startswith(study.title)]
        assert [row["network"] for row in rows] == list(study.networks)
        could_mislead = any(row["verdict"].startswith(Kind.NONE) for row in rows)
        assert could_mislead == study.risk.startswith("Yes"), study.title


def test_a_row_that_is_not_guaranteed_names_what_breaks_it(table):
    for row in table.rows:
        assert bool(row["what_breaks_it"]) == row["verdict"].startswith(Kind.NONE)
