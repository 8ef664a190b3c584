"""Batch: a file of reports to a file of labels, or to the explanation of one of them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import hirescam
from hirescam.atomic import refuse_overwriting
from hirescam.errors import HirescamError
from hirescam.parsing import read_json
from hirescam.reports.explain import ReportExplanation, explain_report
from hirescam.reports.files import read_reports
from hirescam.reports.label import label_one, label_stream
from hirescam.reports.profile import ProfileChoice
from hirescam.reports.views import read_view
from hirescam.reports.writing import Counting, Written, write_labels

LONG = "long"


@dataclass(frozen=True)
class Source:
    """A file or folder of reports, and the columns that name and hold them."""

    path: Path
    id_column: str = "id"
    text_column: str = "report"

    def read(self) -> Iterator[tuple[str, str | None]]:
        """Name and text of each report; see `read_reports`."""
        return read_reports(self.path, id_column=self.id_column, text_column=self.text_column)


def label_file(
    source: Source,
    out: Path,
    choice: ProfileChoice,
    *,
    format: str = LONG,
    counting: Counting | None = None,
    jobs: int = 1,
) -> Written:
    """Label every report of `source` and write `out`, in memory that does not grow with them.

    `format` is "long" or the name of a view (`view_names`). What cannot be labelled is named
    beside `out`; the rest goes on. Any number of `jobs` gives the same bytes.

    Raises `HirescamError` where the file, the vocabulary, the view or the disk refuses, and
    where `out` is a file that we did not write, or the reports themselves.
    """
    refuse_overwriting(out, ours=_is_ours(out), inputs=(source.path,))
    counting = counting or Counting()
    view = None if format == LONG else read_view(format)
    made_by = {
        "hirescam": hirescam.__version__,
        "profile": choice.name,
        "vocabulary": choice.build().version,
        "options": dict(choice.options),
        "format": format,
        **({} if view is None else asdict(counting)),
    }
    labelled = label_stream(source.read(), choice, jobs=jobs)
    return write_labels(labelled, out, made_by=made_by, view=view, counting=counting)


def _is_ours(out: Path) -> bool:
    """Whether the file beside it says that we wrote the labels in `out`."""
    try:
        return "vocabulary" in read_json(out.with_name(f"{out.name}.json"))
    except (OSError, ValueError, TypeError):
        return False


def explain_one(source: Source, report: str, choice: ProfileChoice) -> ReportExplanation:
    """What `choice` finds in one report of `source`, and why.

    Raises `HirescamError` if there is no such report, or it is no text.
    """
    text = next((text for name, text in source.read() if name == report), "")
    profile = choice.build()
    if problem := label_one(profile, report, text).problem:
        raise HirescamError(
            f"cannot explain report {report!r} of {source.path.name}: {problem}"
        )
    return explain_report(profile, report, text or "")
