import re

from hirescam.methods import KNOWN_FAILURES, METHODS
from make import REPO

GALLERY = (REPO / "docs/gallery/methods.md").read_text()
COMING = (REPO / "docs/how-to/coming-from-other-tools.md").read_text()


def rows(text):
    """Cells of every table row."""
    return [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]


def test_the_gallery_has_one_row_for_each_method():
    named = [re.fullmatch(r" `(\w+)` ", row[0]) for row in rows(GALLERY)]
    assert sorted(match[1] for match in named if match) == sorted(METHODS)


def test_every_row_says_what_is_shown_its_source_and_what_is_known_against_it():
    for row in rows(GALLERY):
        assert len(row) == 4
        assert all(cell.strip() for cell in row)


def test_the_methods_whose_failures_programs_can_read_are_named():
    (sentence,) = re.findall(r"The failures of (.*?) are", GALLERY, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", sentence)) == set(KNOWN_FAILURES)


def test_what_other_tools_are_replaced_by_exists():
    here = [row[1] for row in rows(COMING) if len(row) == 2]
    calls = {name for cell in here for name in re.findall(r"`(?:methods\.)?(\w+)[(`]", cell)}
    assert len(calls) > 10
    assert calls <= set(METHODS)
