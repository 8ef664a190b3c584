"""Organ shares: how much of a label's evidence lies in each organ, and elsewhere.

Cells of a map are boxes that touch; each is shared out among organs, the rest of the body, and
what is neither, by the volume that it has in each. Everything that holds evidence has a name
here, so that shares of it add up to one. Grids share their directions up to order and sign, so
that a box overlaps a voxel along each axis on its own, and three small matrices say it all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import fill_voids
import numpy as np
import SimpleITK as sitk
from jaxtyping import Bool, Float, Float64

from hirescam.ct.grid import Weights, resample
from hirescam.ct.volume import Volume, reorient
from hirescam.errors import GeometryError, ShapeError
from hirescam.organs.lungs import body, enclosed_air
from hirescam.organs.masks import OrganMasks, Verdict

Affine = Float64[np.ndarray, "4 4"]
_PARALLEL = 0.01  # of a cell, over the whole grid


@dataclass(frozen=True, eq=False)
class Boxes:
    """Cells of a grid as boxes; `starts` and `stops` of each, axis by axis, counted in cells.

    A whole cell reaches from its index − ½ to its index + ½. What a field of view cuts off is
    missing, and still counts in the cell's volume.
    """

    affine: Affine
    starts: tuple[Float[np.ndarray, "_"], ...]
    stops: tuple[Float[np.ndarray, "_"], ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(start) for start in self.starts)

    @property
    def whole(self) -> Float[np.ndarray, "slice row column"]:
        """The share of each cell that is left."""
        along = (stop - start for start, stop in zip(self.starts, self.stops, strict=True))
        return np.einsum("s,r,c->src", *along)


def whole_boxes(shape: tuple[int, ...], affine: Affine) -> Boxes:
    """The boxes of a grid whose `affine` leads from index to patient."""
    return Boxes(
        affine,
        tuple(np.arange(size) - 0.5 for size in shape),
        tuple(np.arange(size) + 0.5 for size in shape),
    )


def cut(boxes: Boxes, shape: tuple[int, ...], affine: Affine) -> Boxes:
    """What of the boxes lies within another grid's field of view."""
    axes, first, step = _along(boxes.affine, affine, shape)
    starts, stops = list(boxes.starts), list(boxes.stops)
    for other, axis in enumerate(axes):
        ends = first[axis] + step[axis] * np.array([-0.5, shape[other] - 0.5])
        starts[axis] = np.clip(starts[axis], ends.min(), ends.max())
        stops[axis] = np.clip(stops[axis], ends.min(), ends.max())
    return Boxes(boxes.affine, tuple(starts), tuple(stops))


def overlap(
    boxes: Boxes, mask: Bool[np.ndarray, "_ _ _"], affine: Affine
) -> Float[np.ndarray, "slice row column"]:
    """The share of each cell that lies in `mask`, whose own grid `affine` places."""
    axes, first, step = _along(boxes.affine, affine, mask.shape)
    weights = [
        _weights(
            (boxes.starts[axis] - first[axis]) / step[axis],
            (boxes.stops[axis] - first[axis]) / step[axis],
            size,
        )
        * abs(step[axis])
        for axis, size in zip(axes, mask.shape, strict=True)
    ]
    return resample(mask, weights, outside=0.0).transpose(np.argsort(axes)).astype(float)


def _weights(
    one_end: Float[np.ndarray, "cell"], other_end: Float[np.ndarray, "cell"], size: int
) -> Weights:
    """Length that each cell shares with each voxel, in voxels."""
    low, high = np.minimum(one_end, other_end), np.maximum(one_end, other_end)
    voxels = np.arange(size)
    shared = np.minimum(high[:, None], voxels + 0.5) - np.maximum(low[:, None], voxels - 0.5)
    return np.clip(shared, 0.0, None)


def _along(
    cells: Affine, affine: Affine, shape: tuple[int, ...]
) -> tuple[list[int], Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """For each axis of a grid the axis of the cells that it runs along.

    Then, for each axis of the cells, where the grid begins and its step, in cells.
    """
    on_cells = np.linalg.inv(cells) @ affine
    turn = on_cells[:3, :3]
    axes = np.abs(turn).argmax(axis=0).tolist()
    rest = np.abs(turn)
    rest[axes, range(3)] = 0
    if sorted(axes) != [0, 1, 2] or (rest * np.array(shape)).max() > _PARALLEL:
        raise GeometryError(
            "the map's cells and the masks are turned against each other: give masks on the "
            "grid of the scan that was explained"
        )
    step = np.zeros(3)
    step[axes] = turn[axes, range(3)]
    return axes, on_cells[:3, 3], step


REST_OF_BODY = "rest_of_body"
OUTSIDE_BODY = "outside_body"
OUTSIDE_FIELD = "outside_field"
"""What no voxel of the scan told the network: cut off, or padded."""

_BODY_STEP_MM = 2.0
_READING = "IPL"
_SAME_PLACE_MM = 0.01


@dataclass(frozen=True, eq=False)
class PlacesInCells:
    """The share of each cell in each place; a cell's shares add up to one.

    `seen` is the share of each organ's own volume that lies within the map's cells: evidence
    for what lies beyond is in the nearest of them. `verdicts` are those of the organs' masks.
    """

    places: tuple[str, ...]
    shares: Float[np.ndarray, "place slice row column"]
    seen: Mapping[str, float]
    verdicts: Mapping[str, Verdict]


def organs_in_cells(
    organs: OrganMasks,
    scan: Volume,
    input_volume: Volume,
    shape: tuple[int, ...],
    affine: Float64[np.ndarray, "4 4"],
) -> PlacesInCells:
    """Where the cells of a map lie; `input_volume` is the scan as the network saw it."""
    _check_grid(organs, scan)
    boxes = whole_boxes(shape, affine)
    field = cut(cut(boxes, scan.shape, scan.affine), input_volume.shape, input_volume.affine)
    inside = {
        organ: overlap(field, organs.codes == code, organs.affine)
        for code, organ in enumerate(organs.organs, start=1)
    }
    in_organs = sum(inside.values(), start=np.zeros(shape))
    in_body = np.clip(_in_body(field, scan), in_organs, np.maximum(field.whole, in_organs))
    in_field = np.maximum(field.whole, in_body)
    shares = inside | {
        REST_OF_BODY: in_body - in_organs,
        OUTSIDE_BODY: in_field - in_body,
        OUTSIDE_FIELD: np.clip(1.0 - in_field, 0.0, None),
    }
    return PlacesInCells(
        tuple(shares),
        np.stack(list(shares.values())),
        seen=_seen(organs, inside, affine),
        verdicts=organs.verdicts,
    )


def body_mask(
    scan: Volume,
) -> tuple[Bool[np.ndarray, "slice row column"], Float64[np.ndarray, "4 4"]]:
    """The patient with the air inside, without table and clothes, on a grid of about 2 mm."""
    turned = reorient(scan, _READING)
    spacing_mm = np.array(turned.spacing_mm)
    blocks = np.clip(_BODY_STEP_MM // spacing_mm, 1, turned.shape).astype(int)
    image = sitk.BinShrink(sitk.GetImageFromArray(turned.voxels), blocks[::-1].tolist())
    hu = np.clip(sitk.GetArrayFromImage(image), -32768, 32767).astype(np.int16)
    trunk = body(hu)
    coarser = np.diag([*blocks.astype(float), 1.0])
    coarser[:3, 3] = (blocks - 1) / 2
    whole = fill_voids.fill(trunk | enclosed_air(hu, trunk))  # vessels and nodules in the lungs
    return whole, turned.affine @ coarser


def _in_body(field: Boxes, scan: Volume) -> Float[np.ndarray, "slice row column"]:
    return overlap(field, *body_mask(scan))


def _seen(
    organs: OrganMasks,
    inside: Mapping[str, Float[np.ndarray, "slice row column"]],
    affine: Float64[np.ndarray, "4 4"],
) -> dict[str, float]:
    """The share of each organ in the cells; 1 of an organ that has no voxel."""
    voxels = np.bincount(organs.codes.ravel(), minlength=len(organs.organs) + 1)
    cell = abs(np.linalg.det(affine[:3, :3]) / np.linalg.det(organs.affine[:3, :3]))
    return {
        organ: min(float(inside[organ].sum() * cell / voxels[code]), 1.0)
        if voxels[code]
        else 1.0
        for code, organ in enumerate(organs.organs, start=1)
    }


def _check_grid(organs: OrganMasks, scan: Volume) -> None:
    off_mm = np.abs(organs.affine - scan.affine).max()
    if organs.codes.shape != scan.shape or off_mm > _SAME_PLACE_MM:
        raise ShapeError(
            f"organs lie on a grid of {organs.codes.shape} voxels, the scan that was explained "
            f"has {scan.shape}, or another place: segment that scan, or import its masks"
        )


Sign = Literal["positive", "negative"]
IN_WORDS = {
    REST_OF_BODY: "elsewhere in the body",
    OUTSIDE_BODY: "outside the body",
    OUTSIDE_FIELD: "outside the field that the network saw",
}
_TOLD = 0.05  # the least share that a sentence tells of
_ALARMING = 0.01  # the same of places where no finding can be
_NO_FINDING_THERE = (OUTSIDE_BODY, OUTSIDE_FIELD)


@dataclass(frozen=True, eq=False)
class OrganShares:
    """Evidence of each label in each place, in logits: what raised the score, what lowered it.

    `volume` is the share of the map's own volume in each place, which evidence that is spread
    evenly would have. `seen` is the share of each organ within the map's cells.
    """

    labels: tuple[str, ...]
    places: tuple[str, ...]
    raised: Float64[np.ndarray, "label place"]
    lowered: Float64[np.ndarray, "label place"]
    volume: Mapping[str, float]
    seen: Mapping[str, float]
    verdicts: Mapping[str, Verdict]

    def positive(self, label: str) -> dict[str, float]:
        """Share of the positive evidence in each place; they add up to 1, or all are 0."""
        return self._shares(self.raised, label)

    def negative(self, label: str) -> dict[str, float]:
        """The same of the negative evidence."""
        return self._shares(self.lowered, label)

    def net(self, place: str) -> dict[str, float]:
        """What a place did to each score, by the maps alone."""
        column = self.places.index(place)
        net = self.raised[:, column] + self.lowered[:, column]
        return dict(zip(self.labels, net.tolist(), strict=True))

    def sentence(self, label: str) -> str:
        """Where the evidence lies, the largest share first, and which masks are in doubt."""
        sign: Sign = "positive"
        shares = self.positive(label)
        begin = ""
        if not any(shares.values()):
            sign, shares = "negative", self.negative(label)
            begin = "No place raised this score. "
        if not any(shares.values()):
            return "The map is zero everywhere."
        told = [
            place
            for place in sorted(shares, key=lambda place: -shares[place])
            if shares[place] >= (_ALARMING if place in _NO_FINDING_THERE else _TOLD)
        ]
        parts = [f"{100 * shares[place]:.0f} % {{}}{_where(place)}" for place in told]
        parts[0] = parts[0].format(f"of the {sign} evidence lies ")
        return f"{begin}{', '.join(part.format('') for part in parts)}.{self._doubts(told)}"

    def _shares(
        self, evidence: Float64[np.ndarray, "label place"], label: str
    ) -> dict[str, float]:
        row = evidence[self.labels.index(label)]
        total = row.sum()
        shares = row / total if total else np.zeros_like(row)
        return dict(zip(self.places, shares.tolist(), strict=True))

    def _doubts(self, told: list[str]) -> str:
        doubtful = [
            place.replace("_", " ")
            for place in told
            if place in self.verdicts and not self.verdicts[place].trusted
        ]
        return f" In doubt: the mask of the {' and the '.join(doubtful)}." if doubtful else ""


def organ_shares(
    labels: tuple[str, ...],
    maps: Float[np.ndarray, "label slice row column"],
    cells: PlacesInCells,
) -> OrganShares:
    """Each cell's evidence goes to the places that it lies in, by the volume in each."""
    exact = maps.astype(np.float64)
    in_places = "lsrc,psrc->lp"
    return OrganShares(
        labels,
        cells.places,
        raised=np.einsum(in_places, np.maximum(exact, 0), cells.shares, optimize=True),
        lowered=np.einsum(in_places, np.minimum(exact, 0), cells.shares, optimize=True),
        volume=dict(zip(cells.places, cells.shares.mean(axis=(1, 2, 3)).tolist(), strict=True)),
        seen=cells.seen,
        verdicts=cells.verdicts,
    )


def _where(place: str) -> str:
    return IN_WORDS.get(place, f"in the {place.replace('_', ' ')}")
