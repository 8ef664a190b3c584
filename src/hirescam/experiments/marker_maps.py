"""Marker maps: one patient with a marker beside the body and without, under each loss.

Maps alone do not judge: a network can use a marker through cells that lie in the organ, and a
map of little evidence beside the body may be that of a network that uses it. So each panel also
tells its score, a logit.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hirescam.experiments.evidence import organs_for
from hirescam.experiments.looking import look
from hirescam.figures.output import TWO_COLUMNS_MM, headed, printed
from hirescam.figures.scan_panel import (
    Scene,
    colour_bar,
    draw_map,
    scene,
)
from hirescam.models.files import Model
from hirescam.training.datasets.cases import Case

_METHOD = "hirescam"
_SHOWN_MM = (352.0, 352.0)  # the patient and what lies beside
_TITLE_MM = 4.5


def draw_marker_maps(
    path: Path, models: Mapping[str, Model], marked: Case, plain: Case, label: str
) -> None:
    """PATH.pdf and PATH.png: a row for each scan, a column for each model.

    Shown is the plane in which the two scans differ most.
    """
    panel_mm = TWO_COLUMNS_MM / (len(models) + 0.5)
    height_mm = 2 * (panel_mm + _TITLE_MM)
    with printed(path, width_mm=TWO_COLUMNS_MM, height_mm=height_mm) as figure:
        grid = figure.subplots(2, len(models), squeeze=False)
        for column, (name, model) in enumerate(models.items()):
            seen = [look(model, case, (_METHOD,)) for case in (marked, plain)]
            scenes = [scene(one.found[_METHOD], one.organs) for one in seen]
            at = _differing_slice(*scenes)
            titles = (headed(column, name), "without marker")
            for panel, one, here, title in zip(
                grid[:, column], seen, scenes, titles, strict=True
            ):
                found = one.found[_METHOD]
                draw_map(
                    panel, here, found, label, at, organs=organs_for(label), shown_mm=_SHOWN_MM
                )
                panel.set_title(f"{title}: {found.scores[label]:+.1f}")
        colour_bar(figure, grid[:, -1], aspect=30, shrink=0.6)


def _differing_slice(one: Scene, other: Scene) -> int:
    """The slice of the map next to where two scans of a patient differ most."""
    change = np.abs(one.stage.scan.voxels - other.stage.scan.voxels.astype(float))
    along = one.stage.axes[0]
    most = change.sum(axis=(1, 2)).argmax()
    return min(range(along.cells), key=lambda at: abs(along.voxel(at) - most))
