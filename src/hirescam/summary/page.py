"""Page: an explanation as one HTML file that needs no network and no other file.

Its numbers and pictures need no script either; with scripts the viewer opens over them.
"""

import base64
import hashlib
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image

from hirescam.explanation import Explanation
from hirescam.summary import browser
from hirescam.summary.colours import UNIT, Scale
from hirescam.summary.findings import DISCLAIMER, Finding
from hirescam.summary.pictures import colour_bar
from hirescam.summary.templates import signed, template

WIDTH, HEIGHT = 560, 210
LEFT, RIGHT, TOP, BOTTOM = 64, 548, 16, 166  # the curve's box; the axes' words lie around it
BOX = {
    "WIDTH": WIDTH,
    "HEIGHT": HEIGHT,
    "LEFT": LEFT,
    "RIGHT": RIGHT,
    "TOP": TOP,
    "BOTTOM": BOTTOM,
}
_CROWDED = 0.12  # of the height: a number closer than this to another would cover it
_FROM_TO = {
    "I": ("head", "feet"),
    "S": ("feet", "head"),
    "P": ("front", "back"),
    "A": ("back", "front"),
    "L": ("right", "left"),
    "R": ("left", "right"),
}


@dataclass(frozen=True)
class Profile:
    """What the chart shows: x to the right and y down, in its own units."""

    curve: tuple[tuple[float, float], ...]
    ticks: tuple[tuple[float, str], ...]
    zero: float
    peak: float
    start: str
    end: str
    sentence: str


def slice_profile(
    scores: Float[np.ndarray, "slice"], peak_slice: int, orientation: str
) -> Profile:
    """The curve of `scores`, zero, and the slice of the map's peak.

    `orientation` says where the slices lead, as in `Volume.orientation`.
    """
    low, high = min(0.0, float(scores.min())), max(0.0, float(scores.max()))
    if low == high:
        low, high = -1.0, 1.0
    x = np.interp(np.arange(len(scores)), [0, max(len(scores) - 1, 1)], [LEFT, RIGHT])
    y = np.interp(scores, [low, high], [BOTTOM, TOP])
    zero = float(np.interp(0, [low, high], [BOTTOM, TOP]))
    ticks = [(float(BOTTOM), signed(low)), (float(TOP), signed(high))]
    if min(BOTTOM - zero, zero - TOP) > _CROWDED * (BOTTOM - TOP):
        ticks.append((zero, signed(0.0)))
    start, end = _FROM_TO[orientation[0]]
    return Profile(
        curve=tuple(zip(x.round(1).tolist(), y.round(1).tolist(), strict=True)),
        ticks=tuple(ticks),
        zero=zero,
        peak=float(x[peak_slice]),
        start=start,
        end=end,
        sentence=(
            f"Score of {len(scores)} slice groups from {start} to {end}: between "
            f"{signed(float(scores.min()))} and {signed(float(scores.max()))}, the highest in "
            f"group {int(scores.argmax()) + 1}, the map's peak in group {peak_slice + 1}"
        ),
    )


Pictures = Mapping[str, tuple[str, tuple[int, int]]]
"""The data URI and the size of each label's planes."""

_BAR = (440, 26)


def data_uri(picture: Image.Image, kind: str = "webp") -> str:
    """A picture written into its own address."""
    packed = io.BytesIO()
    picture.save(packed, kind, quality=85, method=2)
    return f"data:image/{kind};base64,{base64.b64encode(packed.getvalue()).decode()}"


def page(
    explanation: Explanation,
    rows: Sequence[Finding],
    scale: Scale,
    pictures: Pictures,
    files: Mapping[str, str] | None = None,
    *,
    places: Mapping[str, str] | None = None,
    warnings: Sequence[str] = (),
    lesions: Collection[str] = (),
) -> str:
    """The report of `rows`; with `files`, of `inline_viewer_files`, there is a viewer.

    `places` tells in a sentence where each label's evidence lies, where organs were found;
    `lesions` are the labels whose known place is outlined.
    """
    orientation = explanation.input_volume.orientation
    scripts = {"search": browser.search(), **({"viewer": browser.script()} if files else {})}
    return template("report.html.jinja").render(
        **scripts,
        trusted=[_trust(script) for script in scripts.values()],
        style=browser.style() if files else "",
        shell=browser.shell(),
        files={name: text.replace("<", "\\u003c") for name, text in (files or {}).items()},
        explanation=explanation,
        scan=explanation.scan,
        made_by=explanation.provenance,
        rows=rows,
        pictures=pictures,
        places=places or {},
        warnings=warnings,
        lesions=lesions,
        box=BOX,
        profiles={
            row.label: slice_profile(row.slice_scores, row.peak.cell[0], orientation)
            for row in rows
            if row.slice_scores is not None
        },
        scale=scale,
        bar=data_uri(colour_bar(scale, *_BAR), "png"),
        unit=UNIT,
        disclaimer=DISCLAIMER,
    )


def _trust(script: str) -> str:
    """A script as a page's security policy names it."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
