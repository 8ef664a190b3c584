"""Codes: what our objects hold in the words of standard vocabularies, or else in our own."""

from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from hirescam.methods.guarantee import Kind

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
    return CodedConcept(name[:64], OURS, name.replace("_", " ")[:64])


def concept(code: Code) -> CodedConcept:
    """A code of a standard vocabulary as an item of an object."""
    return CodedConcept(code.value, code.scheme_designator, code.meaning)
