"""Montage: three planes through a map's peak side by side, with all that a reader needs.

Each plane carries its sides of the patient, a bar of known length and a mark at the peak; below
them stand the window and the colours' scale.
"""

from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hirescam.drawing.colours import UNIT, Scale, blend, window_hu
from hirescam.drawing.findings import Finding
from hirescam.drawing.numbers import signed
from hirescam.drawing.overlay import VIEWS, View, overlay
from hirescam.drawing.stage import Stage, face_reader

INK, SOFT, PAPER = "#f2f2f2", "#a9afb8", "#000000"
GAP, FOOT = 10, 56  # pixels between planes, and below them
_BARS_MM = (100, 50, 20, 10, 5, 2, 1)
_MARK = (10, 26)  # pixels from the peak where its mark starts and ends

Point = tuple[float | int, float | int]


def montage(finding: Finding, stage: Stage, affine: np.ndarray, scale: Scale) -> Image.Image:
    """Axial, coronal and sagittal planes through the peak of `finding` as one picture."""
    window = window_hu(finding.label)
    facing = face_reader(finding.values, affine)
    at = np.rint(np.linalg.solve(facing.affine, [*finding.peak.patient_mm, 1]))[:3]
    cell = (int(at[0]), int(at[1]), int(at[2]))
    planes = [
        _furnished(
            overlay(stage, view, facing.voxels, cell, window=window, scale=scale),
            view,
            stage,
            cell,
        )
        for view in VIEWS
    ]
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
    draw.text((8, top), _fitted(label, left - 160), INK, _font(15))
    words = f"shown from {low} to {high} HU · for research, not for diagnosis"
    draw.text((8, top + 22), words, SOFT, _font(12))
    sheet.paste(bar, (left, top))
    draw.text((left - 8, top + 9), UNIT, SOFT, _font(12), anchor="rm")
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
