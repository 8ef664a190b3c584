"""Figures on a handful of chests: the way is walked, the numbers mean nothing."""

from importlib import import_module

import pytest

from hirescam.experiments.study import StudySize
from hirescam.experiments.tables import as_markdown

SCALE = StudySize(chests=7, epochs=1, seeds=(0,), further=1)  # at least one in each split
SHOWN = {"fig5": 1, "fig8": 1, "fig9": 1, "fig12": 2}  # the rest of each is more of the same
FIGURES = ("fig5", "fig8", "fig9", "fig10", "fig11", "fig12", "fig13", "fig14")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One study that all figures share, as they do below the --out of the command."""
    return tmp_path_factory.mktemp("figures")


@pytest.fixture
def draw(folder, monkeypatch):
    def drawn(name):
        module = import_module(f"hirescam.experiments.{name}")
        if name in SHOWN:
            monkeypatch.setattr(module, "SHOWN", SHOWN[name])
        return module.run(folder / "data", folder / "out", scale=SCALE)

    return drawn


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_has_numbers_behind_it_and_says_what_it_was_made_of(name, draw, folder):
    table = draw(name)
    assert table.name == name
    assert table.rows
    assert any("7 simulated chests" in note for note in table.notes)
    drawn = any(f"{name}.pdf" in note for note in table.notes)
    assert (folder / "out" / f"{name}.pdf").exists() == drawn
    assert (folder / "out" / f"{name}.png").exists() == drawn


def test_each_step_of_the_published_segmentation_leaves_less_than_the_one_before(draw):
    *steps, ours = draw("fig8").rows
    volumes = [float(row["volume_ml"].replace(",", "")) for row in steps]
    assert steps[0]["step"] == "threshold"
    assert volumes == sorted(volumes, reverse=True)
    assert ours["step"].startswith("ours")


def test_our_segmentation_finds_the_known_organs_of_simulated_chests(draw):
    ours, published = draw("fig9").rows
    assert ours["failed"] == 0
    assert min(ours[f"dice_{organ}"] for organ in ("right_lung", "left_lung")) > 0.9
    assert published["failed_paper"] == 0.04


def test_slice_scores_are_of_every_test_scan(draw):
    counts = {row["present"] + row["absent"] for row in draw("fig13").rows}
    assert len(counts) == 1


def test_what_was_trained_is_found_again(draw, folder):
    first = as_markdown(draw("fig10"))
    kept = {path: path.stat().st_mtime_ns for path in (folder / "out" / "runs").rglob("*.*")}
    assert any(path.name == "epoch-1-test.npz" for path in kept)
    assert as_markdown(draw("fig10")) == first
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
