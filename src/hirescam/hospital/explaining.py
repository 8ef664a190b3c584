"""Explaining for a hospital: a folder of slices becomes a summary with DICOM objects."""

from collections.abc import Callable, Sequence
from pathlib import Path

import hirescam
from hirescam.export.dicom.source import read_source
from hirescam.organs.segment import segment_organs


def explainer(
    model: Path, *, labels: Sequence[str] | None = None
) -> Callable[[Path, Path], None]:
    """A function that explains a DICOM folder into a new one; the model is read once."""
    loaded = hirescam.accelerate(hirescam.load_model(model))

    def explain(scan: Path, out: Path) -> None:
        source = read_source(scan)
        volume = hirescam.read_volume(scan)
        explanation = hirescam.explain(loaded, volume)
        hirescam.write_summary(
            explanation,
            out,
            labels=labels,
            pages=False,
            organs=segment_organs(volume),
            dicom=source,
            overwrite=True,
        )

    return explain
