"""Structured report: findings with probability, score, where evidence lies, verdict.

DICOM template TID 1500; one measurement group (TID 1501) for each label.
"""

from collections.abc import Mapping, Sequence

from highdicom import UID
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    ImageContentItem,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

import hirescam
from hirescam.explanation import Explanation, OrganShares
from hirescam.export.dicom.codes import FAMILY, Place, concept, own_code, parameters
from hirescam.export.dicom.parametric_map import LOGIT
from hirescam.export.dicom.source import SourceSeries
from hirescam.methods._audit import Guarantee

CT_OF_CHEST = Code("24627-2", "LN", "CT Chest")
DISCLAIMER = "For research, not for diagnosis."


def report(
    explanation: Explanation,
    labels: Sequence[str],
    shares: OrganShares | None,
    source: SourceSeries,
    place: Place,
    pictures: Mapping[str, Dataset],
) -> Comprehensive3DSR:
    """All `labels`, the most probable first; neither complete nor verified by anyone.

    `pictures` refer to the maps that were written, by label: each is named as the visual
    explanation of its finding.
    """
    ordered = sorted(labels, key=lambda label: -explanation.scores[label])
    content = MeasurementReport(
        observation_context=ObservationContext(
            observer_device_context=ObserverContext(
                observer_type=concept(codes.DCM.Device),
                observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
                    uid=UID(),
                    name="hirescam",
                    model_name=explanation.provenance.model[:64],
                    manufacturer_name="hirescam",
                ),
            )
        ),
        procedure_reported=concept(CT_OF_CHEST),
        imaging_measurements=[
            _finding(explanation, label, shares, pictures.get(label)) for label in ordered
        ],
        title=concept(codes.DCM.ImagingMeasurementReport),
    )
    return Comprehensive3DSR(
        evidence=[*source.images, *pictures.values()],
        content=content[0],
        **place.arguments,
        is_complete=False,
        is_final=False,
        is_verified=False,
    )


def reference(image: Dataset) -> Dataset:
    """What names an image in a report: its place in the study, without its pixels."""
    named = Dataset()
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID"):
        setattr(named, keyword, image[keyword].value)
    return named


def _finding(
    explanation: Explanation, label: str, shares: OrganShares | None, picture: Dataset | None
) -> MeasurementsAndQualitativeEvaluations:
    made_by = explanation.provenance
    verdict = explanation.guarantees[label]
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=UID(), identifier=label),
        finding_type=own_code(label),
        algorithm_id=AlgorithmIdentification(
            name=made_by.method,
            version=f"hirescam {hirescam.__version__}",
            parameters=[f"{name}: {value}" for name, value in parameters(made_by).items()],
            family=FAMILY,
        ),
        measurements=[
            Measurement(
                concept(codes.DCM.CertaintyOfFinding),
                100 * explanation.probabilities[label],
                concept(codes.UCUM.Percent),
            ),
            Measurement(own_code("score"), explanation.scores[label], LOGIT),
            *_evidence(label, shares),
        ],
        qualitative_evaluations=[
            QualitativeEvaluation(own_code("map_verdict"), _verdict(verdict, made_by.method))
        ],
    )
    told = [verdict.sentence(made_by.method), DISCLAIMER]
    if shares is not None:
        told.insert(0, shares.sentence(label))
    comment = TextContentItem(
        name=concept(codes.DCM.Comment), value=" ".join(told), relationship_type="CONTAINS"
    )
    group[0].ContentSequence.extend([*_explained_by(picture), comment])
    return group


def _explained_by(picture: Dataset | None) -> list[ImageContentItem]:
    """The map that shows why, where one was written."""
    if picture is None:
        return []
    return [
        ImageContentItem(
            name=concept(codes.DCM.VisualExplanation),
            referenced_sop_class_uid=picture.SOPClassUID,
            referenced_sop_instance_uid=picture.SOPInstanceUID,
            relationship_type="CONTAINS",
        )
    ]


def _evidence(label: str, shares: OrganShares | None) -> list[Measurement]:
    """The share of the positive evidence in each place that holds any."""
    if shares is None:
        return []
    return [
        Measurement(
            own_code(f"positive_evidence_{place}"), 100 * share, concept(codes.UCUM.Percent)
        )
        for place, share in shares.positive(label).items()
        if share > 0
    ]


def _verdict(verdict: Guarantee, method: str) -> CodedConcept:
    return own_code("guaranteed" if verdict.holds_for(method) else "not_guaranteed")
