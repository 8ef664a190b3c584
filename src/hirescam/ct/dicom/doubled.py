"""Doubled: of several slices in one place, as two acquisitions leave them, one is kept."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Shaped

from hirescam.ct.dicom.planes import Plane
from hirescam.ct.dicom.repairs import Repairs
from hirescam.ct.dicom.stack import Stack
from hirescam.errors import GeometryError

SAME_PLACE_MM = 0.01


def one_each(
    stack: Stack,
    repairs: Repairs,
    decode: Callable[[Plane], Shaped[np.ndarray, "row column"]],
) -> Stack:
    """The stack with one slice in each place: that of the first acquisition, if repaired.

    `decode` gives the voxels of slices whose headers leave open which was acquired first;
    such slices must be equal.
    """
    gaps_mm = np.diff(stack.offsets_mm[:, 0])
    doubled = int((gaps_mm < SAME_PLACE_MM).sum())
    if not doubled:
        return stack
    lie = f"{doubled} of {len(stack.planes)} slices lie where another one lies"
    repairs.make(
        f"{lie}: of each place the slice of the first acquisition was kept",
        instead_of=GeometryError(f"{lie}: leave only the slices of one acquisition"),
    )
    places = np.split(
        np.arange(len(stack.planes)), np.flatnonzero(gaps_mm >= SAME_PLACE_MM) + 1
    )
    kept = [_first([stack.planes[index] for index in place], decode) for place in places]
    return replace(stack, planes=kept)


def _first(
    here: list[Plane], decode: Callable[[Plane], Shaped[np.ndarray, "row column"]]
) -> Plane:
    first, *others = sorted(here, key=lambda plane: plane.order)
    for other in others:
        if other.order == first.order and not np.array_equal(decode(first), decode(other)):
            raise GeometryError(
                "two slices in one place differ, and neither AcquisitionNumber nor "
                "InstanceNumber says which was first: leave only one of them"
            )
    return first
