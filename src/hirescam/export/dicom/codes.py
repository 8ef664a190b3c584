"""Codes, equipment and grid: what all our DICOM objects say in the same words."""

from dataclasses import dataclass, field
from typing import Any

import highdicom
import numpy as np
from highdicom import UID, AlgorithmIdentificationSequence
from highdicom.sr import CodedConcept
from jaxtyping import Shaped
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

import hirescam
from hirescam.ct.volume import Volume
from hirescam.explanation import Provenance
from hirescam.export.dicom.source import SourceSeries
from hirescam.methods._audit import Kind

OURS = "99HIRESCAM"

MAP_CODES = {
    Kind.CAM: codes.DCM.ClassActivation,
    Kind.AFFINE: codes.DCM.GradientWeightedClassActivation,
    Kind.NONE: codes.DCM.GradientWeightedClassActivation,
}
"""What a map's values are, by the network that it explains; DICOM CID 217.

Above global average pooling and a linear layer, HiResCAM and Grad-CAM are CAM times a constant.
CID 217 also has Saliency (130404), the gradient at the input, which none of our maps is.
"""

ORGAN_CODES = {
    "right_lung": Code("3341006", "SCT", "Right lung"),
    "left_lung": Code("44029006", "SCT", "Left lung"),
    "mediastinum": codes.SCT.Mediastinum,
    "heart": codes.SCT.Heart,
    "aorta": codes.SCT.Aorta,
    "pulmonary_artery": codes.SCT.PulmonaryArtery,
    "trachea": codes.SCT.Trachea,
    "esophagus": codes.SCT.Esophagus,
}
ORGAN = codes.SCT.AnatomicalStructure
REGION = codes.SCT.SpatialAndRelationalConcept
SELECTED = codes.DCM.SelectedRegion


def organ_code(organ: str) -> CodedConcept:
    """The standard code of an organ, or ours where we know of none."""
    code = ORGAN_CODES.get(organ)
    return concept(code) if code is not None else own_code(organ)


def own_code(name: str) -> CodedConcept:
    """A code of ours, whose meaning is its name in words."""
    return CodedConcept(name[:64], OURS, readable(name)[:64])


def concept(code: Code) -> CodedConcept:
    """A code of a standard vocabulary as an item of an object."""
    return CodedConcept(code.value, code.scheme_designator, code.meaning)


FAMILY = codes.cid7162.ArtificialIntelligence


@dataclass(frozen=True)
class Place:
    """Where an object is filed: a new series of the patient's study, and its number in it."""

    series_number: int
    series_description: str
    instance_number: int = 1
    series_uid: str = field(default_factory=UID)

    @property
    def arguments(self) -> dict[str, Any]:
        """As every constructor of highdicom takes them."""
        return {
            "series_instance_uid": self.series_uid,
            "series_number": self.series_number,
            "sop_instance_uid": UID(),
            "instance_number": self.instance_number,
            "series_description": self.series_description,
            "manufacturer": "hirescam",
        }


def device(serial: str) -> dict[str, Any]:
    """What made an image; `serial` tells models apart."""
    return {
        "manufacturer_model_name": "hirescam",
        "software_versions": hirescam.__version__,
        "device_serial_number": serial,
    }


def parameters(made_by: Provenance) -> dict[str, str]:
    """All that decides a map, by name."""
    return {
        "model": made_by.model,
        "model SHA-256": made_by.model_sha256,
        "architecture": made_by.architecture,
        "trained on": made_by.trained_on,
        "layer": made_by.layer,
        "geometry": made_by.geometry,
        "precision": made_by.precision,
        "torch": made_by.torch,
    }


def algorithm(made_by: Provenance) -> AlgorithmIdentificationSequence:
    """The explanation's method with its parameters."""
    return AlgorithmIdentificationSequence(
        name=made_by.method,
        family=FAMILY,
        version=made_by.hirescam,
        source="hirescam",
        parameters=parameters(made_by),
    )


def segmenter(method: str) -> AlgorithmIdentificationSequence:
    """The way organs were found."""
    return AlgorithmIdentificationSequence(
        name=f"hirescam organs, {method}",
        family=codes.cid7162.MorphologicalOperations,
        version=hirescam.__version__,
        source="hirescam",
    )


_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def on_grid_of(
    values: Shaped[np.ndarray, "slice row column *channel"], scan: Volume, source: SourceSeries
) -> highdicom.Volume:
    """One frame for each slice of the scan, in its place in the series' frame of reference.

    More channels than one are segments, numbered from 1.
    """
    segments = range(1, values.shape[3] + 1) if values.ndim == 4 else ()
    return highdicom.Volume(
        values,
        _TO_LPS @ scan.affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=source.frame_of_reference,
        channels={"SegmentNumber": list(segments)} if segments else None,
    )


def readable(label: str) -> str:
    """A label's name as people write it."""
    return label.replace("_", " ").replace("nodulegr1cm", "nodule > 1 cm")
