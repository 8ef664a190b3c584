"""Evidence of many scans: sums of what was explained, alarms where they should be."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import hirescam
from hirescam.errors import ReadError
from hirescam.evaluation.evidence import Evidence, label_table, outlier_table, read_evidence
from hirescam.figures.evidence_page import write_evidence
from hirescam.models.files import new_model
from make_cases import LABELS, PREPARATION, chest, organs

PLACES = ("right_lung", "left_lung", "mediastinum", "rest_of_body", "outside_body")
SCANS = 40


@pytest.fixture(scope="module")
def explained(tmp_path_factory):
    """Three small scans, explained with organs."""
    folder = tmp_path_factory.mktemp("explained")
    model = new_model(
        name="tiny",
        labels=LABELS,
        preparation=hirescam.Preparation(**PREPARATION),
        arguments={"widths": (4, 8), "blocks": (1, 1), "neck": (4,)},
        trained_on="nothing",
    )
    for number in range(3):
        found = hirescam.explain(model, chest(number, (1, 0)), any_values=True)
        out = folder / "cases" / f"scan-{number}"
        hirescam.write_summary(found, out, organs=organs(), pages=False)
    return folder


def evidence(*rows):
    """Evidence of labels whose shares in each place are `rows`, in scans that vary a little."""
    random = np.random.default_rng(0)
    labels = ("heart_cabg", "lung_mass", "lung_nodule", "thing")[: len(rows)]
    raised = np.array(rows) * random.uniform(1, 3, (SCANS, len(rows), 1))
    raised *= random.uniform(0.97, 1.03, raised.shape)
    return Evidence(
        model="any",
        scans=tuple(f"scan-{number}" for number in range(SCANS)),
        labels=labels,
        places=PLACES,
        probabilities=np.full((SCANS, len(labels)), 0.5, np.float32),
        raised=raised.astype(np.float32),
        volume=np.tile([0.2, 0.2, 0.2, 0.25, 0.15], (SCANS, 1)).astype(np.float32),
        slice_scores=random.normal(size=(len(labels), 9)),
    )


IN_THE_LUNGS = (0.4, 0.4, 0.1, 0.1, 0.0)
AT_A_MARKER = (0.1, 0.1, 0.1, 0.1, 0.6)
IN_THE_HEART = (0.1, 0.1, 0.7, 0.1, 0.0)


def test_what_is_read_is_what_was_written(explained):
    found = read_evidence(explained)
    assert found.scans == ("cases/scan-0", "cases/scan-1", "cases/scan-2")
    assert found.labels == tuple(sorted(LABELS))
    assert found.model == "tiny"
    scores = []
    for row, scan in enumerate(found.scans):
        summary = json.loads((explained / scan / "summary.json").read_text())
        assert list(summary["organs"]["map_volume"].values()) == pytest.approx(
            found.volume[row], abs=1e-6
        )
        for finding in summary["findings"]:
            column = found.labels.index(finding["label"])
            assert found.probabilities[row, column] == pytest.approx(finding["probability"])
            total = found.raised[row, column].sum()
            assert total == pytest.approx(finding["positive_evidence"], rel=1e-5, abs=1e-6)
            if column == 0:
                scores.append(finding["slice_scores"])
    np.testing.assert_allclose(found.slice_scores[0], np.mean(scores, axis=0))


def test_a_label_seen_outside_its_organs_alarms_and_one_seen_inside_does_not():
    rows = label_table(evidence(IN_THE_HEART, AT_A_MARKER, IN_THE_LUNGS))
    alarms = {row["label"]: row["alarm"] for row in rows}
    assert rows[0]["label"] == "lung_mass"
    assert "most of its evidence lies outside its organs (80%)" in alarms["lung_mass"]
    assert "60% of it lies outside the body" in alarms["lung_mass"]
    assert alarms["heart_cabg"] == alarms["lung_nodule"] == ""


def test_the_right_organ_is_the_label_s_own():
    (row,) = label_table(evidence(IN_THE_LUNGS))
    assert row["label"] == "heart_cabg"
    assert row["in_its_organs"] == pytest.approx(0.1, abs=0.01)
    assert row["in_its_organs_low"] <= row["in_its_organs"] <= row["in_its_organs_high"]
    assert row["evenly_spread"] == pytest.approx(0.2)
    assert "less of it than of the map's volume" in row["alarm"]


def test_scans_count_by_their_evidence():
    """One scan with nearly all of it decides the share."""
    both = evidence(IN_THE_LUNGS, IN_THE_LUNGS)
    both.raised[0, 1] = np.array(AT_A_MARKER) * 1e5
    rows = {row["label"]: row for row in label_table(both)}
    assert rows["lung_mass"]["outside_body"] == pytest.approx(0.6, abs=0.01)
    assert rows["lung_mass"]["in_its_organs_high"] > 0.7  # it may not be among those drawn


def test_a_label_of_unknown_place_or_without_evidence_has_no_alarm():
    rows = label_table(evidence(IN_THE_HEART, (0, 0, 0, 0, 0), IN_THE_LUNGS, IN_THE_LUNGS))
    table = {row["label"]: row for row in rows}
    assert table["thing"]["alarm"] == table["lung_mass"]["alarm"] == ""
    assert np.isnan(table["thing"]["in_its_organs"])


def test_the_scan_that_is_unlike_the_others_is_found():
    usual = evidence(IN_THE_HEART, IN_THE_LUNGS)
    assert outlier_table(usual) == []
    usual.raised[7, 1] = np.array(AT_A_MARKER) * 9
    (odd,) = outlier_table(usual)
    assert (odd["scan"], odd["label"]) == ("scan-7", "lung_mass")
    assert odd["in_its_organs"] < 0.3 < odd["usual"]
    faint = replace(usual, raised=usual.raised.copy())
    faint.raised[7, 1] /= 1000
    assert outlier_table(faint) == []


def mixed(*shares):
    """One lung label, whose scans are of several kinds in turn, all with equal evidence."""
    made = evidence(IN_THE_HEART, IN_THE_LUNGS)
    kinds = np.array(shares, np.float32)
    made.raised[:, 1] = kinds[np.arange(SCANS) % len(kinds)]
    return made


def lung_mass(made):
    return next(row for row in label_table(made) if row["label"] == "lung_mass")


def test_an_alarm_needs_the_whole_interval_below_a_half():
    """0.48 in its organs on average, the interval reaches over 0.5: chance explains it."""
    row = lung_mass(mixed((0.46, 0.46, 0.04, 0.04, 0.0), (0.02, 0.02, 0.48, 0.48, 0.0)))
    assert row["in_its_organs_low"] < row["in_its_organs"] < 0.5 < row["in_its_organs_high"]
    assert "most of its evidence" not in row["alarm"]


def test_an_alarm_needs_the_whole_interval_outside_the_body():
    """0.2 outside the body on average, of 0.15 of the volume, from a few scans alone."""
    inside, marked = (0.5, 0.5, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0, 1.0)
    row = lung_mass(mixed(inside, inside, inside, inside, marked))
    assert row["outside_body"] == pytest.approx(0.2)
    assert "outside the body" not in row["alarm"]
    more = lung_mass(mixed(inside, marked))
    assert "50% of it lies outside the body" in more["alarm"]


@pytest.mark.parametrize(("share", "is_odd"), [(0.5625, False), (0.46875, True), (0.25, True)])
def test_an_outlier_lies_over_three_and_a_half_robust_deviations_away(share, is_odd):
    """The others have 0.75 or 0.875: a median of 0.8125, deviations of 0.0625."""
    made = mixed((0.375, 0.375, 0.25, 0, 0), (0.4375, 0.4375, 0.125, 0, 0))
    made.raised[0, 1] = (share, share, 2 * (1 - share), 0, 0)  # twice the evidence
    shares = made.raised[:, 1, :2].sum(axis=1) / made.raised[:, 1].sum(axis=1)
    usual = np.median(shares)
    robust = abs(share - usual) / (np.median(np.abs(shares - usual)) / 0.6745)
    odd = [row["scan"] for row in outlier_table(made) if row["label"] == "lung_mass"]
    assert (odd == ["scan-0"]) == (robust > 3.5) == is_odd


def test_the_page_stands_alone_and_says_what_the_tables_say(explained, tmp_path):
    marked = evidence(IN_THE_HEART, AT_A_MARKER)
    out = write_evidence(marked, tmp_path / "evidence", draws=50)
    page = (out / "evidence.html").read_text()
    told = json.loads((out / "evidence.json").read_text())
    assert list(told["alarms"]) == ["lung_mass"]
    assert told["alarms"]["lung_mass"].split(";")[0] in page
    assert "<script" not in page
    assert "src=" not in page.replace('src="data:', "")
    assert (out / "labels.csv").read_text().count("\n") == 3
    write_evidence(read_evidence(explained), tmp_path / "real", draws=50)


def test_scans_with_an_organ_in_doubt_are_told_or_left_out(explained, tmp_path):
    def doubt(folder, scan):
        path = folder / "cases" / scan / "summary.json"
        summary = json.loads(path.read_text())
        summary["organs"]["masks"]["left_lung"] |= {"trusted": False, "reasons": ["why not"]}
        path.write_text(json.dumps(summary))

    folder = tmp_path / "some"
    shutil.copytree(explained, folder)
    for path in folder.rglob("summary.json"):  # masks of small scans are all in doubt
        summary = json.loads(path.read_text())
        for mask in summary["organs"]["masks"].values():
            mask |= {"trusted": True, "reasons": []}
        path.write_text(json.dumps(summary))
    assert read_evidence(folder).note is None
    doubt(folder, "scan-1")
    told = read_evidence(folder)
    assert told.doubted == ("cases/scan-1",)
    assert told.note.startswith("In 1 of 3 scans the mask of an organ is not trusted")
    kept = read_evidence(folder, require_trusted=True)
    assert kept.scans == ("cases/scan-0", "cases/scan-2")
    assert kept.note.startswith("1 of 3 scans were left out")
    np.testing.assert_array_equal(kept.raised, told.raised[[0, 2]])
    page = write_evidence(kept, tmp_path / "page", draws=20) / "evidence.html"
    assert kept.note in page.read_text()
    assert json.loads((page.parent / "evidence.json").read_text())["left_out"] == [
        "cases/scan-1"
    ]
    for scan in ("scan-0", "scan-2"):
        doubt(folder, scan)
    with pytest.raises(ReadError, match="in none of the 3 scans"):
        read_evidence(folder, require_trusted=True)


def test_what_cannot_be_added_up_is_refused(explained, tmp_path):
    with pytest.raises(ReadError, match=r"no summary\.json lies below"):
        read_evidence(tmp_path)
    shutil.copytree(explained, tmp_path / "other")
    path = tmp_path / "other" / "cases" / "scan-1" / "summary.json"
    whole = json.loads(path.read_text())
    changes = {
        "other models": whole | {"provenance": whole["provenance"] | {"model_sha256": "0"}},
        "without organs": whole | {"organs": None},
        "no summary of this version": {},
    }
    for refusal, summary in changes.items():
        path.write_text(json.dumps(summary))
        with pytest.raises(ReadError, match=refusal):
            read_evidence(tmp_path / "other")
