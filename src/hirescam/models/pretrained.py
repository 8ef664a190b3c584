"""Pretrained weights: state dicts from a file or an official address, read as tensors only."""

import hashlib
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from hirescam.errors import ModelError

Weights = dict[str, Tensor]

_NAMED_HASH = re.compile(r"-([0-9a-f]{8,})\.")


def read_weights(path: Path) -> Weights:
    """The state dict in a .pth or .safetensors file; no code in it can run."""
    checkpoint = read_checkpoint(path)
    if not all(isinstance(value, Tensor) for value in checkpoint.values()):
        raise ModelError(f"{path.name} holds more than weights: give a state dict")
    return checkpoint


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a .pth, .pt, .ckpt or .safetensors file holds; no code in it can run.

    Where the name ends in a hash, as torch's do (vgg16-397923af.pth), the content must have it.
    """
    try:
        _check_hash(path)
        if path.suffix == ".safetensors":
            return load_file(path)
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, SafetensorError) as error:
        raise ModelError(
            f"no weights could be read from {path.name} ({_first_line(error)}): give the path "
            f"of a state dict, .pth or .safetensors"
        ) from error
    if not isinstance(checkpoint, dict):
        kind = type(checkpoint).__name__
        raise ModelError(f"{path.name} holds a {kind}, expected a state dict or a checkpoint")
    return checkpoint


_NESTED = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
"""Where checkpoints of Lightning, MONAI and others keep the weights among other things."""


def fitting_weights(checkpoint: Mapping[str, Any], network: nn.Module, source: str) -> Weights:
    """The weights of `network` in a checkpoint, whatever they are nested in and prefixed with.

    Prefixes are those of DataParallel (`module.`), torch.compile and Lightning modules
    (`model.`, `net.`). What lies beside the network, such as a loss, is left; missing weights
    are an error.
    """
    for key in _NESTED:
        inner = checkpoint.get(key)
        if isinstance(inner, Mapping) and any(isinstance(v, Tensor) for v in inner.values()):
            checkpoint = inner
            break
    tensors = {
        str(name).replace("_orig_mod.", ""): value
        for name, value in checkpoint.items()
        if isinstance(value, Tensor)
    }
    wanted = network.state_dict()
    prefixes = {""} | {
        ".".join(parts[:depth]) + "."
        for parts in (name.split(".") for name in tensors)
        for depth in range(1, len(parts))
    }
    best, missing = "", set(wanted)
    for prefix in sorted(prefixes, key=len):
        left_out = {name for name in wanted if prefix + name not in tensors}
        if len(left_out) < len(missing):
            best, missing = prefix, left_out
    if missing:
        held = ", ".join(list(tensors)[:3]) or "no tensors"
        raise ModelError(
            f"{source} lacks {len(missing)} of {len(wanted)} weights of "
            f"{type(network).__name__}, first {min(missing)!r}; it holds {held} …: is this the "
            f"network that it was trained with?"
        )
    under = {name[len(best) :]: v for name, v in tensors.items() if name.startswith(best)}
    extra = sorted(under.keys() - wanted.keys()) if best else []
    if extra:
        raise ModelError(
            f"{source} holds weights that {type(network).__name__} does not have, first "
            f"{best + extra[0]!r}: is this the network that it was trained with?"
        )
    return {name: under[name] for name in wanted}


def fetch_weights(url: str) -> Weights:
    """The state dict at an address that ends in its hash; kept in torch's own cache."""
    try:
        return torch.hub.load_state_dict_from_url(
            url, map_location="cpu", check_hash=True, weights_only=True, progress=False
        )
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"no weights could be read from {url} ({_first_line(error)}): download them "
            f"elsewhere and give their path"
        ) from error


def fill(network: nn.Module, weights: Weights, source: str) -> None:
    """Give `network` these weights, every one of them and no other."""
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelError(
            f"{source} does not fit {type(network).__name__}: {_first_line(error)}"
        ) from error


def _check_hash(path: Path) -> None:
    named = _NAMED_HASH.search(path.name)
    if named is None:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(named[1]):
        raise ModelError(
            f"{path.name} has SHA-256 {found[:8]}…, expected {named[1]}…: download it again"
        )


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
