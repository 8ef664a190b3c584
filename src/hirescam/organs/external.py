"""import_organs: masks that another program made become organ masks on the scan's grid.

Labels are taken from the nearest voxel: none is ever interpolated.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError
from scipy import ndimage

from hirescam.ct.validation import as_read_error
from hirescam.ct.volume import Volume
from hirescam.errors import GeometryError, ReadError
from hirescam.organs.label_image import LabelImage, read_label_nifti, read_label_seg
from hirescam.organs.masks import OrganMasks, Verdict
from hirescam.organs.quality import judged_on_scan
from hirescam.parsing import parse_json, parse_toml

# --- which structures of another program make up each organ ---

_FOLDER = files(__package__) / "tables"
_LOADERS = {".toml": parse_toml, ".json": parse_json}

TABLES = tuple(sorted(row.name.removesuffix(".toml") for row in _FOLDER.iterdir()))
"""Names of the tables that hirescam brings."""


class MaskTable(BaseModel):
    """Organs by the structures they are made of, and structures by their codes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    organs: Mapping[str, tuple[str, ...]]
    codes: Mapping[str, PositiveInt] = {}

    @property
    def structures(self) -> tuple[str, ...]:
        """Every structure that the table knows."""
        used = (name for names in self.organs.values() for name in names)
        return tuple(dict.fromkeys([*self.codes, *used]))


def load_table(table: str | Path | MaskTable) -> MaskTable:
    """A table of ours by name, a user's own by its file; `ReadError` says what is wrong."""
    if isinstance(table, MaskTable):
        return table
    if str(table) in TABLES:
        return _parsed(f"{table}.toml", (_FOLDER / f"{table}.toml").read_text("utf-8"))
    path = Path(table)
    if path.suffix.lower() not in _LOADERS:
        raise ReadError(
            f"no table is called {table}{_meant(str(table), TABLES)}: choose one of "
            f"{', '.join(TABLES)}, or give a .toml or .json file"
        )
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"{path.name}: cannot be read as text: check the path") from error
    return _parsed(path.name, text)


def check_known(structures: set[str], table: MaskTable) -> None:
    """Refuse structures that the table does not know, naming those that may be meant."""
    unknown = sorted(structures - set(table.structures))
    if unknown:
        raise ReadError(
            f"holds {', '.join(unknown[:3])}{' …' * (len(unknown) > 3)}"
            f"{_meant(unknown[0], table.structures)}, which the table does not know: choose "
            f"another table, or add {'it' if len(unknown) == 1 else 'them'} to one of your own"
        )


def _parsed(name: str, text: str) -> MaskTable:
    try:
        content: dict[str, Any] = _LOADERS[Path(name).suffix.lower()](text)
        if isinstance(content.get("codes"), str):
            content["codes"] = load_table(content["codes"]).codes
        return MaskTable(**content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ReadError(f"{name}: {place}: {first['msg']}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise ReadError(f"{name}: is no table: {error}") from error


def _meant(name: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(name, known, n=1)
    return f" (is {close[0]} meant?)" if close else ""


# --- masks that another program made become organ masks on the scan's grid ---

READERS = {
    ".nii.gz": read_label_nifti,
    ".nii": read_label_nifti,
    ".dcm": read_label_seg,
}
_TOLERANCE = 1.0  # voxels, of either grid, by which masks may end before the scan does


def import_organs(
    path: str | Path, volume: Volume, table: str | Path | MaskTable
) -> OrganMasks:
    """Organs of `volume` from a label NIfTI, a DICOM SEG, or a folder of one NIfTI each.

    `table` says which structures make up each organ: a name of `TABLES`, a TOML or JSON file,
    or a `MaskTable`. In a folder, files are named after their structures. Names that the file
    itself gives to its codes count before those of the table. Where organs overlap, the later
    one in the table stays.

    Raises `ReadError` if masks are damaged or hold what the table does not know, and
    `GeometryError` if they do not cover the scan.
    """
    path, table = Path(path).absolute(), load_table(table)
    codes = np.zeros(volume.shape, np.uint8)
    with as_read_error(path):
        for image, code_of in _images(path, table):
            found = _on_grid_of(volume, image, code_of)
            codes = np.maximum(codes, found)
    present = np.bincount(codes.ravel(), minlength=len(table.organs) + 1)[1:] > 0
    masks = OrganMasks(
        codes,
        volume.affine,
        method="external",
        organs=tuple(table.organs),
        verdicts={
            organ: Verdict(() if there else ("the imported masks hold nothing of it",))
            for organ, there in zip(table.organs, present, strict=True)
        },
    )
    return judged_on_scan(volume, masks)


def _images(
    path: Path, table: MaskTable
) -> Iterator[tuple[LabelImage, UInt8[np.ndarray, "code"]]]:
    """Label images, each with the organ (from 1, or 0) of every code in it."""
    if not path.exists():
        raise ReadError("there is no such file or folder: check the path")
    if not path.is_dir():
        image = _reader(path)(path)
        yield image, _organs_of_codes(image, table)
        return
    found = {file.name.split(".nii")[0]: file for file in sorted(path.glob("*.nii*"))}
    if not found:
        raise ReadError("holds no NIfTI file: give the folder of one mask per structure")
    check_known(set(found), table)
    for code, structures in enumerate(table.organs.values(), start=1):
        for structure in structures:
            if structure in found:
                image = read_label_nifti(found[structure])
                yield image, np.array([0, *[code] * int(image.codes.max(initial=0))], np.uint8)


def _organs_of_codes(image: LabelImage, table: MaskTable) -> UInt8[np.ndarray, "code"]:
    structures = {code: name for name, code in table.codes.items()} | dict(image.names)
    used = [int(code) for code in np.unique(image.codes) if code]
    nameless = [code for code in used if code not in structures]
    if nameless:
        raise ReadError(
            f"holds the codes {', '.join(map(str, nameless[:5]))}, which neither it nor the "
            f"table names: choose another table, or give one of your own"
        )
    check_known({structures[code] for code in used}, table)
    organs = np.zeros(max(used, default=0) + 1, np.uint8)
    for number, members in enumerate(table.organs.values(), start=1):
        organs[[code for code in used if structures[code] in members]] = number
    return organs


def _reader(path: Path) -> Callable[[Path], LabelImage]:
    for suffix, reader in READERS.items():
        if path.name.lower().endswith(suffix):
            return reader
    raise ReadError(
        f"no reader of masks knows this kind of file: give one ending in {', '.join(READERS)}, "
        f"or a folder of NIfTI files"
    )


def _on_grid_of(
    volume: Volume, image: LabelImage, organ_of_code: UInt8[np.ndarray, "code"]
) -> UInt8[np.ndarray, "slice row column"]:
    organs = organ_of_code[image.codes]
    to_image = np.linalg.inv(image.affine) @ volume.affine
    if organs.shape == volume.shape and np.allclose(to_image, np.eye(4), atol=1e-3):
        return organs
    _check_covers(volume, image, to_image)
    return ndimage.affine_transform(
        organs, to_image, output_shape=volume.shape, order=0, mode="grid-constant"
    )


def _check_covers(
    volume: Volume, image: LabelImage, to_image: Float64[np.ndarray, "4 4"]
) -> None:
    corners = np.array(
        [[*corner, 1] for corner in itertools.product(*((0, n - 1) for n in volume.shape))]
    )
    seen = (corners @ to_image.T)[:, :3]
    beyond = np.maximum(-seen, seen - (np.array(image.codes.shape) - 1))
    image_mm = np.linalg.norm(image.affine[:3, :3], axis=0)
    short_mm = beyond.max(axis=0) * image_mm
    allowed_mm = _TOLERANCE * np.maximum(image_mm, max(volume.spacing_mm))
    apart = (seen.max(axis=0) < 0) | (seen.min(axis=0) > np.array(image.codes.shape) - 1)
    if apart.any() or (image.whole and (short_mm > allowed_mm).any()):
        raise GeometryError(
            f"does not cover the scan, which reaches {short_mm.max():.0f} mm beyond it: give "
            f"the masks that were made of this scan"
        )
