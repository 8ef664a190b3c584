"""Page: an explained report as one HTML file that needs no network and no other file."""

from functools import cache
from importlib.resources import files

import jinja2

from hirescam.reports.explain import ReportExplanation


def page(explanation: ReportExplanation, *, profile: str) -> str:
    """The report in colour beside what was found; the page holds the report's text."""
    return _template().render(explanation=explanation, profile=profile)


@cache
def _template() -> jinja2.Template:
    source = files(__package__).joinpath("page.html.jinja").read_text(encoding="utf-8")
    house = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return house.from_string(source)
