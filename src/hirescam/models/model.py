"""Model: a network with the labels of its scores and the preparation of its input."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    model_serializer,
)

import hirescam
from hirescam.ct.preparation import Preparation
from hirescam.errors import TargetError
from hirescam.models.architectures import Arguments
from hirescam.models.classifier import Classifier

OWN_NETWORK = "own network"
"""The architecture of a card whose network is built by its user's own code, `source`."""


class Card(BaseModel):
    """What a model file says of itself.

    The last three are of a network of one's own: the code that builds it, as
    package.module:function, the layer that is explained, and where its output holds the logits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1, 2] = 2
    name: str
    architecture: str
    arguments: Arguments
    labels: Annotated[
        tuple[Annotated[str, Field(max_length=500)], ...], Field(max_length=100_000)
    ]
    preparation: Preparation
    trained_on: str
    notes: tuple[str, ...] = ()
    hirescam: str = hirescam.__version__
    source: Annotated[str, Field(max_length=300)] | None = None
    layer: Annotated[str, Field(max_length=1000)] | None = None
    output: Annotated[str, Field(max_length=300)] | int | None = None

    @model_serializer(mode="wrap")
    def _of_a_network_of_ours(self, dump: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Without what only a network of one's own has."""
        own = self.architecture == OWN_NETWORK
        left_out = () if own else ("source", "layer", "output")
        return {key: value for key, value in dump(self).items() if key not in left_out}


@dataclass(frozen=True, eq=False)
class Model:
    """A network with the labels of its scores and the preparation of its input."""

    network: Classifier
    card: Card
    sha256: str = ""
    precision: str = "fp32"
    reloadable: bool = True

    @property
    def labels(self) -> tuple[str, ...]:
        """Name of each score, in order."""
        return self.card.labels

    @property
    def preparation(self) -> Preparation:
        """How a scan becomes this network's input."""
        return self.card.preparation

    def check_labels(self, labels: Iterable[str]) -> None:
        """Raise `TargetError`, with the nearest names, for a label that the model lacks."""
        for label in labels:
            if label not in self.labels:
                near = get_close_matches(label, self.labels, 3, 0.4) or self.labels[:10]
                more = "" if len(near) < len(self.labels) else ", its only ones"
                raise TargetError(
                    f"{self.card.name} has no label {label!r}: choose from its "
                    f"{len(self.labels)}, such as {', '.join(near)}{more}"
                )
