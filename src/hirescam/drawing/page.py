"""Page: an explanation as one HTML file that needs no network, no script and no other file."""

import base64
import io
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

import jinja2
from PIL import Image

from hirescam.drawing import numbers, slice_profile
from hirescam.drawing.colours import UNIT, Scale
from hirescam.drawing.findings import Finding
from hirescam.drawing.montage import colour_bar
from hirescam.drawing.record import DISCLAIMER
from hirescam.explanation import Explanation

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
    pictures: Mapping[str, tuple[str, tuple[int, int]]],
) -> str:
    """The report of `rows`; `pictures` gives the data URI and size of each label's planes."""
    orientation = found.placed.orientation
    return _template().render(
        found=found,
        scan=found.scan,
        made_by=found.provenance,
        rows=rows,
        pictures=pictures,
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


@cache
def _template() -> jinja2.Template:
    source = files(__package__).joinpath("report.html.jinja").read_text(encoding="utf-8")
    house = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    house.filters |= {
        "signed": numbers.signed,
        "exact": numbers.exact,
        "probability": numbers.probability,
        "place": numbers.place,
    }
    return house.from_string(source)
