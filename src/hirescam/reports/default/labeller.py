"""The labeller: a report's text becomes findings with places and with the words for them."""

from dataclasses import dataclass
from functools import cached_property

from hirescam.reports.default.anaphora import NOTHING_TOLD
from hirescam.reports.default.reading import Reader, Stated
from hirescam.reports.default.sections import Headings
from hirescam.reports.default.sentences import split_sentences
from hirescam.reports.default.vocabulary import Vocabulary
from hirescam.reports.profile import LeftOut, VocabularyRow
from hirescam.reports.table import Finding, Status


@dataclass(frozen=True)
class DefaultProfile:
    """Labels reports by a vocabulary; the same text gives the same findings."""

    vocabulary: Vocabulary
    reader: Reader
    headings: Headings

    @cached_property
    def version(self) -> str:
        """A hash of the vocabulary."""
        return self.vocabulary.version

    def label(self, report_id: str, text: str) -> list[Finding]:
        """Every finding that the report states: one row for each of its locations."""
        found: list[Finding] = []
        for section in self.headings.split(text):
            last = NOTHING_TOLD
            for start, end in split_sentences(text, section.start, section.end):
                reading = self.reader.read(text[start:end], section.lies_in)
                told = last.followed_by(reading, start)
                for offset, stated in told.findings:
                    found += _findings(report_id, text, offset, stated)
                last = told
        placed = {_said(finding) for finding in found if finding.location}
        return [
            finding
            for finding in dict.fromkeys(found)
            if finding.location or _said(finding) not in placed
        ]

    def vocabulary_rows(self) -> list[VocabularyRow]:
        """Every row of the vocabulary, its example tried."""
        tables = self.vocabulary.tables
        return [
            VocabularyRow(
                table, row.name, row.terms, row.example, row.expected, self._given(row.example)
            )
            for table, rows in tables.items()
            for row in rows
        ]

    def left_out(self, text: str) -> list[LeftOut]:
        """Parts below headings whose findings are not of this scan."""
        ends = [0, *(section.end for section in self.headings.split(text))]
        starts = [*(section.start for section in self.headings.split(text)), len(text)]
        return [
            LeftOut(end, start, "not read: no finding of this scan stands below this heading")
            for end, start in zip(ends, starts, strict=True)
            if text[end:start].strip()
        ]

    def _given(self, example: str) -> tuple[str, ...]:
        """What a text gives, written as in the vocabulary: "present nodule @ lung"."""
        places: dict[tuple[str, str], set[str]] = {}
        for finding in self.label("example", example):
            key = (finding.status.value, finding.abnormality)
            places.setdefault(key, set()).add(finding.location)
        return tuple(
            f"{status} {name} @ {' '.join(sorted(at))}".removesuffix(" @ ")
            for (status, name), at in sorted(places.items())
        )


def _said(finding: Finding) -> tuple[str, Status, int]:
    """A finding without its place: a later sentence may have told it."""
    return finding.abnormality, finding.status, finding.start


def _findings(report: str, text: str, offset: int, stated: Stated) -> list[Finding]:
    start, end = offset + stated.start, offset + stated.end
    return [
        Finding(report, stated.abnormality, place, stated.status, start, end, text[start:end])
        for place in stated.locations or ("",)
    ]
