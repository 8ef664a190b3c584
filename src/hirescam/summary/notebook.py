"""Notebook: an explanation as it shows itself in Jupyter, still or in a viewer to turn."""

from importlib import import_module
from typing import Any

import nibabel as nib
import numpy as np
from jaxtyping import Float, Float64, Shaped

from hirescam.ct.volume import Volume, reorient
from hirescam.errors import MissingPackageError
from hirescam.explanation import Explanation
from hirescam.summary.colours import LOWERED, RAISED, shared_scale, window_hu
from hirescam.summary.findings import DISCLAIMER, findings
from hirescam.summary.page import data_uri
from hirescam.summary.pictures import build_stage, montage
from hirescam.summary.templates import template

_MOST_ROWS = 10


def as_html(explanation: Explanation) -> str:
    """The most probable findings as a table, and the map of the first of them."""
    rows = findings(explanation)
    stage = build_stage(
        explanation.input_volume, explanation.raw_maps.shape[1:], explanation.affine
    )
    picture = montage(rows[0], stage, explanation.affine, shared_scale(explanation.raw_maps))
    return template("notebook.html.jinja").render(
        rows=rows[:_MOST_ROWS],
        more=max(len(rows) - _MOST_ROWS, 0),
        picture=data_uri(picture),
        made_by=explanation.provenance,
        shape=explanation.scan.shape,
        disclaimer=DISCLAIMER,
    )


def show(explanation: Explanation, label: str) -> Any:
    """An ipyniivue widget: the scan, the map of `label` over it, and the crosshair at its peak.

    Raises `TargetError` for an unknown label, `MissingPackageError` without ipyniivue.
    """
    (finding,) = findings(explanation, [label])
    ipyniivue = _ipyniivue()
    low, high = window_hu(label)
    limit = finding.scale(shared_scale(explanation.raw_maps)).limit
    widget = ipyniivue.NiiVue()
    widget.add_colormap("raised", _ramp(RAISED))
    widget.add_colormap("lowered", _ramp(LOWERED))
    widget.load_volumes(
        [
            {
                "data": _nifti(explanation.scan.voxels, explanation.scan.affine),
                "name": "scan.nii",
                "colormap": "gray",
                "cal_min": low,
                "cal_max": high,
                "colorbar_visible": False,
            },
            {
                "data": _nifti(finding.values, explanation.affine),
                "name": f"{finding.stem}.nii",
                "colormap": "raised",
                "colormap_negative": "lowered",
                "cal_min": 0.0,
                "cal_max": limit,
            },
        ]
    )
    widget.scene.crosshair_pos = _fraction(explanation.scan, finding.peak.patient_mm)
    return widget


def _fraction(scan: Volume, patient_mm: tuple[float, float, float]) -> list[float]:
    """A place as shares of the scan's width, depth and height, from right, back and foot."""
    facing = reorient(scan, "RAS")
    index = np.linalg.solve(facing.affine, [*patient_mm, 1.0])[:3]
    return np.clip((index + 0.5) / facing.shape, 0, 1).tolist()


def _nifti(
    values: Shaped[np.ndarray, "slice row column"], affine: Float64[np.ndarray, "4 4"]
) -> bytes:
    return bytes(nib.Nifti1Image(values.T, affine[:, [2, 1, 0, 3]]).to_bytes())


def _ramp(colour: Float[np.ndarray, "3"]) -> dict[str, list[int]]:
    """One colour, whose opacity grows with the value."""
    red, green, blue = np.rint(255 * colour).astype(int).tolist()
    return {"R": [red] * 2, "G": [green] * 2, "B": [blue] * 2, "A": [0, 192], "I": [0, 255]}


def _ipyniivue() -> Any:
    try:
        return import_module("ipyniivue")
    except ImportError as error:
        raise MissingPackageError(
            "a viewer in a notebook needs ipyniivue: pip install 'hirescam[notebook]'"
        ) from error
