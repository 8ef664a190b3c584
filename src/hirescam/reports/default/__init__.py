"""profile="default": our own labeller; its rules and its words are tables."""

from pathlib import Path

from hirescam.reports.default.labeller import DefaultProfile, Reader
from hirescam.reports.default.text import Headings
from hirescam.reports.default.vocabulary import read_vocabulary


def build(vocabulary: Path | None = None) -> DefaultProfile:
    """The labeller of our vocabulary, with a site's folder of corrections laid over it.

    Raises `HirescamError` that names the row of the vocabulary that is not valid.
    """
    tables = read_vocabulary(vocabulary)
    return DefaultProfile(tables, Reader(tables), Headings(tables.headings))
