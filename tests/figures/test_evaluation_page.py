"""An evaluation's folder holds its tables and one page."""

import csv
import json

import numpy as np
import pytest

from hirescam.errors import WriteError
from hirescam.evaluation.localisation import chosen_thresholds
from hirescam.evaluation.outcomes import METHODS, Outcomes, load_outcomes
from hirescam.figures.evaluation_page import write_evaluation
from hirescam.metrics.organ_iou import THRESHOLDS

LABELS = ("heart_cardiomegaly", "lung_<nodule>", "lung_mass")
SCANS = 30


@pytest.fixture(scope="module")
def outcomes():
    random = np.random.default_rng(0)
    truth = (random.random((SCANS, 3)) < 0.5).astype(np.float32)
    truth[:, 2] = 0
    shape = (SCANS, len(METHODS), 3)
    absent = np.broadcast_to((truth == 0)[:, None], shape)
    ious = random.random((*shape, len(THRESHOLDS))).astype(np.float32)
    evidence = random.random((*shape, 2)).astype(np.float32)
    ious[absent], evidence[absent] = np.nan, np.nan
    return Outcomes(
        scans=tuple(f"scan-{n}" for n in range(SCANS)),
        labels=LABELS,
        truth=truth,
        logits=random.normal(size=(SCANS, 3)).astype(np.float32),
        slice_scores=random.normal(size=(SCANS, 3, 4)).astype(np.float32),
        organ_ious=ious,
        evidence=evidence,
        outside=evidence / 2,
    )


@pytest.fixture(scope="module")
def folder(outcomes, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluation") / "evaluated"
    return write_evaluation(outcomes, out, title="Chests & more", notes=["a <note>"], draws=20)


def test_every_table_is_a_csv_with_its_rows(folder):
    with (folder / "classification.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == list(LABELS)
    assert 0 <= float(rows[0]["auroc"]) <= 1
    assert rows[2]["auroc"] == ""  # undefined, not zero
    assert {path.stem for path in folder.glob("*.csv")} == {
        "classification",
        "localisation",
        "evidence",
        "slices",
    }


def test_the_json_is_json_without_nan(folder):
    text = (folder / "evaluation.json").read_text()
    found = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert found["tables"]["classification"][2]["auroc"] is None
    assert found["scans"] == SCANS


def test_the_page_needs_no_other_file_and_escapes_names(folder):
    page = (folder / "evaluation.html").read_text()
    assert "lung_&lt;nodule&gt;" in page
    assert "a &lt;note&gt;" in page
    assert "<nodule>" not in page
    assert page.count("<svg") == 3
    assert "src=" not in page
    assert "says nothing about which explanation method is right" in page


def test_the_page_says_where_thresholds_were_chosen(folder, outcomes, tmp_path):
    assert "chosen on the scans" in (folder / "evaluation.html").read_text()
    other = write_evaluation(
        outcomes, tmp_path / "other", thresholds=chosen_thresholds(outcomes), draws=5
    )
    assert "chosen on the scans" not in (other / "evaluation.html").read_text()


def test_tables_can_be_made_again_from_the_folder(folder, outcomes):
    back = load_outcomes(folder / "outcomes.npz")
    np.testing.assert_array_equal(back.logits, outcomes.logits)


def test_an_older_evaluation_is_kept_unless_it_may_be_replaced(folder, outcomes):
    with pytest.raises(WriteError):
        write_evaluation(outcomes, folder, draws=5)
    write_evaluation(outcomes, folder, draws=5, overwrite=True)
