"""Table 1 on a handful of chests: every network is trained, judged and put beside the paper."""

import numpy as np
import pytest

from hirescam.evaluation.references import REFERENCES
from hirescam.experiments import table1

CHESTS = 7  # at least one in each split


@pytest.fixture(scope="module")
def tabled(chests, tmp_path_factory):
    scale = table1.StudySize(chests=CHESTS, epochs=1, seeds=(0,))
    return table1.run(chests, tmp_path_factory.mktemp("table1"), scale=scale)


def test_table_1_has_the_papers_rows_beside_the_papers_numbers(tabled):
    rows = tabled.rows
    networks, references = rows[: len(table1.PAPER)], rows[len(table1.PAPER) :]
    assert [row["network"] for row in networks] == list(table1.PAPER)
    assert [row["network"] for row in references] == [f"({name})" for name in REFERENCES]
    assert len({tuple(row) for row in rows}) == 1
    for row in networks:
        auroc, gradcam, hirescam = table1.PAPER[row["network"]]
        assert row["paper_median_auroc"] == auroc
        assert row["paper_gradcam_organ_iou"] == ("n/a" if gradcam is None else gradcam)
        assert row["paper_hirescam_organ_iou"] == ("n/a" if hirescam is None else hirescam)


def test_ct_net_has_no_organ_iou_and_a_note_says_why(tabled):
    ct_net = tabled.rows[0]
    assert (ct_net["gradcam_organ_iou"], ct_net["hirescam_organ_iou"]) == ("n/a", "n/a")
    assert "no value has a place in the body" in " ".join(tabled.notes)
    assert all(0 <= row["hirescam_organ_iou"] <= 1 for row in tabled.rows[1:])


def test_each_row_says_what_its_maps_are_worth(tabled):
    verdicts = {row["network"]: row["maps"] for row in tabled.rows}
    exact = {name for name, verdict in verdicts.items() if verdict.startswith("exact")}
    assert exact == {
        "BodyCAM",
        "AxialNet",
        "AxialNet NoCustomConv",
        "AxialNet RandInitResNet",
    }


def test_both_maps_of_body_cam_look_at_the_same_places(tabled):
    row = next(row for row in tabled.rows if row["network"] == "BodyCAM")
    assert row["gradcam_organ_iou"] == pytest.approx(row["hirescam_organ_iou"], abs=1e-6)


def test_without_imagenet_weights_the_notes_say_so(tabled):
    assert "No network began from ImageNet weights" in " ".join(tabled.notes)


def test_rows_say_what_they_gain_over_the_atlas_and_which_network_learnt_nothing(tabled):
    networks = tabled.rows[: len(table1.PAPER)]
    atlas = next(row for row in tabled.rows if row["network"] == "(atlas)")
    for row in networks[1:]:
        assert row["gain_over_atlas_low"] <= row["gain_over_atlas"] or np.isnan(
            row["gain_over_atlas_low"]
        )
    assert networks[-1]["gain_over_atlas"] == pytest.approx(
        networks[-1]["hirescam_organ_iou"] - atlas["hirescam_organ_iou"], abs=1e-5
    )
    assert {row["learnt"] for row in networks} <= {"yes", "no", "unknown"}
    assert any("learnt" in note.lower() for note in tabled.notes)
