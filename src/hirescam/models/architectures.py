"""Architectures by name: which networks a model file can hold, and what sizes each of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import torch
from pydantic import Field

from hirescam.ct.preparation import Preparation
from hirescam.errors import ModelError
from hirescam.models.classifier import Classifier

MOST_PARAMETERS = 10**9
MOST_BLOCKS = 1000
_Size = Annotated[int, Field(ge=0, le=1_000_000)]
Arguments = Annotated[
    dict[
        Annotated[str, Field(max_length=64)],
        _Size
        | Annotated[str, Field(max_length=256)]
        | Annotated[tuple[_Size, ...], Field(max_length=64)],
    ],
    Field(max_length=64),
]
"""What a network is built with, as a model's card or a config says it."""


@dataclass(frozen=True)
class Architecture:
    """Where a network's class is, and whether it takes scans of one length only."""

    where: str
    one_length: bool = False


ARCHITECTURES = {
    "AxialNet": Architecture("axialnet:AxialNet"),
    "BodyCAM": Architecture("bodycam:BodyCAM"),
    "CTNet": Architecture("ctnet:CTNet", one_length=True),
    "BodyConv": Architecture("bodyconv:BodyConv", one_length=True),
    "3DConv": Architecture("conv3d:Conv3DNet", one_length=True),
    "EvidenceNet": Architecture("evidencenet:EvidenceNet"),
}


def fitted(architecture: str, labels: int, preparation: Preparation) -> dict[str, int]:
    """The arguments that labels and preparation decide."""
    slices, channels, side, _ = preparation.input_shape
    sizes = {"labels": labels, "side": side, "channels": channels}
    return sizes | ({"slices": slices} if _known(architecture).one_length else {})


def build(architecture: str, arguments: Mapping[str, Any]) -> Classifier:
    """A network with freshly initialised weights. Raises `ModelError` if it cannot be."""
    module, _, name = _known(architecture).where.partition(":")
    network = getattr(import_module(f"hirescam.models.{module}"), name)
    blocks = arguments.get("blocks", ())
    if isinstance(blocks, tuple | list) and sum(blocks) > MOST_BLOCKS:
        raise ModelError(f"the network would have over {MOST_BLOCKS} blocks: {blocks}")
    try:
        with torch.device("meta"):  # count before allocating
            sketch = network(**arguments)
        if sum(parameter.numel() for parameter in sketch.parameters()) > MOST_PARAMETERS:
            raise ModelError(f"the network would have over {MOST_PARAMETERS:,} parameters")
        return network(**arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{architecture} cannot be built with {dict(arguments)}: {error}"
        ) from error


def _known(architecture: str) -> Architecture:
    if architecture not in ARCHITECTURES:
        raise ModelError(
            f"architecture {architecture!r} is unknown, expected one of "
            f"{', '.join(ARCHITECTURES)}: upgrade hirescam, or check the model file"
        )
    return ARCHITECTURES[architecture]
