"""Explain a model's scores on one scan, or on each of a cohort: pages, pictures and maps."""

import json
from pathlib import Path
from typing import Annotated

from typer import Argument, BadParameter, Option

from hirescam.cli.cohorts import PANEL, How, tell
from hirescam.cli.explain_cohort import explain_cohort
from hirescam.cli.explain_options import Extras, Making, OneScan
from hirescam.cli.explain_scan import explain_scan
from hirescam.cli.options import JsonOption, OverwriteOption
from hirescam.cli.reading import AnyValuesOption, Leniency, SeriesOption, reading
from hirescam.cli.spread import spread
from hirescam.home import demo_model_path


@spread
def run(
    scan: Annotated[
        Path | None,
        Argument(help="DICOM folder or zip, NIfTI, NRRD, MHA, NPY or RAD-ChestCT NPZ"),
    ] = None,
    model: Annotated[
        Path | None, Option(help="model file; left out, the one that `hirescam demo` trained")
    ] = None,
    out: Annotated[Path, Option("--out", "-o", help="new folder to write")] = Path("explained"),
    *,
    making: Making,
    series: SeriesOption = None,
    leniency: Leniency,
    any_values: AnyValuesOption = False,
    extras: Extras,
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
    how: How,
) -> None:
    """Read one scan, run one model, write one folder; or so for each scan of a cohort."""
    if (scan is None) == (cohort is None):
        raise BadParameter("give either a scan, or many with --cohort")
    if cohort is not None and (series or one != OneScan()):
        raise BadParameter(
            "--series, --report and --dicom are of one scan; a column series of the manifest "
            "names that of each"
        )
    model, reader = model or demo_model_path(), reading(leniency, any_values=any_values)
    if scan is not None:
        written = explain_scan(
            scan,
            model,
            out,
            series=series,
            reading=reader,
            making=making,
            extras=extras,
            one=one,
            overwrite=overwrite,
        )
        found = {"report": str(written.page), "probabilities": written.probabilities}
        print(json.dumps(found) if as_json else written)
    if cohort is not None:
        tally = explain_cohort(
            cohort,
            model,
            out,
            reading=reader,
            making=making,
            extras=extras,
            pages=pages,
            how=how,
            overwrite=overwrite,
        )
        tell(tally, out, as_json=as_json)
