"""Page: an explanation as one HTML file that needs no network and no other file.

Its numbers and pictures need no script either; with scripts the viewer opens over them.
"""

import base64
import hashlib
import io
from collections.abc import Mapping, Sequence

from PIL import Image

from hirescam.drawing import browser, slice_profile
from hirescam.drawing.colours import UNIT, Scale
from hirescam.drawing.findings import Finding
from hirescam.drawing.montage import colour_bar
from hirescam.drawing.record import DISCLAIMER
from hirescam.drawing.template import template
from hirescam.explanation import Explanation

Pictures = Mapping[str, tuple[str, tuple[int, int]]]
"""The data URI and the size of each label's planes."""

_BAR = (440, 26)


def data_uri(picture: Image.Image, kind: str = "webp") -> str:
    """A picture written into its own address."""
    packed = io.BytesIO()
    picture.save(packed, kind, quality=85, method=2)
    return f"data:image/{kind};base64,{base64.b64encode(packed.getvalue()).decode()}"


def page(
    found: Explanation,
    rows: Sequence[Finding],
    scale: Scale,
    pictures: Pictures,
    files: Mapping[str, str] | None = None,
    *,
    places: Mapping[str, str] | None = None,
) -> str:
    """The report of `rows`; with `files`, as `inline_living` gives them, there is a viewer.

    `places` tells in a sentence where each label's evidence lies, where organs were found.
    """
    orientation = found.placed.orientation
    scripts = {"search": browser.search(), **({"viewer": browser.script()} if files else {})}
    return template("report.html.jinja").render(
        **scripts,
        trusted=[_trust(script) for script in scripts.values()],
        style=browser.style() if files else "",
        shell=browser.shell(),
        files={name: text.replace("<", "\\u003c") for name, text in (files or {}).items()},
        found=found,
        scan=found.scan,
        made_by=found.provenance,
        rows=rows,
        pictures=pictures,
        places=places or {},
        box=slice_profile,
        profiles={
            row.label: slice_profile.slice_profile(
                row.slice_scores, row.peak.cell[0], orientation
            )
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
