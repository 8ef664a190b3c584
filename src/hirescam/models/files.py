"""Model files: weights, labels and preparation together, so that no caller can mix them up.

A model is one safetensors file whose header holds a card in JSON. Reading it never runs code:
the card names an architecture of our own table, and its weights must fit that exactly.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import torch
from pydantic import (
    ValidationError,
)
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch.overrides import TorchFunctionMode

import hirescam
from hirescam.atomic import atomic_write
from hirescam.ct.preparation import Preparation
from hirescam.errors import ModelError
from hirescam.home import packaged_model_path
from hirescam.models.architectures import build, fitted
from hirescam.models.classifier import Classifier
from hirescam.models.model import OWN_NETWORK, Card
from hirescam.models.model import Model as Model
from hirescam.models.pretrained import fill, fitting_weights, read_checkpoint
from hirescam.models.wrap import WrappedNetwork, build_from, wrap
from hirescam.parsing import parse_json


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
    """Write `model` to one file; it appears whole or not at all.

    Raises `ModelError` for a network that no file could be loaded into again, `WriteError` if
    the disk refuses.
    """
    path = Path(path)
    own = model.card.architecture == OWN_NETWORK
    if own and (model.card.source is None or not model.reloadable):
        what = "output= as a key or index" if model.card.source else "source="
        raise ModelError(
            f"{model.card.name} could not be loaded again: wrap it with {what}"
            + ("" if model.card.source else '"package.module:function" that builds the network')
        )
    module = (
        model.network.network if isinstance(model.network, WrappedNetwork) else model.network
    )
    weights = {name: value.clone().contiguous() for name, value in module.state_dict().items()}
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
    path = packaged_model_path()
    if not path.is_file():
        raise ModelError(
            "this hirescam comes without a default model: give --model FILE, or make one with "
            "`hirescam experiments default-model`"
        )
    return path


def load_model(path: str | Path, *, trust: bool = False) -> Model:
    """Read a model that `save_model` wrote, on the CPU and in evaluation mode.

    Loading runs no code of the file. A network of its user's own is built by importing the code
    that its card names: that is done only with `trust`, or where you registered that code as an
    entry point of the group hirescam.networks.
    """
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
        if _is_torch_checkpoint(path):
            raise ModelError(
                f"{path.name} is a torch checkpoint, weights without labels or preparation: "
                f"make a model of it with `hirescam import {path.name} --network "
                f"package.module:function --labels labels.txt --out my.model`"
            ) from error
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
    if card.architecture == OWN_NETWORK:
        model = _own_network(path.name, card, weights, trust=trust)
        return replace(model, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    with torch.device("meta"), _Uninitialised():
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


def open_model(where: str | Path, *, trust: bool = False) -> Model:
    """A model file, or what `package.module:function` gives: a `Model`, as `wrap` makes one.

    Naming a function is consent to import it. The model's hash is then that of its weights and
    its card.
    """
    if Path(where).is_file() or ":" not in str(where):
        return load_model(where, trust=trust)
    model = build_from(str(where))
    if not isinstance(model, Model):
        raise ModelError(
            f"{where} gives a {type(model).__name__}, expected a Model: let it return "
            f"hirescam.wrap(network, labels=[…], preparation=…)"
        )
    digest = hashlib.sha256(model.card.model_dump_json().encode())
    digest.update(tensors_digest(model.network.state_dict()).encode())
    return replace(model, sha256=digest.hexdigest())


def import_checkpoint(
    checkpoint: Path,
    source: str,
    *,
    labels: Sequence[str],
    preparation: Preparation,
    layer: str | None = None,
    output: str | int | None = None,
    name: str | None = None,
    trained_on: str = "not stated",
) -> Model:
    """A model of somebody's checkpoint and of its network's code, `package.module:function`.

    Reads what torch.save, Lightning and safetensors write; no code in the file can run.
    """
    network = build_from(source)
    if not isinstance(network, torch.nn.Module):
        raise ModelError(f"{source} gives a {type(network).__name__}, expected a torch network")
    fill(
        network,
        fitting_weights(read_checkpoint(checkpoint), network, checkpoint.name),
        checkpoint.name,
    )
    network.eval().requires_grad_(False)
    return wrap(
        network,
        labels=labels,
        preparation=preparation,
        layer=layer,
        output=output,
        name=name or checkpoint.stem,
        trained_on=trained_on,
        source=source,
    )


def _is_torch_checkpoint(path: Path) -> bool:
    """A zip with a pickle in it, or a bare pickle, as torch.save writes them."""
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] == b"PK":
        with suppress(zipfile.BadZipFile, OSError), zipfile.ZipFile(path) as archive:
            return any(name.endswith(".pkl") for name in archive.namelist())
    return start[:1] == b"\x80"


def _own_network(
    name: str, card: Card, weights: Mapping[str, torch.Tensor], *, trust: bool
) -> Model:
    """A model whose network the user's own code builds, if they consent to run it."""
    if card.source is None:
        raise ModelError(f"{name} does not say which code builds its network: save it again")
    registered = {entry.value for entry in entry_points(group="hirescam.networks")}
    ours = card.source.startswith("hirescam.models.")
    if not trust and not ours and card.source not in registered:
        module = card.source.partition(":")[0]
        raise ModelError(
            f"{name} needs code that is not hirescam's: {card.source} of {module!r} would be "
            f"imported and run. If you trust that package, load it with --trust, or "
            f"load_model(path, trust=True)"
        )
    network = build_from(card.source)
    if not isinstance(network, torch.nn.Module):
        raise ModelError(f"{card.source} gives a {type(network).__name__}, expected a network")
    try:
        network.load_state_dict(dict(weights))
    except RuntimeError as error:
        raise ModelError(
            f"the weights in {name} do not fit what {card.source} builds: "
            f"{' '.join(str(error).split())[:300]}"
        ) from error
    network.eval().requires_grad_(False)
    return wrap(
        network,
        labels=card.labels,
        preparation=card.preparation,
        layer=card.layer,
        output=card.output,
        name=card.name,
        trained_on=card.trained_on,
        notes=card.notes,
        source=card.source,
    )


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


class _Uninitialised(TorchFunctionMode):
    """Random values for parameters are not drawn: weights from a file replace them.

    On the meta device a draw does nothing, but makes torch import its compiler, a second of
    every command.
    """

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function in (torch.Tensor.normal_, torch.Tensor.uniform_):
            return args[0]
        return function(*args, **(kwargs or {}))


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
