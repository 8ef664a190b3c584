"""Options of `hirescam explain` that travel together: which maps, and what beside them."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from typer import Option


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


@dataclass(frozen=True)
class Making:
    """Which maps are made, and how."""

    label: Annotated[
        list[str] | None, Option(help="write only this label (repeatable); all by default")
    ] = None
    method: Annotated[Method, Option(help="how maps are made")] = Method.hirescam
    geometry: Annotated[
        Geometry, Option(help="where a map's cells lie: true centres, or as published")
    ] = Geometry.receptive_field
    precision: Annotated[Precision, Option(help="of the features; maps are fp32")] = (
        Precision.fp32
    )
    compile: Annotated[
        bool, Option("--compile", help="compile the network first; needs a C++ compiler")
    ] = False
    device: Annotated[str, Option(help="cpu, cuda, cuda:1 …")] = "cpu"


@dataclass(frozen=True)
class Extras:
    """What is made of each scan beside scores and maps."""

    on_scan: Annotated[
        bool, Option("--on-scan", help="also write each map on the scan's own grid")
    ] = False
    organs: Annotated[
        str,
        Option(help="organs to name places by: auto finds them, none does without, or a NIfTI"),
    ] = "auto"
    hide: Annotated[
        list[str] | None,
        Option(
            "--occlude-organ",
            "--hide-organ",
            help="fill this organ with its surroundings, to check the maps (repeatable)",
        ),
    ] = None


@dataclass(frozen=True)
class OneScan:
    """What only one scan can come with, or become."""

    report: Annotated[
        Path | None,
        Option(help="text of this scan's report; its words about each label are quoted"),
    ] = None
    dicom: Annotated[
        bool,
        Option("--dicom", help="also write DICOM objects, which name the patient, into dicom/"),
    ] = False
