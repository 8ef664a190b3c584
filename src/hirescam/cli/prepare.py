"""Put the scans of a cohort, their organs and regions on disk, as training reads them."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from hirescam.cli.cohorts import How, run_over, tell
from hirescam.cli.options import JsonOption
from hirescam.cli.reading import AnyValuesOption, Leniency, reading
from hirescam.cli.spread import spread


@spread
def run(
    manifest: Annotated[
        Path,
        Argument(help="CSV or Parquet with id and path of each scan, or their folder"),
    ],
    out: Annotated[Path, Option("--out", "-o", help="folder of organs and ledger")] = Path(
        "prepared"
    ),
    cache: Annotated[
        Path | None, Option(help="folder of prepared scans; left out, cache in --out")
    ] = None,
    model: Annotated[Path | None, Option(help="model file to prepare scans for")] = None,
    recipe: Annotated[
        Path | None, Option(help="TOML of a model that is yet to be trained on them")
    ] = None,
    *,
    leniency: Leniency,
    any_values: AnyValuesOption = False,
    how: How,
    overwrite: Annotated[
        bool, Option("--overwrite", help="make anew what other settings or versions made")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Prepare what is missing or failed; one scan that fails does not stop the rest."""
    from hirescam.cohort.manifest import read_manifest
    from hirescam.cohort.preparing import preparing

    step = preparing(
        cache or out / "cache",
        model=model,
        recipe=recipe,
        reading=reading(leniency, any_values=any_values),
    )
    tally = run_over(step, read_manifest(manifest), out, how, overwrite=overwrite)
    tell(tally, out, as_json=as_json)
