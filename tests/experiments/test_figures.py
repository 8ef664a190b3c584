"""Figures on a handful of chests: the way is walked, the numbers mean nothing."""

import csv
from importlib import import_module

import pytest

from hirescam.experiments.study import Scale
from hirescam.experiments.tables import as_markdown

SCALE = Scale(chests=7, epochs=1, seeds=(0,))  # at least one in each split
FIGURES = ("fig5", "fig8", "fig9", "fig10", "fig11", "fig12", "fig13")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One study that all figures share, as the command's --out does."""
    return tmp_path_factory.mktemp("figures")


def draw(name, folder, scale=SCALE):
    return import_module(f"hirescam.experiments.{name}").run(
        folder / "data", folder / "out", scale=scale
    )


@pytest.mark.parametrize("name", FIGURES)
def test_each_figure_has_numbers_behind_it_and_says_what_it_was_made_of(name, folder):
    table = draw(name, folder)
    assert table.name == name
    assert table.rows
    assert any("simulated chests" in note for note in table.notes)
    drawn = any(f"{name}.pdf" in note for note in table.notes)
    assert (folder / "out" / f"{name}.pdf").exists() == drawn
    assert (folder / "out" / f"{name}.png").exists() == drawn
