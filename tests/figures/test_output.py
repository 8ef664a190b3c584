"""A figure for print comes whole, in two formats, in one style."""

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.figure import Figure

from hirescam.figures.charts import PLACE_COLOURS, place_bar
from hirescam.figures.output import headed, printed, readable


def drawn(path):
    with printed(path, width_mm=40, height_mm=30) as figure:
        figure.subplots().plot([0, 1], label="a")
    return [path.with_name(f"{path.name}.{kind}") for kind in ("pdf", "png")]


def test_the_same_drawing_gives_the_same_bytes(tmp_path):
    one, other = (drawn(tmp_path / name) for name in ("one", "other"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_a_figure_has_the_size_in_print_that_was_asked_for(tmp_path):
    _, png = drawn(tmp_path / "one")
    header = png.read_bytes()[16:24]
    width, height = np.frombuffer(header, ">u4")
    assert (width, height) == pytest.approx((40 / 25.4 * 400, 30 / 25.4 * 400), abs=1)


def test_a_figure_that_cannot_be_drawn_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), printed(tmp_path / "one", width_mm=9, height_mm=9):
        1 / 0  # noqa: B018
    assert not list(tmp_path.iterdir())


def test_the_style_of_everyone_else_stays_as_it_was(tmp_path):
    before = dict(rcParams)
    drawn(tmp_path / "one")
    assert dict(rcParams) == before


def test_a_place_bar_shows_the_whole_evidence_in_order():
    axes = Figure().subplots()
    shares = dict(zip(PLACE_COLOURS, (0.5, 0.05, 0.25, 0.1, 0.06, 0.04), strict=True))
    place_bar(axes, shares)
    lefts = [bar.get_x() for bar in axes.patches]
    assert lefts == pytest.approx([0, 0.5, 0.55, 0.8, 0.9, 0.96])
    assert [text.get_text() for text in axes.texts] == ["50 %", "25 %"]


def test_panels_have_letters_and_labels_have_words():
    assert headed(1, readable("lung_nodulegr1cm")) == r"$\bf{b}$  lung nodule > 1 cm"
