"""Report quotes: what a radiologist's report says of each label, by the words that say so."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hirescam.errors import ReadError
from hirescam.reports.label import LONGEST, label_reports
from hirescam.reports.table import Finding
from hirescam.reports.views import View, read_view, view_names

Passage = dict[str, str]
"""`before`, `evidence`, `after`: a stretch of the text; `status`: what it says of the label."""

_AROUND = 70  # characters quoted on either side
_NAME = "report"


def read_report(path: Path) -> str:
    """The text of a file. Raises `ReadError` if it is no UTF-8, or longer than any report."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LONGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise ReadError(f"cannot read the report {path}: {reason}; give a text file") from error
    if len(text) > LONGEST:
        raise ReadError(f"{path} is longer than {LONGEST} characters: give one report")
    return text


def report_words(text: str, labels: Sequence[str]) -> Mapping[str, list[Passage]]:
    """Passages of `text` about each of `labels`, by the shipped view that knows most of them.

    Raises `ReadError` if the text cannot be labelled.
    """
    table = label_reports({_NAME: text})
    if table.refused:
        raise ReadError(f"the report cannot be labelled: {table.refused[_NAME]}")
    view = _view_of(labels)
    words: dict[str, list[Passage]] = {}
    for finding in table[_NAME]:
        for label in view.see([finding]).keys() & set(labels):
            passage = _passage(text, finding)
            if passage not in words.setdefault(label, []):
                words[label].append(passage)
    return {label: words[label] for label in labels if label in words}


def _view_of(labels: Sequence[str]) -> View:
    views = map(read_view, view_names())
    return max(views, key=lambda view: len(set(labels) & set(view.labels)))


def _passage(text: str, finding: Finding) -> Passage:
    start, end = max(finding.start - _AROUND, 0), finding.end + _AROUND
    return {
        "before": ("…" if start else "") + text[start : finding.start],
        "evidence": text[finding.start : finding.end],
        "after": text[finding.end : end] + ("…" if end < len(text) else ""),
        "status": str(finding.status),
    }
