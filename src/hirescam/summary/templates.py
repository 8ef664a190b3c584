"""Templates of our pages, where text is escaped, and numbers as readers expect them."""

import math
from collections.abc import Callable
from functools import cache
from importlib.resources import files

import jinja2

_SIDES = (("R", "L"), ("A", "P"), ("S", "I"))  # a positive RAS coordinate, a negative one


def signed(value: float) -> str:
    """Three significant digits and a sign; zero has none."""
    return f"{value:+#.3g}".rstrip(".").replace("-", "−") if value else "0"


def exact(value: float) -> str:
    """Five decimals, for sums that a reader wants to check."""
    return f"{value:.5f}".replace("-", "−")


def probability(share: float) -> str:
    """A probability in percent; a sigmoid is never certain, whatever rounding makes of it."""
    if share < 0.0005:
        return "<0.1%"
    if share >= 0.9995:
        return ">99.9%"
    return f"{share:.1%}"


def number(value: object, digits: int = 3) -> str:
    """A number of a table; a dash where it is undefined."""
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.{digits}f}"
    return str(value)


def percent(value: object) -> str:
    """A share of a table in whole percent; a dash where it is undefined."""
    return f"{value:.0%}" if isinstance(value, float) and math.isfinite(value) else "–"


def place(patient_mm: tuple[float, float, float]) -> str:
    """A point of the patient's coordinates, e.g. "L 12.0 · P 40.5 · S 101.3 mm"."""
    parts = (
        f"{sides[point < 0]} {abs(point):.1f}"
        for sides, point in zip(_SIDES, patient_mm, strict=True)
    )
    return " · ".join(parts) + " mm"


FILTERS: dict[str, Callable[..., str]] = {
    "signed": signed,
    "exact": exact,
    "probability": probability,
    "place": place,
    "number": number,
    "percent": percent,
}
"""How pages write numbers."""


@cache
def template(name: str, package: str = "hirescam.summary") -> jinja2.Template:
    """The template in the file `name` of a package's folder, with `FILTERS`."""
    source = files(package).joinpath(name).read_text(encoding="utf-8")
    house = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    house.filters |= FILTERS
    return house.from_string(source)
