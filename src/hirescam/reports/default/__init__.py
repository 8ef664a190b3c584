"""profile="default": our own labeller; its rules and its words are tables."""

from pathlib import Path

from hirescam.reports.default.labeller import DefaultProfile
from hirescam.reports.default.vocabulary import read_vocabulary


def build(vocabulary: Path | None = None) -> DefaultProfile:
    """The labeller of our vocabulary, with a site's folder of corrections laid over it."""
    return DefaultProfile(read_vocabulary(vocabulary))
