"""explain_cohort: `hirescam explain` on each scan of a cohort."""

from pathlib import Path
from typing import TYPE_CHECKING

from hirescam.cli.cohorts import How, run_over
from hirescam.cli.explain_options import Extras, Making

if TYPE_CHECKING:
    from hirescam.cohort.reading import Reading
    from hirescam.cohort.run import Tally


def explain_cohort(
    cohort: Path,
    model: Path,
    out: Path,
    *,
    reading: "Reading",
    making: Making,
    extras: Extras,
    pages: bool,
    how: How,
    overwrite: bool,
) -> "Tally":
    """Explain what is missing or failed; organs are found, or taken from a folder of masks."""
    from hirescam.cohort.explaining import explaining
    from hirescam.cohort.manifest import read_manifest, with_organs

    step = explaining(
        model,
        reading=reading,
        method=making.method.value,
        geometry=making.geometry.value,
        precision=making.precision.value,
        compile=making.compile,
        device=making.device,
        threads=how.threads,
        labels=tuple(making.label) if making.label else None,
        on_scan=extras.on_scan,
        organs=extras.organs != "none",
        hidden=tuple(extras.hide or ()),
        pages=pages,
    )
    entries = read_manifest(cohort)
    if extras.organs not in ("auto", "none"):
        entries = with_organs(entries, Path(extras.organs))
    return run_over(step, entries, out, how, overwrite=overwrite)
