"""Model files: weights, labels and preparation together, so that no caller can mix them up.

A model is one safetensors file whose header holds a card in JSON. Reading it never runs code:
the card names an architecture of our own table, and its weights must fit that exactly.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

import hirescam
from hirescam.atomic import atomic_write
from hirescam.ct.prepare import Preparation
from hirescam.errors import ModelError
from hirescam.models.architectures import Arguments, build, fitted
from hirescam.models.classifier import Classifier


class Card(BaseModel):
    """What a model file says of itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    name: str
    architecture: str
    arguments: Arguments
    labels: tuple[str, ...]
    preparation: Preparation
    trained_on: str
    notes: tuple[str, ...] = ()
    hirescam: str = hirescam.__version__


@dataclass(frozen=True, eq=False)
class Model:
    """A network with the labels of its scores and the preparation of its input."""

    network: Classifier
    card: Card
    sha256: str = ""
    precision: str = "fp32"

    @property
    def labels(self) -> tuple[str, ...]:
        """Name of each score, in order."""
        return self.card.labels

    @property
    def preparation(self) -> Preparation:
        """How a scan becomes this network's input."""
        return self.card.preparation


def new_model(
    *,
    name: str,
    labels: tuple[str, ...],
    preparation: Preparation,
    trained_on: str,
    architecture: str = "AxialNet",
    arguments: Mapping[str, Any] | None = None,
    notes: tuple[str, ...] = (),
) -> Model:
    """A model with freshly initialised weights, sized for its labels and its preparation."""
    given = dict(arguments or {}) | fitted(architecture, len(labels), preparation)
    card = Card(
        name=name,
        architecture=architecture,
        arguments=given,
        labels=labels,
        preparation=preparation,
        trained_on=trained_on,
        notes=notes,
    )
    return Model(_build(card), card)


def save_model(model: Model, path: str | Path) -> Path:
    """Write `model` to one file; it appears whole or not at all."""
    path = Path(path)
    weights = {name: value.contiguous() for name, value in model.network.state_dict().items()}
    with atomic_write(path) as file:
        file.write(save(weights, metadata={"hirescam": model.card.model_dump_json()}))
    return path


def load_model(path: str | Path) -> Model:
    """Read a model that `save_model` wrote, on the CPU and in evaluation mode."""
    path = Path(path)
    if not path.is_file():
        raise ModelError(
            f"no model file at {path}: write one with `hirescam demo` or save_model"
        )
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get("hirescam")
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path.name} is not a whole safetensors file ({error}): copy it again"
        ) from error
    if header is None:
        raise ModelError(
            f"{path.name} holds weights but no hirescam card: load them into a network and "
            f"write it with hirescam.save_model"
        )
    card = _read_card(path.name, header)
    with torch.device("meta"):
        network = _build(card)
    try:
        network.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        raise ModelError(
            f"the weights in {path.name} do not fit its card, {card.architecture} with "
            f"{len(card.labels)} labels: {' '.join(str(error).split())[:300]}"
        ) from error
    network.requires_grad_(False)
    return Model(network.eval(), card, hashlib.sha256(path.read_bytes()).hexdigest())


def _read_card(name: str, header: str) -> Card:
    try:
        return Card.model_validate_json(header)
    except ValidationError as error:
        claimed = _claimed_format(header)
        if claimed not in (1, None):
            raise ModelError(
                f"{name} has format {claimed}, this hirescam "
                f"{hirescam.__version__} reads format 1: upgrade hirescam"
            ) from error
        first = error.errors()[0]
        raise ModelError(
            f"the card of {name} is not valid at {'.'.join(map(str, first['loc'])) or 'top'}: "
            f"{first['msg']}: write the model again with hirescam.save_model"
        ) from error


def _claimed_format(header: str) -> object:
    """The format number that a card claims, if it is readable at all."""
    try:
        card = json.loads(header)
    except ValueError:
        return None
    return card.get("format") if isinstance(card, dict) else None


def _build(card: Card) -> Classifier:
    wanted = fitted(card.architecture, len(card.labels), card.preparation)
    for argument, value in wanted.items():
        if card.arguments.get(argument) != value:
            raise ModelError(
                f"the network has {argument}={card.arguments.get(argument)} but its labels and "
                f"preparation need {argument}={value}: this file was put together wrongly"
            )
    if not card.labels:
        raise ModelError("the model has no labels: name each of its scores")
    if len(set(card.labels)) < len(card.labels):
        raise ModelError("two labels of the model have the same name: rename one")
    return build(card.architecture, card.arguments)
