"""Table 6 on a handful of chests: masks of several kinds, beside the paper's numbers."""

import pytest

from hirescam.evaluation.references import REFERENCES
from hirescam.experiments import table6
from hirescam.experiments.runs import DONE, MASK
from hirescam.models.files import load_model
from hirescam.training.config import TrainConfig
from hirescam.training.run_folder import BEST

CHESTS = 7  # at least one in each split


SOME = {kind: table6.PAPER[kind] for kind in (("nearest", True), ("centre", False))}


@pytest.fixture(scope="module")
def tabled(chests, tmp_path_factory):
    """Two of the eight rows: the others only take as long again."""
    folder = tmp_path_factory.mktemp("table6")
    scale = table6.StudySize(chests=CHESTS, epochs=1, seeds=(0,), further=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table6, "PAPER", SOME)
        return folder, table6.run(chests, folder, scale=scale)


def test_table_6_has_kinds_of_masks_beside_the_papers_numbers(tabled):
    rows = tabled[1].rows
    assert [(row["down-sampling"], row["dilated"]) for row in rows[:2]] == [
        ("nearest", "yes"),
        ("centre", "no"),
    ]
    assert [row["paper_median_auroc"] for row in rows[:2]] == [0.654, "n/a"]
    assert [row["down-sampling"] for row in rows[2:]] == [f"({name})" for name in REFERENCES]
    assert all(0 <= row["organ_iou"] <= 1 for row in rows)


def test_organs_are_found_once_for_all_kinds_of_masks(tabled, chests):
    scans = list(chests.rglob("cache/organs/*.nii.gz"))
    assert 0 < len(scans) <= CHESTS


def test_each_network_was_trained_on_its_own_kind_of_masks(tabled):
    runs = {path.parent for path in tabled[0].rglob(DONE)} - set(tabled[0].rglob("*-class-0-*"))
    configs = [TrainConfig.read(run / "config.json") for run in runs]
    assert {(each.downsampling, each.dilated) for each in configs} == set(SOME)
    weights = {load_model(run / BEST).sha256 for run in runs}
    assert len(weights) == len(SOME)


def test_the_run_that_table_2_makes_too_has_its_name():
    assert table6.aim("centre", False) == MASK
    assert MASK.run_name(1) == "AxialNet-published-1"
    dilated = table6.aim("centre", True).run_name(1)
    assert dilated == "AxialNet-published-centre-dilated-1"
    assert table6.aim("nearest", False).run_name(1) == "AxialNet-published-nearest-1"
