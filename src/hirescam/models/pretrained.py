"""Pretrained weights: state dicts from a file or an official address, read as tensors only."""

import hashlib
import pickle
import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from hirescam.errors import ModelError

Weights = dict[str, Tensor]

_NAMED_HASH = re.compile(r"-([0-9a-f]{8,})\.")


def read_weights(path: Path) -> Weights:
    """The state dict in a .pth or .safetensors file; no code in it can run.

    Where the name ends in a hash, as torch's do (vgg16-397923af.pth), the content must have it.
    """
    try:
        _check_hash(path)
        if path.suffix == ".safetensors":
            return load_file(path)
        weights: Weights = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, SafetensorError) as error:
        raise ModelError(
            f"no weights could be read from {path.name} ({_first_line(error)}): give the path "
            f"of a state dict, .pth or .safetensors"
        ) from error
    return weights


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
