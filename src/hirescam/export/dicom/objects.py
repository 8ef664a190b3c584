"""Objects: everything that an explanation becomes in DICOM, each with the name of its file."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydicom import Dataset

from hirescam.ct.volume import Volume
from hirescam.errors import WriteError
from hirescam.explanation import Explanation
from hirescam.export.dicom.equipment import Place
from hirescam.export.dicom.parametric_map import parametric_map
from hirescam.export.dicom.report import reference, report
from hirescam.export.dicom.segmentation import (
    evidence_segments,
    organ_segments,
    region_segments,
    segmentation,
)
from hirescam.export.dicom.source import SourceSeries
from hirescam.organs.masks import OrganMasks

FIRST_SERIES = 9001  # beyond the numbers that scanners give
Named = Iterator[tuple[str, Dataset]]


def objects(
    found: Explanation,
    source: SourceSeries,
    organs: OrganMasks | None,
    *,
    mapped: Sequence[str],
    told: Sequence[str],
    threshold: float,
) -> Named:
    """Maps, segmentations and the report, one after the other: each map is large."""
    pictures = {}
    for label, (name, made) in zip(mapped, _maps(found, mapped, source), strict=True):
        pictures[label] = reference(made)
        yield name, made
    yield from _thresholded(found, mapped, threshold, source)
    if organs is not None:
        yield from _of_organs(found, mapped, organs, source)
    shares = None if organs is None else found.by_organ(organs)
    place = Place(FIRST_SERIES + 4, "hirescam: findings")
    yield "report", report(found, told, shares, source, place, pictures)


def organ_object(organs: OrganMasks, scan: Volume, source: SourceSeries) -> Dataset:
    """Organs alone, without any explanation."""
    segments = organ_segments(organs)
    if not segments:
        raise WriteError(
            "no organ has a voxel, so there is no segmentation to write: look at its verdicts"
        )
    place = Place(FIRST_SERIES + 2, "hirescam: organs")
    return segmentation(segments, scan, source, place, description="organs")


def _maps(found: Explanation, labels: Sequence[str], source: SourceSeries) -> Named:
    """One series, in which each label's map is an instance."""
    series = Place(FIRST_SERIES, f"hirescam: {found.provenance.method} maps"[:64])
    for number, label in enumerate(labels, start=1):
        place = replace(series, instance_number=number)
        yield f"map-{number:02}", parametric_map(found, label, source, place)


def _thresholded(
    found: Explanation, labels: Sequence[str], threshold: float, source: SourceSeries
) -> Named:
    """The same of where each map is high; none of a map without positive evidence."""
    series = Place(FIRST_SERIES + 1, "hirescam: maps above a threshold")
    for number, label in enumerate(labels, start=1):
        if segments := evidence_segments(found, label, threshold):
            place = replace(series, instance_number=number)
            made = segmentation(
                segments,
                found.scan,
                source,
                place,
                description=label[:64],
                serial=found.provenance.model_sha256[:16],
            )
            yield f"thresholded-{number:02}", made


def _of_organs(
    found: Explanation, labels: Sequence[str], organs: OrganMasks, source: SourceSeries
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
            yield kind, segmentation(segments, found.scan, source, place, description=words)
