"""Templates of our pages: text in them is escaped, and what is not given is an error."""

from collections.abc import Callable
from functools import cache
from importlib.resources import files

import jinja2

from hirescam.drawing import numbers

FILTERS: dict[str, Callable[..., str]] = {
    name: getattr(numbers, name)
    for name in ("signed", "exact", "probability", "place", "number", "percent")
}
"""How pages write numbers."""


@cache
def template(name: str) -> jinja2.Template:
    """The template in the file `name` of this folder, with `FILTERS`."""
    source = files(__package__).joinpath(name).read_text(encoding="utf-8")
    house = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    house.filters |= FILTERS
    return house.from_string(source)
