"""The demo, in small: what it trains, says and leaves."""

import json

import nibabel as nib
import numpy as np

from hirescam.experiments.demo import HeldOut, run_demo
from hirescam.models.files import load_model
from hirescam.simulation.chest import SIMULATED_LABELS, simulate


def test_the_packaged_model_meets_what_it_has_learnt(tmp_path):
    demo = run_demo(tmp_path / "out", held_out=6, shown=1, workers=2)
    measured, (page,) = demo.measured, demo.reports
    assert measured.labels == SIMULATED_LABELS
    assert np.isnan(measured.hits).tolist() == (~measured.truth).tolist()
    assert np.nanmean(measured.hits) > 0.7
    told = json.loads((page.parent / "summary.json").read_text())
    first = told["findings"][0]
    assert first["label"] in simulate(measured.best(1)[0], spacing_mm=(6.0, 6.0, 6.0)).masks
    outlined = nib.load(page.parent / first["files"]["lesion"])
    assert np.asanyarray(outlined.dataobj).any(), "the lesion's place is kept beside the map"
    assert "A pink line" in page.read_text(encoding="utf-8")


def test_a_report_opens_on_a_finding_that_is_learnt_and_met():
    truth = np.array([[1, 0], [1, 1], [0, 0], [0, 1], [1, 0]], bool)
    scores = np.array([[5.0, 6.0], [4.0, 9.0], [-5.0, -4.0], [-3.0, 7.0], [6.0, -9.0]])
    hits = np.where(truth, 1.0, np.nan)
    hits[3, 1] = 0.0
    held_out = HeldOut((0, 1, 2, 3, 4), ("a", "b"), truth, scores, hits)
    assert held_out.best(5) == [1, 4, 0, 2, 3], "1 meets two; 0 and 3 open on what is not met"
    assert np.isnan(HeldOut((0,), ("a", "b"), truth[:1], scores[:1], hits[:1]).aurocs()["a"])


def test_training_leaves_a_model_and_pages_with_organs_and_words(tmp_path, monkeypatch):
    monkeypatch.setenv("HIRESCAM_HOME", str(tmp_path / "home"))
    demo = run_demo(
        tmp_path / "out", train=True, training=2, held_out=3, shown=1, epochs=1, workers=1
    )
    assert load_model(tmp_path / "home/demo.model").labels == SIMULATED_LABELS
    (page,) = demo.reports
    told = json.loads((page.parent / "summary.json").read_text())
    assert set(told["organs"]["masks"]) == {"right_lung", "left_lung", "mediastinum"}
    assert "In the report" in page.read_text(encoding="utf-8")
    assert "only ever seen simulated chests" in page.read_text(encoding="utf-8")
