"""Pictures: planes of the scan with a map over them, through the map's peak.

The scan is turned to "IPL", so that every plane runs as radiologists read it: axial from below
with the patient's right on the left, coronal from the front, sagittal with the front on the
left. Pixels are squares of the same size in millimetres in all planes, whatever the spacing.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import matplotlib as mpl
import numpy as np
from jaxtyping import Bool, Float, Float64, Shaped, UInt8
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from scipy.sparse import csr_array

from hirescam.ct.grid import cell_weights, linear_weights
from hirescam.ct.volume import Volume, reorient
from hirescam.errors import GeometryError
from hirescam.summary.colours import UNIT, Scale, blend, grey, window_hu
from hirescam.summary.findings import Finding
from hirescam.summary.templates import signed

READING = "IPL"
PIXELS = (320, 560)  # of the longest side: enough to read, and three planes fit a screen
_SIDES = (("L", "R"), ("P", "A"), ("I", "S"))  # where RAS coordinates fall, where they rise
_OBLIQUE = 0.25  # a direction is named after every side it leads to by this share or more


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis of the stage: its voxels, the cells that lie on them, the pixels that show them.

    `first_cell` and `cell_step` are counted in voxels. `ends` are the sides of the patient
    beyond the first pixel and beyond the last.
    """

    voxels: int
    cells: int
    first_cell: float
    cell_step: float
    pixels: int
    ends: tuple[str, str]

    @cached_property
    def from_voxels(self) -> csr_array:
        """Weights, pixel × voxel, that draw voxels on pixels."""
        inner = np.clip(self._seen, 0, self.voxels - 1)
        return csr_array(linear_weights(inner, self.voxels).astype(np.float32))

    @cached_property
    def from_cells(self) -> csr_array:
        """Weights, pixel × cell, that draw cells on pixels: none where no cell reaches."""
        cells = (self._seen - self.first_cell) / self.cell_step
        return csr_array(cell_weights(cells, self.cells).astype(np.float32))

    @cached_property
    def field(self) -> Bool[np.ndarray, "pixel"]:
        """Whether a cell reaches each pixel."""
        return self.from_cells.sum(axis=1) > 0

    def voxel(self, cell: int) -> int:
        """The voxel nearest to the centre of a cell."""
        return int(
            np.clip(np.rint(self.first_cell + self.cell_step * cell), 0, self.voxels - 1)
        )

    def pixel(self, cell: int) -> float:
        """Where the centre of a cell lies, in pixels."""
        voxel = self.first_cell + self.cell_step * cell
        return (voxel + 0.5) * self.pixels / self.voxels - 0.5

    @property
    def _seen(self) -> Float[np.ndarray, "pixel"]:
        """The position of each pixel, in voxels."""
        return (np.arange(self.pixels) + 0.5) * (self.voxels / self.pixels) - 0.5


@dataclass(frozen=True, eq=False)
class Stage:
    """A scan in reading order: axes from head to feet, front to back, right to left."""

    scan: Volume
    axes: tuple[Axis, Axis, Axis]
    pixel_mm: float

    @cached_property
    def dots(self) -> tuple[Bool[np.ndarray, "down across"], ...]:
        """For each view, the pixels of the dotted line around what the cells cover."""
        return tuple(_dotted(self.axes[view.down], self.axes[view.across]) for view in VIEWS)


def build_stage(
    scan: Volume, cells: tuple[int, ...], affine: Float64[np.ndarray, "4 4"]
) -> Stage:
    """Turn `scan` for reading and place on it the cells of maps of that shape and affine.

    Raises `GeometryError` if the maps' grid is turned against the scan's.
    """
    scan = reorient(scan, READING)
    facing = reorient(Volume(np.zeros(cells, np.float32), affine), READING)
    on_scan = np.linalg.inv(scan.affine) @ facing.affine
    step = np.diag(on_scan)[:3]
    if np.abs(on_scan[:3, :3] - np.diag(step)).max() > 0.01 * np.abs(step).min():
        raise GeometryError(
            "the map's cells are turned against the scan: compute the map on the placed scan"
        )
    extents_mm = np.array(scan.shape) * scan.spacing_mm
    pixel_mm = extents_mm.max() / np.clip(extents_mm.max() / min(scan.spacing_mm), *PIXELS)
    first, second, third = (
        Axis(
            voxels=scan.shape[axis],
            cells=facing.shape[axis],
            first_cell=float(on_scan[axis, 3]),
            cell_step=float(step[axis]),
            pixels=max(1, round(extents_mm[axis] / pixel_mm)),
            ends=(_sides(-scan.affine[:3, axis]), _sides(scan.affine[:3, axis])),
        )
        for axis in range(3)
    )
    return Stage(scan, (first, second, third), float(pixel_mm))


def face_reader(
    values: Shaped[np.ndarray, "slice row column"], affine: Float64[np.ndarray, "4 4"]
) -> Volume:
    """A map turned as the stage is."""
    return reorient(Volume(values, affine), READING)


def _sides(direction: Float[np.ndarray, "3"]) -> str:
    """The sides of the patient that a direction leads to, the main one first, e.g. "AL"."""
    share = direction / np.linalg.norm(direction)
    named = [axis for axis in np.argsort(-np.abs(share)) if abs(share[axis]) > _OBLIQUE]
    return "".join(_SIDES[axis][int(share[axis] > 0)] for axis in named)


@dataclass(frozen=True)
class View:
    """A plane by the stage axes that lead into it, down it and across it."""

    name: str
    into: int
    down: int
    across: int


VIEWS = (View("axial", 0, 1, 2), View("coronal", 1, 0, 2), View("sagittal", 2, 0, 1))


def overlay(
    stage: Stage,
    view: View,
    values: Shaped[np.ndarray, "slice row column"],
    cell: tuple[int, int, int],
    *,
    window: tuple[float, float],
    scale: Scale,
) -> UInt8[np.ndarray, "down across 3"]:
    """`painted`, with a dotted line that encloses the cells' field."""
    picture = painted(stage, view, values, cell, window=window, scale=scale)
    dots = stage.dots[view.into]
    picture[dots] = picture[dots] // 2 + 100
    return picture


def painted(
    stage: Stage,
    view: View,
    values: Shaped[np.ndarray, "slice row column"],
    cell: tuple[int, int, int],
    *,
    window: tuple[float, float],
    scale: Scale,
) -> UInt8[np.ndarray, "down across 3"]:
    """The plane of `view` through `cell`; of the map, this plane alone is interpolated.

    `values` and `cell` face the reader as the stage does. Between cells the map is linear,
    where no cell reaches there is none.
    """
    into, down, across = (stage.axes[axis] for axis in (view.into, view.down, view.across))
    voxel = into.voxel(cell[view.into])
    scan = grey(stage.scan.voxels.take(voxel, axis=view.into), window)
    depth = np.clip((voxel - into.first_cell) / into.cell_step, 0, into.cells - 1)
    near = cell_weights(np.array([depth]), into.cells)[0].astype(np.float32)
    plane = np.tensordot(near, values, axes=(0, view.into))
    return blend(
        np.clip(down.from_voxels @ scan @ across.from_voxels.T, 0, 1),
        down.from_cells @ plane @ across.from_cells.T,
        scale,
    )


def lesion_on_stage(
    mask: Bool[np.ndarray, "slice row column"],
    affine: Float64[np.ndarray, "4 4"],
    stage: Stage,
) -> Float[np.ndarray, "stage_slice stage_row stage_column"]:
    """How much of each voxel of the stage lies in a mask on another grid, linearly."""
    to_mask = np.linalg.inv(affine) @ stage.scan.affine
    return ndimage.affine_transform(
        mask.astype(np.float32),
        to_mask[:3, :3],
        to_mask[:3, 3],
        output_shape=stage.scan.shape,
        order=1,
    )


def _with_lesion(
    picture: UInt8[np.ndarray, "down across 3"],
    lesion: Float[np.ndarray, "slice row column"],
    stage: Stage,
    view: View,
    cell: tuple[int, int, int],
) -> UInt8[np.ndarray, "down across 3"]:
    """The picture with a line around the lesion where the plane cuts it."""
    into, down, across = (stage.axes[axis] for axis in (view.into, view.down, view.across))
    plane = lesion.take(into.voxel(cell[view.into]), axis=view.into)
    inside = down.from_voxels @ plane @ across.from_voxels.T >= 0.5
    line = ndimage.binary_dilation(inside, iterations=_LESION_PIXELS) & ~inside
    return np.where(line[..., None], np.array(LESION, np.uint8), picture)


def _dotted(down: Axis, across: Axis) -> Bool[np.ndarray, "down across"]:
    field = np.outer(down.field, across.field)
    edge = field & ~ndimage.binary_erosion(field, border_value=1)
    return edge & (np.add.outer(np.arange(down.pixels), np.arange(across.pixels)) % 6 < 2)


INK, SOFT, PAPER = "#f2f2f2", "#a9afb8", "#000000"
GAP, FOOT = 10, 56  # pixels between planes, and below them
LESION = (240, 120, 200)
"""Colour of the line around a lesion that is known, in the viewer too."""
_LESION_PIXELS = 2
_BARS_MM = (100, 50, 20, 10, 5, 2, 1)
_MARK = (10, 26)  # pixels from the peak where its mark starts and ends

Point = tuple[float | int, float | int]


def montage(
    finding: Finding,
    stage: Stage,
    affine: np.ndarray,
    scale: Scale,
    lesion: Float[np.ndarray, "slice row column"] | None = None,
) -> Image.Image:
    """Axial, coronal and sagittal planes through the peak of `finding` as one picture.

    `scale` is that of all findings; a likely one that it would hide has a finer one of its own,
    and says so. A `lesion`, as `lesion_on_stage` gives it, is outlined.
    """
    scale = finding.scale(scale)
    window = window_hu(finding.label)
    facing = face_reader(finding.values, affine)
    at = np.rint(np.linalg.solve(facing.affine, [*finding.peak.patient_mm, 1]))[:3]
    cell = (int(at[0]), int(at[1]), int(at[2]))
    planes = []
    for view in VIEWS:
        picture = overlay(stage, view, facing.voxels, cell, window=window, scale=scale)
        if lesion is not None:
            picture = _with_lesion(picture, lesion, stage, view, cell)
        planes.append(_furnished(picture, view, stage, cell))
    width = sum(plane.width for plane in planes) + GAP * (len(planes) - 1)
    height = max(plane.height for plane in planes)
    sheet = Image.new("RGB", (width, height + FOOT), PAPER)
    left = 0
    for plane in planes:
        sheet.paste(plane, (left, (height - plane.height) // 2))
        left += plane.width + GAP
    _foot(sheet, finding.label, window, scale)
    return sheet


def colour_bar(scale: Scale, width: int, height: int) -> Image.Image:
    """The colours from the lowest value to the highest: over air above, over tissue below."""
    values = np.broadcast_to(np.linspace(-scale.limit, scale.limit, width), (height, width))
    behind = np.where(np.arange(height) < height / 2, 0.0, 0.45)[:, None]
    return Image.fromarray(blend(np.broadcast_to(behind, values.shape), values, scale))


def _furnished(
    picture: np.ndarray, view: View, stage: Stage, cell: tuple[int, int, int]
) -> Image.Image:
    plane = Image.fromarray(picture)
    draw = ImageDraw.Draw(plane)
    down, across = stage.axes[view.down], stage.axes[view.across]
    width, height = plane.size
    middle, centre = width / 2, height / 2
    _write(draw, (8, 6), view.name, "la", 14)
    _write(draw, (middle, 5), down.ends[0], "ma")
    _write(draw, (middle, height - 5), down.ends[1], "md")
    _write(draw, (7, centre), across.ends[0], "lm")
    _write(draw, (width - 7, centre), across.ends[1], "rm")
    _mark(draw, across.pixel(cell[view.across]), down.pixel(cell[view.down]))
    _ruler(draw, plane.size, stage.pixel_mm)
    return plane


def _mark(draw: ImageDraw.ImageDraw, x: float, y: float) -> None:
    """Four ticks around the peak, so that what lies there stays visible."""
    near, far = _MARK
    ticks = [
        ((x + near * dx, y + near * dy), (x + far * dx, y + far * dy))
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))
    ]
    for colour, thick in ((PAPER, 4), (INK, 2)):
        for tick in ticks:
            draw.line(tick, colour, thick)


def _ruler(draw: ImageDraw.ImageDraw, size: tuple[int, int], pixel_mm: float) -> None:
    width, height = size
    length_mm = next((bar for bar in _BARS_MM if bar < 0.35 * width * pixel_mm), _BARS_MM[-1])
    left, bottom = 10, height - 12
    line = ((left, bottom), (left + length_mm / pixel_mm, bottom))
    for colour, thick in ((PAPER, 5), (INK, 3)):
        draw.line(line, colour, thick)
    _write(draw, (left, bottom - 5), f"{length_mm} mm", "ld", 13)


def _foot(sheet: Image.Image, label: str, window: tuple[float, float], scale: Scale) -> None:
    draw = ImageDraw.Draw(sheet)
    low, high = (f"{edge:.0f}".replace("-", "−") for edge in window)
    top = sheet.height - FOOT + 8
    bar = colour_bar(scale, min(300, sheet.width // 3), 18)
    left = sheet.width - bar.width - 34
    draw.text((8, top), _fitted(label.replace("_", " "), left - 200), INK, _font(15))
    words = f"shown from {low} to {high} HU · for research, not for diagnosis"
    draw.text((8, top + 22), words, SOFT, _font(12))
    sheet.paste(bar, (left, top))
    unit = f"{UNIT}, own scale" if scale.is_own else UNIT
    draw.text((left - 8, top + 9), unit, SOFT, _font(12), anchor="rm")
    for value in scale.ticks:
        x = left + (value / scale.limit + 1) / 2 * (bar.width - 1)
        draw.line(((x, top + 18), (x, top + 22)), SOFT)
        draw.text((x, top + 24), signed(value), SOFT, _font(12), anchor="ma")


def _write(
    draw: ImageDraw.ImageDraw, at: Point, text: str, anchor: str, size: int = 17
) -> None:
    draw.text(at, text, INK, _font(size), anchor=anchor, stroke_width=2, stroke_fill=PAPER)


def _fitted(text: str, width: int) -> str:
    """The text, or as much of it as fits."""
    line = text.replace("\n", " ")
    if _font(15).getlength(line) <= width:
        return line
    fits = (cut for cut in range(len(line), 0, -1) if _font(15).getlength(line[:cut]) < width)
    return line[: next(fits, 0)] + "…"


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans as matplotlib brings it: Pillow's own font has no minus sign."""
    return ImageFont.truetype(Path(mpl.get_data_path(), "fonts/ttf/DejaVuSans.ttf"), size)
