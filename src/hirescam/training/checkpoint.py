"""Checkpoint: where a run stands, written whole to one file and read back to the bit.

A state is nested dicts and lists with tensors in them. Tensors go into a safetensors file, all
else as JSON into its header: reading it runs no code.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from hirescam.atomic import atomic_write
from hirescam.errors import ReadError
from hirescam.models.files import tensors_digest
from hirescam.parsing import parse_json


@dataclass(frozen=True)
class Progress:
    """How far a run is: `scans` of `epoch` are done, by all processes together.

    With the order of scans and all else random following from seed, epoch and position, this
    is all there is to know beside weights, optimiser and running statistics.
    """

    epoch: int = 0
    scans: int = 0
    steps: int = 0
    sums: tuple[float, ...] = (0.0, 0.0, 0.0)
    """Of total, classification and mask loss over the steps of this epoch."""
    best_loss: float = float("inf")
    best_epoch: int = -1

    @property
    def waited(self) -> int:
        """Whole epochs since the best one."""
        return self.epoch - self.best_epoch - 1


def save_state(state: Mapping[str, Any], path: Path) -> Path:
    """Write a state; raises `WriteError` and leaves an older one whole if the disk refuses."""
    tensors: dict[str, Tensor] = {}
    outline = _outline(state, "", tensors)
    with atomic_write(path) as file:
        about = {"outline": outline, "sha256": tensors_digest(tensors)}
        file.write(save(tensors, metadata={"state": json.dumps(about)}))
    return path


def load_state(path: Path) -> dict[str, Any]:
    """A state that `save_state` wrote."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            about = parse_json(file.metadata()["state"])
        if about["sha256"] != tensors_digest(tensors):
            raise ValueError("its tensors are not those that were written")
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ReadError(
            f"{path.name} is no checkpoint of a training run ({error}): start the run anew"
        ) from error
    return _filled(about["outline"], tensors)


def _outline(value: Any, name: str, tensors: dict[str, Tensor]) -> list[Any]:
    """A pair of kind and content that JSON can hold; tensors are put aside by name."""
    match value:
        case Tensor():
            tensors[name] = value.detach().cpu().contiguous().clone()
            return ["tensor", name]
        case Mapping():
            pairs = [
                [key, _outline(each, f"{name}/{key}", tensors)] for key, each in value.items()
            ]
            return ["dict", pairs]
        case list() | tuple():
            kind = "list" if isinstance(value, list) else "tuple"
            each = enumerate(value)
            return [kind, [_outline(one, f"{name}/{at}", tensors) for at, one in each]]
        case None | bool() | int() | float() | str():
            return ["value", value]
    raise TypeError(f"{name} is a {type(value).__name__}, which no checkpoint can hold")


def _filled(outline: list[Any], tensors: Mapping[str, Tensor]) -> Any:
    kind, content = outline
    match kind:
        case "tensor":
            return tensors[content]
        case "dict":
            return {key: _filled(each, tensors) for key, each in content}
        case "list":
            return [_filled(each, tensors) for each in content]
        case "tuple":
            return tuple(_filled(each, tensors) for each in content)
    return content
