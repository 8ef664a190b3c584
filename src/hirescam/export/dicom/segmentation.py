"""Segmentation: organs, regions where labels may lie, and maps above a threshold.

DICOM PS3.3 A.51, binary, so that every viewer of segmentations can show it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import Segmentation, SegmentDescription
from highdicom.sr import CodedConcept
from jaxtyping import Bool

from hirescam.ct.volume import Volume
from hirescam.explanation import Explanation
from hirescam.export.dicom.codes import (
    ORGAN,
    REGION,
    SELECTED,
    Place,
    algorithm,
    concept,
    device,
    on_grid_of,
    organ_code,
    own_code,
    readable,
    segmenter,
)
from hirescam.export.dicom.source import SourceSeries
from hirescam.organs.masks import OrganMasks
from hirescam.regions.allowed import organs_of

Mask = Bool[np.ndarray, "slice row column"]


@dataclass(frozen=True, eq=False)
class Segment:
    """One mask and what it is."""

    label: str
    mask: Mask
    category: CodedConcept
    kind: CodedConcept
    made_by: AlgorithmIdentificationSequence
    description: str = ""


def organ_segments(organs: OrganMasks) -> list[Segment]:
    """Every organ that has a voxel."""
    made_by = segmenter(organs.method)
    masks = {organ: organs.mask(organ) for organ in organs.organs}
    return [
        Segment(organ.replace("_", " "), mask, concept(ORGAN), organ_code(organ), made_by)
        for organ, mask in masks.items()
        if mask.any()
    ]


def region_segments(labels: Sequence[str], organs: OrganMasks) -> list[Segment]:
    """Where labels may lie by anatomy, one segment for all that may lie in the same organs."""
    made_by = segmenter(organs.method)
    regions: dict[tuple[str, ...], list[str]] = {}
    for label in labels:
        if inside := organs_of(label):
            regions.setdefault(inside, []).append(label)
    return [
        Segment(
            f"allowed: {' and '.join(inside).replace('_', ' ')}"[:64],
            mask,
            concept(REGION),
            own_code("allowed_region"),
            made_by,
            description=", ".join(members)[:1024],
        )
        for inside, members in regions.items()
        if (mask := _union(inside, organs)).any()
    ]


def evidence_segments(explanation: Explanation, label: str, threshold: float) -> list[Segment]:
    """Where a map reaches `threshold` of its peak; none of a map without positive evidence."""
    values = explanation.map_on_scan(label)
    peak = float(values.max())
    if peak <= 0:
        return []
    name = f"{readable(label)} over {100 * threshold:.0f} % of its peak"[:64]
    mask = values >= threshold * peak
    made_by = algorithm(explanation.provenance)
    return [Segment(name, mask, concept(REGION), concept(SELECTED), made_by)]


def segmentation(
    segments: Sequence[Segment],
    scan: Volume,
    source: SourceSeries,
    place: Place,
    *,
    description: str,
    serial: str = "none",
) -> Segmentation:
    """One object of all segments, which may overlap; slices that hold none are left out."""
    stacked = np.stack([segment.mask for segment in segments], axis=-1).astype(np.uint8)
    made = Segmentation(
        source.images,
        on_grid_of(stacked, scan, source),
        segmentation_type="BINARY",
        segment_descriptions=[
            _described(number, segment) for number, segment in enumerate(segments, start=1)
        ],
        **place.arguments,
        **device(serial),
        content_label="SEGMENTATION",
        content_description=description,
    )
    made.ContentCreatorName = ""  # of type 2, which highdicom leaves out
    return made


def _described(number: int, segment: Segment) -> SegmentDescription:
    item = SegmentDescription(
        segment_number=number,
        segment_label=segment.label,
        segmented_property_category=segment.category,
        segmented_property_type=segment.kind,
        algorithm_type="AUTOMATIC",
        algorithm_identification=segment.made_by,
    )
    if segment.description:
        item.SegmentDescription = segment.description
    return item


def _union(inside: tuple[str, ...], organs: OrganMasks) -> Mask:
    """All of those organs together; empty where none of them was looked for."""
    masks = [organs.mask(organ) for organ in inside if organ in organs.organs]
    return np.any([np.zeros(organs.codes.shape, bool), *masks], axis=0)
