"""Choices of options, spelled as on the command line; no torch is needed to list them."""

from enum import StrEnum


class Method(StrEnum):
    """How maps are made."""

    hirescam = "hirescam"
    gradcam = "gradcam"


class Geometry(StrEnum):
    """Where a map's cells lie in the patient."""

    receptive_field = "receptive-field"
    published = "published"


class Precision(StrEnum):
    """Number format of a network's features."""

    fp32 = "fp32"
    bf16 = "bf16"
