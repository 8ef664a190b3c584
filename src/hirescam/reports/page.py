"""Page: an explained report as one HTML file that needs no network and no other file."""

from functools import cache
from importlib.resources import files
from pathlib import Path

import jinja2

from hirescam.atomic import atomic_write, refuse_overwriting
from hirescam.reports.explain import ReportExplanation

_GENERATOR = b'<meta name="generator" content="hirescam label">'


def page(explanation: ReportExplanation, *, profile: str) -> str:
    """The report in colour beside what was found; the page holds the report's text."""
    return _template().render(explanation=explanation, profile=profile)


def write_page(explanation: ReportExplanation, path: Path, *, profile: str) -> None:
    """Write the page to a file. Raises `WriteError` if one is there that is not such a page."""
    is_page = path.is_file() and _GENERATOR in path.read_bytes()
    refuse_overwriting(path, ours=is_page)
    with atomic_write(path) as file:
        file.write(page(explanation, profile=profile).encode())


@cache
def _template() -> jinja2.Template:
    source = files(__package__).joinpath("page.html.jinja").read_text(encoding="utf-8")
    house = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return house.from_string(source)
