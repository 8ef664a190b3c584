"""Model files: weights, labels and preparation together, so that no caller can mix them up.

A model is one safetensors file whose header holds a card in JSON. Reading it never runs code:
the card names an architecture of our own table, and its weights must fit that exactly.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

import hirescam
from hirescam.atomic import atomic_write
from hirescam.ct.preparation import Preparation
from hirescam.errors import ModelError
from hirescam.models.architectures import Arguments, build, fitted
from hirescam.models.classifier import Classifier
from hirescam.parsing import parse_json


class Card(BaseModel):
    """What a model file says of itself."""

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
    card = model.card.model_copy(update={"format": 2}).model_dump(mode="json")
    header = json.dumps(card | {"weights_sha256": tensors_digest(weights)})
    with atomic_write(path) as file:
        file.write(save(weights, metadata={"hirescam": header}))
    return path


def tensors_digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of names, types, shapes and bytes, in the order of names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(
            tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
        )
    return digest.hexdigest()


def default_model_path() -> Path:
    """The small model of simulated chests that comes with the package.

    It has never seen a patient: what it says of a real scan means nothing. Raises `ModelError`
    where the package was built without it.
    """
    path = Path(__file__).parents[1] / "assets" / "default.model"
    if not path.is_file():
        raise ModelError(
            "this hirescam comes without a default model: give --model FILE, or make one with "
            "`hirescam experiments default-model`"
        )
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
    card, sha256 = _read_header(path.name, header)
    if sha256 is not None and sha256 != tensors_digest(weights):
        raise ModelError(
            f"the weights in {path.name} are not those that were written: copy it again"
        )
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


def _read_header(name: str, header: str) -> tuple[Card, str | None]:
    """The card, and the checksum of the weights that files have since format 2."""
    try:
        written = parse_json(header)
        sha256 = written.pop("weights_sha256", None)
    except (ValueError, AttributeError, TypeError) as error:
        raise ModelError(
            f"the card of {name} cannot be read ({error}): write the model again with "
            f"hirescam.save_model"
        ) from error
    claimed = written.get("format", 1)
    if claimed not in (1, 2):
        raise ModelError(
            f"{name} has format {str(claimed)[:20]}, this hirescam {hirescam.__version__} "
            f"reads formats 1 and 2: upgrade hirescam"
        )
    try:
        return Card.model_validate(written), sha256
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelError(
            f"the card of {name} is not valid at {'.'.join(map(str, first['loc'])) or 'top'}: "
            f"{first['msg']}: write the model again with hirescam.save_model"
        ) from error


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
