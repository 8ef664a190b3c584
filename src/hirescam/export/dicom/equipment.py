"""Equipment: who made an object, with which algorithm, and in which series it is filed."""

from dataclasses import dataclass, field
from typing import Any

from highdicom import UID, AlgorithmIdentificationSequence
from pydicom.sr.codedict import codes

import hirescam
from hirescam.explanation import Provenance

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
