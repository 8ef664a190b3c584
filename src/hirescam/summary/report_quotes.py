"""Report quotes: what a radiologist's report says of each label, by the words that say so."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from hirescam.errors import ReadError
from hirescam.reports.default.vocabulary import Abnormality, read_vocabulary
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


@cache
def label_synonyms(labels: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Other words for each label, by the labeller's vocabulary; "*" is any ending."""
    vocabulary = read_vocabulary()
    rows = {row.name: row for row in vocabulary.abnormalities}
    view = _view_of(labels)
    meant = {label: set[str]() for label in labels}
    for meaning in view.meanings:
        if meaning.label in meant:
            meant[meaning.label].update(meaning.findings)
    for label in labels:  # of no view: by its own name
        name = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")
        meant[label] |= {name} & rows.keys()
    return {
        label: tuple(
            dict.fromkeys(
                text
                for finding in sorted(findings & rows.keys())
                for text in (finding, *_words_of(rows[finding], vocabulary.words))
            )
        )
        for label, findings in meant.items()
    }


def _words_of(row: Abnormality, words: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Its terms as plain words: alternatives and lists of the vocabulary side by side."""
    for term in (*row.terms, *row.bare):
        yield _plain(term, words)
    for near in row.near:
        yield _plain(" ".join((*near.of, *near.word)), words)


def _plain(term: str, words: Mapping[str, Sequence[str]]) -> str:
    listed = re.sub(r"@(\w+)", lambda name: " ".join(words.get(name[1], ())), term)
    return " ".join(re.sub(r"[^\w*]+", " ", listed).split())


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
