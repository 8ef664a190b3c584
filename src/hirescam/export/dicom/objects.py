"""Objects: everything that an explanation becomes in DICOM, made and written to a folder.

Import it where it is used: it needs highdicom, which is optional.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pydicom import Dataset

from hirescam.atomic import atomic_write
from hirescam.ct.dicom.headers import silence_pydicom
from hirescam.ct.volume import Volume
from hirescam.errors import TargetError, WriteError
from hirescam.explanation import Explanation
from hirescam.export.dicom.codes import Place
from hirescam.export.dicom.parametric_map import parametric_map
from hirescam.export.dicom.secondary_capture import Picture, secondary_capture
from hirescam.export.dicom.segmentation import (
    evidence_segments,
    organ_segments,
    region_segments,
    segmentation,
)
from hirescam.export.dicom.source import SourceSeries, check_is_source
from hirescam.export.dicom.structured_report import reference, report
from hirescam.organs.masks import OrganMasks

LIKELY = 0.5
MOST_MAPS = 5


@silence_pydicom()
def write_dicom(
    explanation: Explanation,
    source: SourceSeries,
    out: str | Path,
    *,
    organs: OrganMasks | None = None,
    labels: Sequence[str] | None = None,
    threshold: float = 0.5,
    picture_of: Callable[[str], Picture] | None = None,
) -> list[Path]:
    """Write a Parametric Map per label, segmentations and a report into the folder `out`.

    They belong to the study of `source` and name its patient. `labels` chooses the maps, each
    of which is as large as the scan; left out, those of the five most probable labels that are
    more likely than not, or of the most probable one. The report holds those chosen, or all.
    `picture_of` gives a label's key picture, which becomes a Secondary Capture.
    `threshold` is the share of a map's peak from which its segment begins.

    Raises `WriteError` if `source` is not the series that was explained or the disk refuses,
    `TargetError` for an unknown label.
    """
    check_is_source(source, explanation.scan)
    mapped, told = _chosen(explanation, labels)
    made = objects(
        explanation,
        source,
        organs,
        mapped=mapped,
        told=told,
        threshold=threshold,
        picture_of=picture_of,
    )
    return [_write(each, Path(out) / f"{name}.dcm") for name, each in made]


@silence_pydicom()
def write_organ_segmentation(
    organs: OrganMasks, scan: Volume, source: SourceSeries, path: str | Path
) -> Path:
    """Write organs alone, without any explanation, to one DICOM Segmentation.

    Raises `WriteError` if no organ has a voxel, if `source` is not the series of `scan`, or if
    the disk refuses.
    """
    check_is_source(source, scan)
    return _write(organ_object(organs, scan, source), Path(path))


def _chosen(
    explanation: Explanation, labels: Sequence[str] | None
) -> tuple[Sequence[str], Sequence[str]]:
    """The labels whose maps are written, and those that the report tells of."""
    if labels is None:
        by_score = sorted(explanation.labels, key=lambda label: -explanation.scores[label])
        likely = [label for label in by_score if explanation.probabilities[label] >= LIKELY]
        return likely[:MOST_MAPS] or by_score[:1], explanation.labels
    unknown = [label for label in labels if label not in explanation.labels]
    if unknown:
        raise TargetError(
            f"no label {unknown[0]!r} in this explanation: it has "
            f"{', '.join(explanation.labels)}"
        )
    return labels, labels


def _write(made: Dataset, path: Path) -> Path:
    with atomic_write(path) as file:
        made.save_as(file, enforce_file_format=True)
    return path


FIRST_SERIES = 9001  # beyond the numbers that scanners give
Named = Iterator[tuple[str, Dataset]]


def objects(
    explanation: Explanation,
    source: SourceSeries,
    organs: OrganMasks | None,
    *,
    mapped: Sequence[str],
    told: Sequence[str],
    threshold: float,
    picture_of: Callable[[str], Picture] | None,
) -> Named:
    """Maps, segmentations and the report, one after the other: each map is large."""
    pictures = {}
    for label, (name, made) in zip(mapped, _maps(explanation, mapped, source), strict=True):
        pictures[label] = reference(made)
        yield name, made
    yield from _thresholded(explanation, mapped, threshold, source)
    if organs is not None:
        yield from _of_organs(explanation, mapped, organs, source)
    if picture_of is not None:
        yield from _captures(explanation, mapped, picture_of, source)
    shares = None if organs is None else explanation.by_organ(organs)
    place = Place(FIRST_SERIES + 4, "hirescam: findings")
    yield "report", report(explanation, told, shares, source, place, pictures)


def _captures(
    explanation: Explanation,
    labels: Sequence[str],
    picture_of: Callable[[str], Picture],
    source: SourceSeries,
) -> Named:
    """One series of key pictures, in which each label's is an instance."""
    series = Place(FIRST_SERIES + 5, "hirescam: key pictures")
    for number, label in enumerate(labels, start=1):
        place = replace(series, instance_number=number)
        made = secondary_capture(explanation, label, picture_of(label), source, place)
        yield f"key-picture-{number:02}", made


def organ_object(organs: OrganMasks, scan: Volume, source: SourceSeries) -> Dataset:
    """Organs alone, without any explanation."""
    segments = organ_segments(organs)
    if not segments:
        raise WriteError(
            "no organ has a voxel, so there is no segmentation to write: look at its verdicts"
        )
    place = Place(FIRST_SERIES + 2, "hirescam: organs")
    return segmentation(segments, scan, source, place, description="organs")


def _maps(explanation: Explanation, labels: Sequence[str], source: SourceSeries) -> Named:
    """One series, in which each label's map is an instance."""
    series = Place(FIRST_SERIES, f"hirescam: {explanation.provenance.method} maps"[:64])
    for number, label in enumerate(labels, start=1):
        place = replace(series, instance_number=number)
        yield f"map-{number:02}", parametric_map(explanation, label, source, place)


def _thresholded(
    explanation: Explanation, labels: Sequence[str], threshold: float, source: SourceSeries
) -> Named:
    """The same of where each map is high; none of a map without positive evidence."""
    series = Place(FIRST_SERIES + 1, "hirescam: maps above a threshold")
    for number, label in enumerate(labels, start=1):
        if segments := evidence_segments(explanation, label, threshold):
            place = replace(series, instance_number=number)
            made = segmentation(
                segments,
                explanation.scan,
                source,
                place,
                description=label[:64],
                serial=explanation.provenance.model_sha256[:16],
            )
            yield f"thresholded-{number:02}", made


def _of_organs(
    explanation: Explanation, labels: Sequence[str], organs: OrganMasks, source: SourceSeries
) -> Named:
    """Organs, and the regions that follow from them; none of masks without a voxel."""
    kinds = {
        "organs": organ_segments(organs),
        "allowed-regions": region_segments(labels, organs),
    }
    for number, (kind, segments) in enumerate(kinds.items(), start=FIRST_SERIES + 2):
        if segments:
            words = kind.replace("-", " ")
            place = Place(number, f"hirescam: {words}")
            yield (
                kind,
                segmentation(segments, explanation.scan, source, place, description=words),
            )
