"""Charts show what is defined and say so where nothing is."""

import numpy as np
import pytest

from hirescam.figures.charts import dots
from hirescam.figures.output import svg


def row(name, method, value):
    return {"name": name, "method": method, "iou": value, "iou_low": value, "iou_high": value}


@pytest.mark.parametrize("series", [None, "method"])
@pytest.mark.parametrize("rows", [[], [row("lung", "hirescam", np.nan)]])
def test_a_chart_of_nothing_that_is_defined_says_so(rows, series):
    drawn = dots(rows, "name", "iou", "OrganIoU", series=series, reference=0.5)
    assert [text.get_text() for text in drawn.axes[0].texts] == ["undefined on these scans"]
    assert drawn.axes[0].get_legend() is None
    assert not drawn.axes[0].lines
    svg(drawn)


def test_a_series_is_named_once_and_an_undefined_row_is_left_out():
    rows = [
        row("lung", "hirescam", 0.5),
        row("lung", "gradcam", 0.25),
        row("heart", "gradcam", np.nan),
    ]
    axes = dots(rows, "name", "iou", "OrganIoU", series="method").axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "hirescam",
        "gradcam",
    ]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["lung"]
    assert not axes.texts
