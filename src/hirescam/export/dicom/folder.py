"""Folder: the DICOM objects of one explanation, or of one scan's organs, on disk."""

from collections.abc import Sequence
from pathlib import Path

from pydicom import Dataset

from hirescam.atomic import atomic_write
from hirescam.ct.dicom.quiet import quiet
from hirescam.ct.volume import Volume
from hirescam.errors import TargetError
from hirescam.explanation import Explanation
from hirescam.export.dicom.source import SourceSeries, check_is_source
from hirescam.organs.masks import OrganMasks

LIKELY = 0.5
MOST_MAPS = 5


@quiet()
def write_dicom(
    found: Explanation,
    source: SourceSeries,
    out: str | Path,
    *,
    organs: OrganMasks | None = None,
    labels: Sequence[str] | None = None,
    threshold: float = 0.5,
) -> list[Path]:
    """Write a Parametric Map per label, segmentations and a report into the folder `out`.

    They belong to the study of `source` and name its patient. `labels` chooses the maps, each
    of which is as large as the scan; left out, those of the five most probable labels that are
    more likely than not, or of the most probable one. The report holds those chosen, or all.
    `threshold` is the share of a map's peak from which its segment begins.

    Raises `WriteError` if `source` is not the series that was explained or the disk refuses,
    `TargetError` for an unknown label.
    """
    from hirescam.export.dicom.objects import objects

    check_is_source(source, found.scan)
    mapped, told = _chosen(found, labels)
    made = objects(found, source, organs, mapped=mapped, told=told, threshold=threshold)
    return [_write(each, Path(out) / f"{name}.dcm") for name, each in made]


@quiet()
def write_organ_segmentation(
    organs: OrganMasks, scan: Volume, source: SourceSeries, path: str | Path
) -> Path:
    """Write organs alone, without any explanation, to one DICOM Segmentation.

    Raises `WriteError` if no organ has a voxel, if `source` is not the series of `scan`, or if
    the disk refuses.
    """
    from hirescam.export.dicom.objects import organ_object

    check_is_source(source, scan)
    return _write(organ_object(organs, scan, source), Path(path))


def _chosen(
    found: Explanation, labels: Sequence[str] | None
) -> tuple[Sequence[str], Sequence[str]]:
    """The labels whose maps are written, and those that the report tells of."""
    if labels is None:
        by_score = sorted(found.labels, key=lambda label: -found.scores[label])
        likely = [label for label in by_score if found.probabilities[label] >= LIKELY]
        return likely[:MOST_MAPS] or by_score[:1], found.labels
    unknown = [label for label in labels if label not in found.labels]
    if unknown:
        raise TargetError(
            f"no label {unknown[0]!r} in this explanation: it has {', '.join(found.labels)}"
        )
    return labels, labels


def _write(made: Dataset, path: Path) -> Path:
    with atomic_write(path) as file:
        made.save_as(file, enforce_file_format=True)
    return path
