"""Segmentation: organs, regions where labels may lie, and maps above a threshold.

DICOM PS3.3 A.51, binary, so that every viewer of segmentations can show it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import Segmentation, SegmentDescription
from highdicom.sr import CodedConcept
from jaxtyping import Bool

from hirescam.anatomy import LIES_IN
from hirescam.ct.volume import Volume
from hirescam.explanation import Explanation
from hirescam.export.dicom.codes import ORGAN, REGION, SELECTED, concept, organ_code, own_code
from hirescam.export.dicom.equipment import Place, algorithm, device, segmenter
from hirescam.export.dicom.grid import on_grid_of
from hirescam.export.dicom.source import SourceSeries
from hirescam.organs.masks import OrganMasks

Mask = Bool[np.ndarray, "slice row column"]


@dataclass(frozen=True, eq=False)
class Segment:
    """One mask and what it is."""

    label: str
    mask: Mask
    category: CodedConcept
    kind: CodedConcept
    made_by: AlgorithmIdentificationSequence


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
    """Where each label may lie by anatomy, for those whose names say in which organs."""
    made_by = segmenter(organs.method)
    allowed = {label: _allowed(label, organs) for label in labels}
    return [
        Segment(f"allowed: {label}"[:64], mask, concept(REGION), own_code(label), made_by)
        for label, mask in allowed.items()
        if mask.any()
    ]


def evidence_segments(
    found: Explanation, labels: Sequence[str], threshold: float
) -> list[Segment]:
    """Where each map reaches `threshold` of its peak; none of maps without a positive one."""
    made_by = algorithm(found.provenance)
    segments = []
    for label in labels:
        values = found.on_scan(label)
        if (peak := values.max()) > 0:
            name = f"{label} over {100 * threshold:.0f} % of its peak"[:64]
            mask = values >= threshold * peak
            segments.append(Segment(name, mask, concept(REGION), concept(SELECTED), made_by))
    return segments


def segmentation(
    segments: Sequence[Segment],
    scan: Volume,
    source: SourceSeries,
    place: Place,
    *,
    description: str,
    serial: str = "",
) -> Segmentation:
    """One object of all segments, which may overlap; slices that hold none are left out."""
    stacked = np.stack([segment.mask for segment in segments], axis=-1).astype(np.uint8)
    return Segmentation(
        source.images,
        on_grid_of(stacked, scan, source),
        segmentation_type="BINARY",
        segment_descriptions=[
            SegmentDescription(
                segment_number=number,
                segment_label=segment.label,
                segmented_property_category=segment.category,
                segmented_property_type=segment.kind,
                algorithm_type="AUTOMATIC",
                algorithm_identification=segment.made_by,
            )
            for number, segment in enumerate(segments, start=1)
        ],
        **place.arguments,
        **device(serial),
        content_label="SEGMENTATION",
        content_description=description,
    )


def _allowed(label: str, organs: OrganMasks) -> Mask:
    """The union of the organs that the label can lie in; empty where its name tells none."""
    named: Mapping[str, tuple[str, ...]] = LIES_IN
    inside = next(
        (given for begin, given in named.items() if label.startswith(f"{begin}_")), ()
    )
    masks = [organs.mask(organ) for organ in inside if organ in organs.organs]
    return np.any([np.zeros(organs.codes.shape, bool), *masks], axis=0)
