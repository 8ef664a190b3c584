"""The labeller: a report's text becomes findings with places and with the words for them."""

from dataclasses import dataclass
from functools import cached_property

from hirescam.reports.default.anaphora import Told
from hirescam.reports.default.reading import Reader, Stated
from hirescam.reports.default.sections import Headings
from hirescam.reports.default.sentences import split_sentences
from hirescam.reports.default.vocabulary import Vocabulary
from hirescam.reports.table import Finding


@dataclass(frozen=True)
class DefaultProfile:
    """Labels reports by a vocabulary; the same text gives the same findings."""

    vocabulary: Vocabulary

    @cached_property
    def version(self) -> str:
        """A hash of the vocabulary."""
        return self.vocabulary.version

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.vocabulary)

    @cached_property
    def _headings(self) -> Headings:
        return Headings(self.vocabulary.headings)

    def label(self, report_id: str, text: str) -> list[Finding]:
        """Every finding that the report states: one row for each of its locations."""
        found: list[Finding] = []
        for section in self._headings.split(text):
            last = Told()
            for start, end in split_sentences(text, section.start, section.end):
                reading = self._reader.read(text[start:end], section.lies_in)
                told = last.followed_by(reading, start)
                for offset, stated in told.findings:
                    found += _findings(report_id, text, offset, stated)
                last = told
        return list(dict.fromkeys(found))


def _findings(report: str, text: str, offset: int, stated: Stated) -> list[Finding]:
    start, end = offset + stated.start, offset + stated.end
    return [
        Finding(report, stated.abnormality, place, stated.status, start, end, text[start:end])
        for place in stated.locations or ("",)
    ]
