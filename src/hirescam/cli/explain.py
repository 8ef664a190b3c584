"""Commands explain and view: explain one scan or a cohort, and look at the result."""

import json
import sys
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Option

from hirescam.cli.cohort_options import PANEL, CohortOptions, run_over, tell
from hirescam.cli.options import (
    AnyValuesOption,
    JsonOption,
    OverwriteOption,
    ReadOptions,
    SeriesOption,
    TrustOption,
    check_masks,
    organs_of,
    reading,
    spread,
)
from hirescam.cli.progress import say, steps
from hirescam.home import usual_model_path

if TYPE_CHECKING:
    from hirescam.cohort.run import Tally
    from hirescam.cohort.steps import Reading
    from hirescam.explanation import OrganOcclusion


class Geometry(StrEnum):
    """Where a map's cells lie in the patient."""

    receptive_field = "receptive-field"
    published = "published"


class Precision(StrEnum):
    """Number format of a network's features."""

    fp32 = "fp32"
    bf16 = "bf16"


@dataclass(frozen=True)
class MapOptions:
    """Which maps are made, and how."""

    label: Annotated[
        list[str] | None, Option(help="write only this label (repeatable); all by default")
    ] = None
    method: Annotated[
        str,
        Option(
            help="how maps are made: hirescam, gradcam, gradcam_plus_plus, xgradcam, layercam, "
            "gradient_times_activation or eigencam"
        ),
    ] = "hirescam"
    also: Annotated[
        list[str] | None,
        Option(help="maps to make beside, to compare (repeatable); hirescam and gradcam"),
    ] = None
    geometry: Annotated[
        Geometry, Option(help="where a map's cells lie: true centres, or as published")
    ] = Geometry.receptive_field
    precision: Annotated[Precision, Option(help="of the features; maps are fp32")] = (
        Precision.fp32
    )
    compile: Annotated[
        bool, Option("--compile", help="compile the network first; needs a C++ compiler")
    ] = False
    device: Annotated[str, Option(help="cpu, cuda, cuda:1 …")] = "cpu"


@dataclass(frozen=True)
class ExtraOutputs:
    """What is made of each scan beside scores and maps."""

    on_scan: Annotated[
        bool, Option("--on-scan", help="also write each map on the scan's own grid")
    ] = False
    organs: Annotated[
        str,
        Option(help="organs to name places by: auto finds them, none does without, or a NIfTI"),
    ] = "auto"
    hide: Annotated[
        list[str] | None,
        Option(
            "--occlude-organ",
            "--hide-organ",
            help="fill this organ with its surroundings, to check the maps (repeatable)",
        ),
    ] = None


@dataclass(frozen=True)
class OneScan:
    """What only one scan can come with, or become."""

    report: Annotated[
        Path | None,
        Option(help="text of this scan's report; its words about each label are quoted"),
    ] = None
    dicom: Annotated[
        bool,
        Option("--dicom", help="also write DICOM objects, which name the patient, into dicom/"),
    ] = False
    send: Annotated[
        bool,
        Option("--send", help="store these DICOM objects where a dicomweb:// scan came from"),
    ] = False


@dataclass(frozen=True)
class Written:
    """The page of a scan, and what there is to say of it on the command line."""

    page: Path
    probabilities: dict[str, float]
    hidden: "tuple[OrganOcclusion, ...]"

    def __str__(self) -> str:
        checks = (
            f"{label}: {each.sentence(label)}"
            for each in self.hidden
            for label in self.probabilities
        )
        return "\n".join([str(self.page), *checks])


def explain_scan(
    scan: Path,
    model: str | Path,
    out: Path,
    *,
    trust: bool,
    series: str | None,
    reading: "Reading",
    map_options: MapOptions,
    extra_outputs: ExtraOutputs,
    one: OneScan,
    overwrite: bool,
) -> Written:
    """Read, explain and write; what can be refused without a network is refused first."""
    with steps() as step:
        step("reading the model")
        import hirescam
        from hirescam.atomic import refuse_to_replace
        from hirescam.explanation import BESIDE, check_methods, occlude_organ
        from hirescam.explanation.input_warnings import input_warnings
        from hirescam.export.dicom.source import read_source
        from hirescam.models.files import open_model
        from hirescam.summary.report_quotes import read_report, report_words

        refuse_to_replace(out, "summary", overwrite=overwrite)
        check_masks(extra_outputs.organs)
        check_methods(map_options.method, *(map_options.also or ()))
        report = None if one.report is None else read_report(one.report)
        opened = open_model(model, trust=trust)
        opened.check_labels(map_options.label or ())
        step("reading the scan")
        source = (
            read_source(scan, series=series, acquisition=reading.acquisition)
            if one.dicom or one.send
            else None
        )
        volume = reading.read(scan, series)
        fast = hirescam.accelerate(
            opened,
            precision=map_options.precision.value,
            compile=map_options.compile,
            device=map_options.device,
        )
        step("explaining, and finding organs")
        with ThreadPoolExecutor(1) as beside:
            masks = beside.submit(organs_of, volume, extra_outputs.organs)
            found = hirescam.explain(
                fast,
                volume,
                method=map_options.method,
                also=map_options.also or BESIDE,
                geometry=map_options.geometry.value,
                any_values=True,  # `reading` has checked them
            )
            organs = masks.result()
        hidden = tuple(
            occlude_organ(fast, found, organs, name) for name in extra_outputs.hide or ()
        )
        warnings = input_warnings(found, organs)
        step("writing the summary")
        folder = hirescam.write_summary(
            found,
            out,
            labels=map_options.label,
            on_scan=extra_outputs.on_scan,
            organs=organs,
            occlusions=hidden,
            dicom=source,
            words=None if report is None else report_words(report, found.labels),
            overwrite=overwrite,
        )
    chosen = {label: found.probabilities[label] for label in map_options.label or found.labels}
    for warning in warnings:
        print(f"warning: {warning.sentence}", file=sys.stderr)
    return Written(folder / "report.html", chosen, hidden)


@contextmanager
def local_scan(
    scan: Path, *, send: bool
) -> "Iterator[tuple[Path, Callable[[Sequence[Path]], None]]]":
    """Where a scan lies on this machine while it is read, and what stores files beside it."""
    if not str(scan).startswith("dicomweb:"):
        if send:
            raise BadParameter("--send goes with a scan at dicomweb://…: results go back there")
        yield scan, lambda files: None
        return
    from hirescam.hospital.dicomweb import fetched, read_address, store

    address = read_address(str(scan))
    with fetched(address) as folder:
        yield folder, lambda files: store(files, address)


def explain_cohort(
    cohort: Path,
    model: str | Path,
    out: Path,
    *,
    trust: bool,
    reading: "Reading",
    map_options: MapOptions,
    extra_outputs: ExtraOutputs,
    pages: bool,
    cohort_options: CohortOptions,
    overwrite: bool,
) -> "Tally":
    """Explain what is missing or failed; organs are found, or taken from a folder of masks."""
    from hirescam.cohort.manifest import read_manifest, with_organs
    from hirescam.cohort.steps import explaining

    step = explaining(
        model,
        trust=trust,
        reading=reading,
        method=map_options.method,
        also=tuple(map_options.also) if map_options.also else None,
        geometry=map_options.geometry.value,
        precision=map_options.precision.value,
        compile=map_options.compile,
        device=map_options.device,
        threads=cohort_options.threads,
        labels=tuple(map_options.label) if map_options.label else None,
        on_scan=extra_outputs.on_scan,
        organs=extra_outputs.organs != "none",
        hidden=tuple(extra_outputs.hide or ()),
        pages=pages,
    )
    entries = read_manifest(cohort)
    if extra_outputs.organs not in ("auto", "none"):
        entries = with_organs(entries, Path(extra_outputs.organs))
    return run_over(step, entries, out, cohort_options, overwrite=overwrite)


@spread
def explain(
    scan: Annotated[
        Path | None,
        Argument(
            help="DICOM folder or zip, NIfTI, NRRD, MHA, NPY, RAD-ChestCT NPZ, or "
            "dicomweb://HOST/PATH/studies/UID"
        ),
    ] = None,
    model: Annotated[
        str | None,
        Option(
            help="model file, or package.module:function giving one (its code is run); left "
            "out, the demo's, or the one of the package"
        ),
    ] = None,
    trust: TrustOption = False,
    out: Annotated[Path, Option("--out", "-o", help="new folder to write")] = Path("explained"),
    *,
    map_options: MapOptions,
    series: SeriesOption = None,
    read_options: ReadOptions,
    any_values: AnyValuesOption = False,
    extra_outputs: ExtraOutputs,
    one: OneScan,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    cohort: Annotated[
        Path | None,
        Option(
            help="explain each scan of a CSV or Parquet with id and path, or of a folder",
            rich_help_panel=PANEL,
        ),
    ] = None,
    pages: Annotated[
        bool,
        Option("--pages", help="write a page for each scan, too", rich_help_panel=PANEL),
    ] = False,
    cohort_options: CohortOptions,
) -> None:
    """Explain a model's scores on one scan or on each of a cohort: pages, pictures, maps."""
    if (scan is None) == (cohort is None):
        raise BadParameter("give either a scan, or many with --cohort")
    if cohort is not None and (series or one != OneScan()):
        raise BadParameter(
            "--series, --report and --dicom are of one scan; a column series of the manifest "
            "names that of each"
        )
    where, reader = model or usual_model_path(), reading(read_options, any_values=any_values)
    if scan is not None:
        with local_scan(scan, send=one.send) as (folder, store):
            written = explain_scan(
                folder,
                where,
                out,
                trust=trust,
                series=series,
                reading=reader,
                map_options=map_options,
                extra_outputs=extra_outputs,
                one=one,
                overwrite=overwrite,
            )
            store(sorted((out / "dicom").glob("*.dcm")) if one.send else [])
        found = {"report": str(written.page), "probabilities": written.probabilities}
        say(json.dumps(found) if as_json else written)
    if cohort is not None:
        tally = explain_cohort(
            cohort,
            where,
            out,
            trust=trust,
            reading=reader,
            map_options=map_options,
            extra_outputs=extra_outputs,
            pages=pages,
            cohort_options=cohort_options,
            overwrite=overwrite,
        )
        tell(tally, out, as_json=as_json)


def view(
    folder: Annotated[
        Path, Argument(help="folder of `hirescam explain`, or a folder of such folders")
    ] = Path("explained"),
    beside: Annotated[
        Path | None, Option(help="the same scans as another model explains them, to compare")
    ] = None,
    port: Annotated[
        int, Option(help="port of 127.0.0.1; 0 takes a free one", min=0, max=65535)
    ] = 0,
    browser: Annotated[bool, Option(help="open the page in the default browser")] = True,
    study: Annotated[
        Path | None, Option(help="TOML of a reader study: ask its questions of each finding")
    ] = None,
    reader: Annotated[str, Option(help="who answers, as the answers name it")] = "reader",
) -> None:
    """Look at explained scans in a browser: planes, maps, findings; all on this machine."""
    from hirescam.viewer.cases import read_cases
    from hirescam.viewer.server import serve
    from hirescam.viewer.study import read_study

    def ready(address: str, once: str) -> None:
        say(f"{address}\nCtrl-C ends it.", flush=True)
        if browser:
            webbrowser.open(once)

    cases = read_cases(folder)
    serve(
        cases,
        read_cases(beside) if beside else (),
        port=port,
        study=read_study(study, cases, reader) if study else None,
        on_ready=ready,
    )


def study(
    action: Annotated[str, Argument(help="results: what the answers say together")],
    answers: Annotated[list[Path], Argument(help="CSV files that `view --study` wrote")],
    as_json: JsonOption = False,
) -> None:
    """Sum up reader studies: answers, agreement of readers (Cohen's kappa), time per case."""
    if action != "results":
        raise BadParameter("the one thing to do with a study is: hirescam study results FILE…")
    from hirescam.viewer.study import study_results

    told = study_results(answers)
    if as_json:
        print(json.dumps(told))
        return
    print(f"{told['answers']} answers of {len(told['readers'])} readers")
    for reader, seconds in told["seconds_per_case"].items():
        print(f"{reader}: {seconds:.1f} s for a case (median)")
    for question, of in told["questions"].items():
        for reader, counts in of["counts"].items():
            said = ", ".join(f"{answer} {count}" for answer, count in sorted(counts.items()))
            print(f"{question}, {reader}: {said}")
        for pair, value in of["kappa"].items():
            print(
                f"{question}, {pair}: kappa {'undefined' if value is None else f'{value:.2f}'}"
            )
