"""explain_scan: `hirescam explain` on one scan, each step named as it begins."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hirescam.cli.explain_options import Extras, Making, OneScan
from hirescam.cli.organs import organs_of
from hirescam.cli.progress import steps

if TYPE_CHECKING:
    from hirescam.cohort.reading import Reading
    from hirescam.explanation import OrganOcclusion


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
    model: Path,
    out: Path,
    *,
    series: str | None,
    reading: "Reading",
    making: Making,
    extras: Extras,
    one: OneScan,
    overwrite: bool,
) -> Written:
    """Read, explain and write; what can be refused without a network is refused first."""
    with steps() as step:
        step("reading the scan")
        import hirescam
        from hirescam.explanation import occlude_organ
        from hirescam.export.dicom.source import read_source
        from hirescam.summary.report_quotes import read_report, report_words

        report = None if one.report is None else read_report(one.report)
        source = read_source(scan, series=series) if one.dicom else None
        volume = reading.read(scan, series)
        step("reading the model")
        fast = hirescam.accelerate(
            hirescam.load_model(model),
            precision=making.precision.value,
            compile=making.compile,
            device=making.device,
        )
        step("explaining")
        found = hirescam.explain(
            fast,
            volume,
            method=making.method.value,
            geometry=making.geometry.value,
            any_values=True,  # `reading` has checked them
        )
        step("finding organs")
        organs = organs_of(volume, extras.organs)
        hidden = tuple(occlude_organ(fast, found, organs, name) for name in extras.hide or ())
        step("writing the summary")
        folder = hirescam.write_summary(
            found,
            out,
            labels=making.label,
            on_scan=extras.on_scan,
            organs=organs,
            occlusions=hidden,
            dicom=source,
            words=None if report is None else report_words(report, found.labels),
            overwrite=overwrite,
        )
    chosen = {label: found.probabilities[label] for label in making.label or found.labels}
    return Written(folder / "report.html", chosen, hidden)
