"""Passes: acquisitions of one series that interleave in depth are told apart, never mixed."""

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from hirescam.ct.dicom.geometry import SAME_PLACE_MM, Plane
from hirescam.ct.dicom.headers import value
from hirescam.errors import GeometryError

_FEWEST = 3  # slices of a pass; one number for each slice tells none apart
_KEYWORDS = (
    ("AcquisitionNumber", "FrameAcquisitionNumber"),
    ("KVP",),
    ("ConvolutionKernel",),
    ("ContrastBolusAgent",),
    ("ContentTime",),
)
_SHOWN = re.compile(r"[0-9.]{1,16}")  # nothing that could name a person


def one_pass(planes: Sequence[Plane], acquisition: str | None = None) -> list[Plane]:
    """The slices, or those of one acquisition; `GeometryError` where several interleave.

    `acquisition` is an AcquisitionNumber, or where that tells nothing apart the number that the
    error gives to a pass.
    """
    planes = list(planes)
    numbered = _passes(planes, _KEYWORDS[0])
    if acquisition is not None and (len(numbered) > 1 or acquisition in numbered):
        if acquisition not in numbered:
            raise _none_such(numbered)
        planes, acquisition = numbered[acquisition], None
    for keywords in _KEYWORDS:
        passes = _passes(planes, keywords)
        large = {name: those for name, those in passes.items() if len(those) >= _FEWEST}
        if not _overlap(list(large.values())):
            continue
        shown = all(_SHOWN.fullmatch(name) for name in large)
        named = large if shown else {str(1 + at): it for at, it in enumerate(large.values())}
        if acquisition is not None:
            if acquisition in named:
                return named[acquisition]
            raise _none_such(named)
        listed = ", ".join(f"{name} ({len(those)} slices)" for name, those in named.items())
        raise GeometryError(
            f"holds {len(named)} acquisitions that overlap in depth, told apart by "
            f"{keywords[0]}: {listed}; choose one (acquisition={next(iter(named))!r}, "
            f"--acquisition {next(iter(named))})"
        )
    if acquisition is not None:
        raise _none_such(numbered)
    return planes


def _none_such(passes: dict[str, list[Plane]]) -> GeometryError:
    names = ", ".join(name for name in passes if _SHOWN.fullmatch(name)) or "none with a number"
    return GeometryError(f"holds no such acquisition, but {names}: choose one of them")


def _passes(planes: Sequence[Plane], keywords: Sequence[str]) -> dict[str, list[Plane]]:
    found: dict[str, list[Plane]] = defaultdict(list)
    for plane in planes:
        said = [value(plane.header, plane.frame, keyword) for keyword in keywords[::-1]]
        first = next((each for each in said if each not in (None, "")), "")
        found[f"{first:.10g}" if isinstance(first, float | int) else str(first)].append(plane)
    return dict(found)


def _overlap(passes: Sequence[Sequence[Plane]]) -> bool:
    """Whether slices of one pass lie between those of another, in places of their own."""
    if len(passes) < 2:
        return False
    cosines = passes[0][0].cosines
    normal = np.cross(cosines[:3], cosines[3:])
    depths_mm = [np.sort([float(normal @ it.position_mm) for it in those]) for those in passes]
    for index, one in enumerate(depths_mm):
        for other in depths_mm[index + 1 :]:
            low, high = max(one[0], other[0]), min(one[-1], other[-1])
            inside = [each[(each > low - 1e-6) & (each < high + 1e-6)] for each in (one, other)]
            if high - low <= SAME_PLACE_MM or min(map(len, inside)) < 2:
                continue
            nearest_mm = np.abs(inside[0][:, None] - inside[1]).min(axis=1)
            if (nearest_mm > SAME_PLACE_MM).any():
                return True
    return False
