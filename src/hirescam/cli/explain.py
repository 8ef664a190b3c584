"""Explain a model's scores on one scan, or on each of a cohort: pages, pictures and maps."""

import json
from pathlib import Path
from typing import Annotated

from typer import Argument, BadParameter, Option

from hirescam.cli.choices import Geometry, Method, Precision
from hirescam.cli.cohorts import (
    PANEL,
    How,
    JobsOption,
    KeepOlderOption,
    LimitOption,
    RayOption,
    RetryFailedOption,
    ShardOption,
    ThreadsOption,
    run_over,
    tell,
)
from hirescam.cli.organs import OrgansOption, organs_of
from hirescam.cli.progress import steps
from hirescam.cli.reading import (
    AssumeHuOption,
    OnBadGeometry,
    OnBadGeometryOption,
    SandboxOption,
    SeriesOption,
    read,
)


def run(
    scan: Annotated[
        Path | None,
        Argument(help="DICOM folder or zip, NIfTI, NRRD, MHA, NPY or RAD-ChestCT NPZ"),
    ] = None,
    model: Annotated[
        Path | None, Option(help="model file; left out, the one that `hirescam demo` trained")
    ] = None,
    out: Annotated[Path, Option("--out", "-o", help="new folder to write")] = Path("explained"),
    label: Annotated[
        list[str] | None, Option(help="write only this label (repeatable); all by default")
    ] = None,
    method: Annotated[Method, Option(help="how maps are made")] = Method.hirescam,
    geometry: Annotated[
        Geometry, Option(help="where a map's cells lie: true centres, or as published")
    ] = Geometry.receptive_field,
    precision: Annotated[
        Precision, Option(help="of the features; maps are fp32")
    ] = Precision.fp32,
    compile: Annotated[
        bool, Option("--compile", help="compile the network first; needs a C++ compiler")
    ] = False,
    device: Annotated[str, Option(help="cpu, cuda, cuda:1 …")] = "cpu",
    series: SeriesOption = None,
    on_bad_geometry: OnBadGeometryOption = OnBadGeometry.error,
    assume_hu: AssumeHuOption = False,
    sandbox: SandboxOption = False,
    any_values: Annotated[
        bool, Option("--any-values", help="explain values that no CT of a person has, too")
    ] = False,
    on_scan: Annotated[
        bool, Option("--on-scan", help="also write each map on the scan's own grid")
    ] = False,
    organs: OrgansOption = "auto",
    hide: Annotated[
        list[str] | None,
        Option(
            "--hide-organ",
            help="fill this organ with its surroundings, to check the maps (repeatable)",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        Option(help="text of this scan's report; its words about each label are quoted"),
    ] = None,
    dicom: Annotated[
        bool,
        Option("--dicom", help="also write DICOM objects, which name the patient, into dicom/"),
    ] = False,
    overwrite: Annotated[
        bool, Option("--overwrite", help="replace an existing folder")
    ] = False,
    as_json: Annotated[bool, Option("--json", help="print the result as JSON")] = False,
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
    jobs: JobsOption = 1,
    threads: ThreadsOption = 1,
    ray: RayOption = None,
    shard: ShardOption = "1/1",
    limit: LimitOption = None,
    retry_failed: RetryFailedOption = False,
    keep_older: KeepOlderOption = False,
) -> None:
    """Read one scan, run one model, write one folder; or so for each scan of a cohort."""
    if (scan is None) == (cohort is None):
        raise BadParameter("give either a scan, or many with --cohort")
    if cohort is not None:
        from hirescam.cohort.explaining import explaining
        from hirescam.cohort.manifest import read_manifest, with_organs
        from hirescam.cohort.reading import Reading
        from hirescam.home import demo_model_path

        work = explaining(
            model or demo_model_path(),
            reading=Reading(on_bad_geometry.value, assume_hu, sandbox, any_values),
            method=method.value,
            geometry=geometry.value,
            precision=precision.value,
            compile=compile,
            device=device,
            threads=threads,
            labels=tuple(label) if label else None,
            on_scan=on_scan,
            organs=organs != "none",
            hidden=tuple(hide or ()),
            pages=pages,
        )
        how = How(jobs, threads, ray, shard, limit, retry_failed, keep_older)
        entries = read_manifest(cohort)
        if organs not in ("auto", "none"):
            entries = with_organs(entries, Path(organs))
        tell(run_over(work, entries, out, how, overwrite=overwrite), out, as_json=as_json)
        return
    assert scan is not None, "or there is a cohort"
    with steps() as step:
        step("reading the scan")
        import hirescam
        from hirescam.ct.refusal import refusing
        from hirescam.drawing.report_words import read_report, report_words
        from hirescam.explanation import hide_organ
        from hirescam.export.dicom.source import read_source
        from hirescam.home import demo_model_path

        told = None if report is None else read_report(report)
        source = read_source(scan, series=series) if dicom else None
        volume = read(
            scan,
            series=series,
            on_bad_geometry=on_bad_geometry,
            assume_hu=assume_hu,
            sandbox=sandbox,
        )
        if not any_values:
            with refusing(scan):
                hirescam.check_plausible(volume)
        step("reading the model")
        fast = hirescam.accelerate(
            hirescam.load_model(model or demo_model_path()),
            precision=precision.value,
            compile=compile,
            device=device,
        )
        step("explaining")
        found = hirescam.explain(
            fast, volume, method=method.value, geometry=geometry.value, any_values=True
        )
        step("finding organs")
        masks = organs_of(volume, organs)
        hidden = [hide_organ(fast, found, masks, name) for name in hide or []]
        step("writing the summary")
        folder = hirescam.write_summary(
            found,
            out,
            labels=label,
            on_scan=on_scan,
            organs=masks,
            hidden=hidden,
            dicom=source,
            words=None if told is None else report_words(told, found.labels),
            overwrite=overwrite,
        )
    page = folder / "report.html"
    chosen = {name: found.probabilities[name] for name in label or found.labels}
    if as_json:
        print(json.dumps({"report": str(page), "probabilities": chosen}))
    else:
        checks = (f"{name}: {each.sentence(name)}" for each in hidden for name in chosen)
        print(page, *checks, sep="\n")
