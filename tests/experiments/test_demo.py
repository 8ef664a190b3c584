"""The demo, in small: what it trains, says and leaves."""

import json

from hirescam.experiments.demo import run_demo
from hirescam.models.files import load_model
from hirescam.simulation.chest import SIMULATED_LABELS


def test_the_demo_leaves_a_model_and_pages_with_organs_and_words(tmp_path, monkeypatch):
    monkeypatch.setenv("HIRESCAM_HOME", str(tmp_path / "home"))
    demo = run_demo(tmp_path / "out", training=2, held_out=3, shown=1, epochs=1, workers=1)
    assert tuple(demo.aurocs) == SIMULATED_LABELS
    assert load_model(tmp_path / "home/demo.model").labels == SIMULATED_LABELS
    (page,) = demo.reports
    told = json.loads((page.parent / "summary.json").read_text())
    assert set(told["organs"]["masks"]) == {"right_lung", "left_lung", "mediastinum"}
    assert "In the report" in page.read_text(encoding="utf-8")
    assert "only ever seen simulated chests" in page.read_text(encoding="utf-8")
