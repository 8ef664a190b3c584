"""Objects: everything that an explanation becomes in DICOM, each with the name of its file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pydicom import Dataset

from hirescam.ct.volume import Volume
from hirescam.errors import WriteError
from hirescam.explanation import Explanation
from hirescam.export.dicom.equipment import Place
from hirescam.export.dicom.parametric_map import parametric_map
from hirescam.export.dicom.report import report
from hirescam.export.dicom.segmentation import (
    Segment,
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
    yield from _maps(found, mapped, source)
    kinds = {"thresholded-maps": evidence_segments(found, mapped, threshold)}
    if organs is not None:
        kinds["organs"] = organ_segments(organs)
        kinds["allowed-regions"] = region_segments(mapped, organs)
    yield from _segmentations(kinds, found, source)
    shares = None if organs is None else found.by_organ(organs)
    place = Place(FIRST_SERIES + 4, "hirescam: findings")
    yield "report", report(found, told, shares, source, place)


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


def _segmentations(
    kinds: Mapping[str, Sequence[Segment]], found: Explanation, source: SourceSeries
) -> Named:
    """One series of each kind that has a segment."""
    serial = found.provenance.model_sha256[:16]
    for number, (kind, segments) in enumerate(kinds.items(), start=FIRST_SERIES + 1):
        if segments:
            words = kind.replace("-", " ")
            place = Place(number, f"hirescam: {words}")
            made = segmentation(
                segments, found.scan, source, place, description=words, serial=serial
            )
            yield kind, made
