"""Layouts: which scans a published data set holds, of which split, and how each is read."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hirescam.ct.formats.ct_rate import CT_RATE_NAME, read_ct_rate
from hirescam.ct.reading import read_volume
from hirescam.ct.validation import as_read_error
from hirescam.ct.volume import Volume
from hirescam.errors import ReadError


@dataclass(frozen=True)
class ListedScan:
    """One scan of a data set, not read yet; `read(path)` is the reader that knows its traps."""

    name: str
    split: str
    path: Path
    read: Callable[[Path], Volume]


@dataclass(frozen=True)
class _Layout:
    name: re.Pattern[str]  # its first group tells the split
    read: Callable[[Path], Volume]


_LAYOUTS = (
    _Layout(re.compile(r"(trn|val|tst)\d+\.npz"), read_volume),  # RAD-ChestCT
    _Layout(CT_RATE_NAME, read_ct_rate),
)
_SPLITS = {"trn": "train", "val": "valid", "tst": "test", "train": "train", "valid": "valid"}


def list_scans(folder: str | Path) -> tuple[ListedScan, ...]:
    """All scans of RAD-ChestCT or CT-RATE in a folder and those below it, by name.

    Where both releases of a volume of CT-RATE are there, the corrected one alone is listed:
    otherwise each scan would count twice. Other files are passed over.
    """
    folder = Path(folder).absolute()
    found: dict[str, ListedScan] = {}
    with as_read_error(folder):
        paths = [path for path in folder.rglob("*") if path.is_file()]
        for path in sorted(paths, key=_is_corrected):  # the later one takes the name
            for layout in _LAYOUTS:
                if named := layout.name.fullmatch(path.name):
                    split = _SPLITS[named[1]]
                    found[path.name] = ListedScan(path.name, split, path, layout.read)
        if not found:
            raise ReadError(
                "holds no scan named as in RAD-ChestCT (trn00001.npz) or CT-RATE "
                "(train_1_a_1.nii.gz): give the folder that holds the data set"
            )
    return tuple(found[name] for name in sorted(found))


def _is_corrected(path: Path) -> bool:
    return any(part.endswith("_fixed") for part in path.parts)
