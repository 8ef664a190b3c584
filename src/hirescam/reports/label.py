"""Label: many reports through one profile, in order, on as many processors as wanted."""

import multiprocessing
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import hirescam
from hirescam.atomic import refuse_overwriting
from hirescam.errors import HirescamError
from hirescam.parsing import read_json
from hirescam.reports.explain import ReportExplanation, explain_report
from hirescam.reports.files import read_reports
from hirescam.reports.label_files import Counting, Written, write_labels
from hirescam.reports.profile import Profile, ProfileChoice
from hirescam.reports.table import Labelled, LabelTable, tabulate
from hirescam.reports.views import published_names, read_view

LONGEST = 10_000_000
"""Characters of the longest report that is read."""
_CHUNK = 256
_FIRST_UNDECODED = 0xDC00  # what Python's "surrogateescape" adds to a byte that is not UTF-8
_NOT_TEXT = re.compile("[\x00-\x08\x0e-\x1b\ud800-\udfff]")


def label_reports(
    texts: Mapping[str, str] | Iterable[tuple[str, str]],
    *,
    profile: str = "default",
    vocabulary: Path | None = None,
    jobs: int = 1,
    **options: bool,
) -> LabelTable:
    """Find abnormalities, their places and the words that say so in reports, given by name.

    `vocabulary` is a folder of a site's own rows; `options` go to the profile: those named
    "sarle-2020" take `ambiguous` and `location_checks`. A report that is empty or no text is
    in `refused`. For more reports than fit into memory, see `label_stream`.

    Raises `HirescamError` for an unknown profile, a vocabulary that is not valid, or reports
    without names.
    """
    choice = ProfileChoice(profile, vocabulary, tuple(options.items()))
    version = choice.build().version
    reports = texts.items() if isinstance(texts, Mapping) else texts
    labelled = label_stream(_named(reports), choice, jobs=jobs)
    return tabulate(labelled, profile=profile, version=version)


def label_stream(
    reports: Iterable[tuple[str, str | None]], choice: ProfileChoice, *, jobs: int = 1
) -> Iterator[Labelled]:
    """Label reports in their order; memory does not grow with their number."""
    if jobs == 1:
        profile = choice.build()
        yield from (label_one(profile, name, text) for name, text in reports)
        return
    waiting: deque[Future[list[Labelled]]] = deque()
    spawn = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(jobs, spawn, _prepare, (choice,)) as pool:
            for chunk in _chunks(reports):
                waiting.append(pool.submit(_label_chunk, chunk))
                if len(waiting) > 2 * jobs:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
    except BrokenProcessPool as error:
        raise HirescamError(
            f"one of {jobs} worker processes was ended, most likely for want of memory: use "
            f"fewer jobs"
        ) from error


def label_one(profile: Profile, report: str, text: str | None) -> Labelled:
    """One report's findings, or the reason why it has none that could be trusted."""
    if problem := _problem(text):
        return Labelled(report, problem=problem)
    try:
        return Labelled(report, tuple(profile.label(report, text or "")))
    except Exception as error:  # one report must not end a run over a million
        return Labelled(report, problem=f"the labeller failed with {type(error).__name__}")


def _problem(text: str | None) -> str:
    """Why a text is no report; never a part of it, because problems are printed and kept."""
    if text is None:
        return "its row is damaged or has no text"
    if not text.strip():
        return "the report is empty"
    if len(text) > LONGEST:
        return f"the report has {len(text)} characters, more than {LONGEST}"
    if strange := _NOT_TEXT.search(text):
        code = ord(strange[0])
        byte = code - _FIRST_UNDECODED
        what = f"byte {byte:#04x}, not UTF-8" if 0x80 <= byte <= 0xFF else f"U+{code:04X}"
        return f"the report is not text: character {strange.start()} is {what}"
    return ""


def _named(reports: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, str | None]]:
    """Names and texts, None where a table holds something else; texts alone are refused."""
    for report in reports:
        if isinstance(report, str) or len(report) != 2:
            raise HirescamError(
                "reports came without their names: give a mapping from name to text, or pairs "
                "of name and text"
            )
        name, text = report
        yield name, text if isinstance(text, str) else None


def _chunks(
    reports: Iterable[tuple[str, str | None]],
) -> Iterator[list[tuple[str, str | None]]]:
    of = iter(reports)
    while chunk := list(islice(of, _CHUNK)):
        yield chunk


def _prepare(choice: ProfileChoice) -> None:
    """Make the profile once for each worker process."""
    global _profile
    _profile = choice.build()


def _label_chunk(chunk: list[tuple[str, str | None]]) -> list[Labelled]:
    return [label_one(_profile, name, text) for name, text in chunk]


_profile: Profile


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
    published_only: bool = False,
    counting: Counting | None = None,
    jobs: int = 1,
) -> Written:
    """Label every report of `source` and write `out`, in memory that does not grow with them.

    `format` is "long" or the name of a view (`view_names`); `published_only` leaves the finer
    concepts that only the default profile knows out of the long format. What cannot be labelled
    is named beside `out`; the rest goes on. Any number of `jobs` gives the same bytes.

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
    if published_only:
        made_by["findings"] = "published"
        labelled = map(_published, labelled)
    return write_labels(labelled, out, made_by=made_by, view=view, counting=counting)


def _published(one: Labelled) -> Labelled:
    known = published_names()
    return replace(one, findings=tuple(f for f in one.findings if f.abnormality in known))


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
