"""Scene: what a living page needs besides a summary: where its scan, organs and maps lie."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import nibabel as nib
import numpy as np
from jaxtyping import Float64, Shaped

from hirescam.drawing.colours import LOWERED, MOST_OPAQUE, RAISED, window_hu
from hirescam.regions.allowed import organs_of

SCAN_FILE = "scan.nii.gz"
MAPS_FOLDERS = {"hirescam": "maps_hirescam", "gradcam": "maps_gradcam"}
REPORT_WORDS = "report.json"
ORGANS_VIEW = "organs"

WINDOWS_HU = {
    "lung": (-1350.0, 150.0),
    "mediastinum": (-160.0, 240.0),
    "bone": (-450.0, 1050.0),
}


@dataclass(frozen=True)
class Stored:
    """A grid's numbers within a file, in C order; `affine` leads from their index to RAS mm."""

    file: str
    offset: int
    dtype: str
    shape: tuple[int, ...]
    affine: list[list[float]]

    @classmethod
    def whole(
        cls,
        file: str,
        values: Shaped[np.ndarray, "slice row column"],
        affine: Float64[np.ndarray, "4 4"],
    ) -> "Stored":
        """A grid whose numbers fill a file."""
        return cls(file, 0, str(values.dtype), values.shape, affine.tolist())


def stored_nifti(path: Path, file: str) -> Stored:
    """Where the numbers lie in a NIfTI file whose axes are column, row, slice, as we write."""
    image = nib.Nifti1Image.from_filename(path)
    return Stored(
        file=file,
        offset=int(cast(nib.arrayproxy.ArrayProxy, image.dataobj).offset),
        dtype=str(image.get_data_dtype()),
        shape=image.shape[::-1],
        affine=image.affine[:, [2, 1, 0, 3]].tolist(),
    )


def scene(
    summary: Mapping[str, Any],
    *,
    scan: Stored,
    organs: Stored | None,
    maps: Mapping[str, Mapping[str, tuple[str, int]]],
    words: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The scene of a `summary.json`; `maps` gives file and offset by method and label.

    `words` are a report's own about each label, where there is a report.
    """
    labels = [finding["label"] for finding in summary["findings"]]
    grid = summary["map_grid"]
    return {
        "scan": asdict(scan),
        "organs": organs and asdict(organs) | {"names": _names(summary)},
        "map_grid": {"shape": grid["shape"], "affine": grid["affine"], "dtype": "float32"},
        "maps": {
            method: {label: {"file": file, "offset": at} for label, (file, at) in of.items()}
            for method, of in maps.items()
        },
        "windows_hu": WINDOWS_HU,
        "window_of": {label: _window(label) for label in labels},
        "colours": {
            "raised": RAISED.tolist(),
            "lowered": LOWERED.tolist(),
            "most_opaque": MOST_OPAQUE,
        },
        "allowed": {label: organs_of(label) for label in labels},
        "words": words,
    }


def _window(label: str) -> str:
    """The preset that shows what the static pictures show."""
    return next(name for name, hu in WINDOWS_HU.items() if hu == window_hu(label))


def _names(summary: Mapping[str, Any]) -> dict[int, str]:
    """The organ behind each code of the masks."""
    return {facts["code"]: organ for organ, facts in summary["organs"]["masks"].items()}
