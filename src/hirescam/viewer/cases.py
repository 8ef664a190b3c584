"""Cases: the explained scans of a folder, and which of their files may be shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hirescam.errors import ReadError
from hirescam.organs.files import read_organs
from hirescam.organs.label_image import read_label_nifti
from hirescam.parsing import read_json
from hirescam.summary.viewer_data import (
    MAPS_FOLDERS,
    MASKS_FOLDER,
    ORGAN_VOXELS,
    ORGANS_VIEW,
    REPORT_WORDS,
    SCAN_FILE,
    Stored,
    scene,
    shrink,
    stored_nifti,
)

_MOST_MASKS = 12
_SUMMARY = "summary.json"
_LARGEST_JSON = 64 << 20  # bytes: far more than any summary, far less than memory


@dataclass(frozen=True)
class Case:
    """One explained scan: its name among the others, its folder, its `summary.json`."""

    name: str
    folder: Path
    summary: Mapping[str, Any]

    def file(self, name: str) -> Path | None:
        """A file of the folder; none where a name or a link leads out of it."""
        return _inside(self.folder, name)

    @cached_property
    def files(self) -> frozenset[str]:
        """The packed files that a browser may ask for; no other is ever opened."""
        return frozenset(
            [SCAN_FILE, *(file for of in self.maps.values() for file in of.values())]
        )

    @cached_property
    def maps(self) -> dict[str, dict[str, str]]:
        """File of each map by method and label; those of other methods where there are any."""
        own = {row["label"]: str(row["files"]["map"]) for row in self.summary["findings"]}
        others = {
            method: {label: f"{folder}/{Path(file).name}" for label, file in own.items()}
            for method, folder in MAPS_FOLDERS.items()
            if (self.folder / folder).is_dir()
        }
        return {str(self.summary["provenance"]["method"]): own} | others

    @cached_property
    def scene(self) -> dict[str, Any]:
        """What the page needs besides the summary."""
        words = self.file(REPORT_WORDS)
        lesions = {
            finding["files"].get("lesion"): finding["label"]
            for finding in self.summary["findings"]
        }
        first = next(iter(next(iter(self.maps.values())).values()))
        offset = stored_nifti(self.folder / first, first).offset
        return scene(
            self.summary,
            scan=stored_nifti(self.folder / SCAN_FILE, SCAN_FILE),
            organs=self._organs[0] if self._organs else None,
            maps={
                method: {label: (file, offset) for label, file in of.items()}
                for method, of in self.maps.items()
            },
            masks=[(stored, lesions.get(name)) for name, (stored, _) in self._masks.items()],
            words=read_json(words) if words is not None else None,
        )

    @property
    def organs(self) -> bytes | None:
        """Codes of the organs on a coarse grid, enough for their outlines."""
        return self._organs and self._organs[1]

    def mask(self, name: str) -> bytes | None:
        """A mask of the folder masks/, where something lies or not, on a coarse grid."""
        return self._masks[name][1] if name in self._masks else None

    @cached_property
    def _masks(self) -> dict[str, tuple[Stored, bytes]]:
        found = {}
        for path in sorted((self.folder / MASKS_FOLDER).glob("*.nii.gz"))[:_MOST_MASKS]:
            if self.file(f"{MASKS_FOLDER}/{path.name}") is None:
                continue
            masks = read_label_nifti(path)
            inside = (masks.codes > 0).astype(np.uint8)
            codes, affine = shrink(inside, masks.affine, ORGAN_VOXELS, mean=False)
            name = f"{MASKS_FOLDER}/{path.name}"
            found[name] = Stored.whole(name, codes, affine), codes.tobytes()
        return found

    @cached_property
    def _organs(self) -> tuple[Stored, bytes] | None:
        told = self.summary.get("organs")
        path = self.file("organs.nii.gz")
        if told is None or path is None:
            return None
        masks = read_organs(path)
        codes, affine = shrink(masks.codes, masks.affine, ORGAN_VOXELS, mean=False)
        return Stored.whole(ORGANS_VIEW, codes, affine), codes.tobytes()


def read_cases(folder: Path) -> tuple[Case, ...]:
    """The explained scan in `folder`, or those in its sub-folders, by name.

    Raises `ReadError` if there is none, or one without a scan to look at.
    """
    if not folder.is_dir():
        raise ReadError(f"{folder} is not a folder: give one that `hirescam explain` wrote")
    inner = folder / "cases" if (folder / "cases").is_dir() else folder
    homes = (
        [folder]
        if (folder / _SUMMARY).is_file()
        else sorted(
            path.parent
            for path in inner.glob(f"*/{_SUMMARY}")
            if not path.parent.name.startswith(".")
        )
    )
    if not homes:
        raise ReadError(
            f"{folder} holds no {_SUMMARY}, nor does any folder in it: give one that "
            f"`hirescam explain` wrote"
        )
    return tuple(_read_case(home) for home in homes)


def _inside(folder: Path, name: str) -> Path | None:
    """The file of that name in a folder, unless the name or a link leads out of it."""
    try:
        path = (folder / name).resolve()
        return path if path.is_relative_to(folder) and path.is_file() else None
    except (OSError, ValueError):  # a name with a zero byte, a loop of links
        return None


def _read_case(folder: Path) -> Case:
    folder = folder.resolve()
    if _inside(folder, SCAN_FILE) is None:
        raise ReadError(
            f"{folder} holds no {SCAN_FILE}, so there is no scan to look at: explain it again "
            f"with this version, with pages"
        )
    path = _inside(folder, _SUMMARY)
    if path is None:
        raise ReadError(f"{folder / _SUMMARY} leads out of its folder: copy it there")
    if path.stat().st_size > _LARGEST_JSON:
        raise ReadError(f"{path} is larger than any summary: give a folder that we wrote")
    try:
        summary = read_json(path)
        labels = [finding["label"] for finding in summary["findings"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ReadError(f"{path} is no summary: explain the scan again") from error
    if not labels:
        raise ReadError(f"{path} holds no finding: explain the scan with at least one label")
    return Case(folder.name, folder, summary)
