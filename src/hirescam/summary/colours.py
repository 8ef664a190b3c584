"""Colours: how a place on the scan, and what a map adds there, become one pixel.

Maps are signed, so the colours are two: orange raised the score, blue lowered it. The hue says
the sign alone and opacity, in proportion to the value, says the size alone: little evidence
looks like little, and the CT stays visible below much. Ready-made diverging maps lose there:
"RdBu" paints its white middle over dark lungs and its dark ends vanish in them; dark-centred
ones (berlin, managua) under growing opacity fade with the square of the value.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped, UInt8

UNIT = "logit per cell"
MOST_OPAQUE = 0.75
# Okabe and Ito's pair for every common colour blindness, equally light (L* 71 and 70).
RAISED = np.array([0xE6, 0x9F, 0x00], np.float32) / 255
LOWERED = np.array([0x56, 0xB4, 0xE9], np.float32) / 255


_HARDLY_SEEN = 4.0
"""How many times finer a map's own scale has to be to take the place of the shared one."""


@dataclass(frozen=True)
class Scale:
    """A symmetric scale of colours: `limit` has the strongest.

    All pictures of a summary share one; `is_own` is one that a finding has for itself.
    """

    limit: float
    is_own: bool = False

    @property
    def ticks(self) -> tuple[float, ...]:
        """Values worth a number beside the colour bar."""
        return tuple(self.limit * step for step in (-1, -0.5, 0, 0.5, 1))


def shared_scale(maps: Float[np.ndarray, "label slice row column"]) -> Scale:
    """The scale that just holds every value of every map, in two digits; 1 if all are zero."""
    return Scale(_round_up(float(np.abs(maps).max(initial=0.0))))


def scale_of(
    values: Float[np.ndarray, "slice row column"], shared: Scale, *, likely: bool
) -> Scale:
    """The shared scale; the map's own where a likely finding would hardly be seen on that.

    A finding of many cells needs little evidence in each: beside one of few cells its map would
    have no colour, and its page a high probability without a place.
    """
    largest = float(np.abs(values).max(initial=0.0))
    if not likely or not 0 < largest < shared.limit / _HARDLY_SEEN:
        return shared
    return Scale(_round_up(largest), is_own=True)


def _round_up(largest: float) -> float:
    if largest == 0:
        return 1.0
    digit = 10.0 ** (np.floor(np.log10(largest)) - 1)
    return float(f"{np.ceil(largest / digit * (1 - 1e-9)) * digit:.2g}")


@cache
def _windows() -> Mapping[str, Any]:
    text = files(__package__).joinpath("windows.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def window_presets() -> dict[str, tuple[float, float]]:
    """Hounsfield units shown as black and as white, by name."""
    return {name: (low, high) for name, (low, high) in _windows()["presets"].items()}


@cache
def window_name(label: str) -> str:
    """The preset in which the abnormality that `label` names is seen best: `windows.toml`."""
    told = "_" + re.sub(r"[^a-z0-9]+", "_", label.lower()) + "_"

    def names(words: list[str]) -> bool:
        return any("_" + word.replace(" ", "_") in told for word in words)

    return next(
        str(row["preset"])
        for row in _windows()["rows"]
        if names(row["words"]) and not names(row.get("not", []))
    )


def window_hu(label: str) -> tuple[float, float]:
    """Hounsfield units shown as black and as white for the abnormality that `label` names."""
    return window_presets()[window_name(label)]


def grey(
    hu: Shaped[np.ndarray, "*place"], window: tuple[float, float]
) -> Float[np.ndarray, "*place"]:
    """Brightness from 0 to 1 of Hounsfield units in a window."""
    low, high = window
    return np.clip((hu.astype(np.float32) - low) / (high - low), 0, 1)


def blend(
    brightness: Float[np.ndarray, "*place"], values: Float[np.ndarray, "*place"], scale: Scale
) -> UInt8[np.ndarray, "*place 3"]:
    """The scan's brightness with a map's colour over it, as RGB."""
    strength = np.clip(values / scale.limit, -1, 1)
    opacity, raised = MOST_OPAQUE * np.abs(strength), strength > 0
    pixels = np.empty((*brightness.shape, 3), np.uint8)
    for channel, (up, down) in enumerate(zip(RAISED, LOWERED, strict=True)):
        blended = brightness + opacity * (np.where(raised, up, down) - brightness)
        pixels[..., channel] = np.rint(blended.astype(brightness.dtype) * 255)
    return pixels
