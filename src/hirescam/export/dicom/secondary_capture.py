"""Secondary Capture: a key picture with its words burnt in, which every archive can show."""

import numpy as np
from highdicom.sc import SCImage
from jaxtyping import UInt8

from hirescam.explanation import Explanation
from hirescam.export.dicom.codes import Place, device, readable
from hirescam.export.dicom.source import SourceSeries

Picture = UInt8[np.ndarray, "row column 3"]


def secondary_capture(
    explanation: Explanation, label: str, picture: Picture, source: SourceSeries, place: Place
) -> SCImage:
    """The three planes through the peak of `label`, of the study and patient of `source`.

    Its pixels hold no place in the patient: the planes stand side by side in one picture.
    """
    made = SCImage.from_ref_dataset(
        source.images[0],
        pixel_array=picture,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "P"),
        **place.arguments,
    )
    made.add_new("PatientOrientation", "CS", None)  # of three planes there is none
    made.BurnedInAnnotation = "YES"  # of ours: the label and the scale, nothing of the patient
    made.ConversionType = "WSD"
    made.DerivationDescription = (
        f"{explanation.provenance.method} map over CT, for research, not for diagnosis"
    )
    made.ImageComments = f"{readable(label)}, for research, not for diagnosis"[:64]
    made.ImageType = ["DERIVED", "SECONDARY"]
    for keyword, value in device(explanation.provenance.model_sha256[:16]).items():
        setattr(made, "".join(part.capitalize() for part in keyword.split("_")), value)
    return made
