"""Subject: the network and the input that a user names for an audit."""

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.errors import ModelError
from hirescam.models.files import load_model

AUDITED_SLICES = 2


def network_and_input(
    subject: str, input_file: Path | None = None
) -> tuple[nn.Module, Float[Tensor, "batch ..."]]:
    """The network of a model file or of `package.module:build`, and an input for it.

    A model file needs no input of the user's: noise of its own shape, a few slice groups long,
    does. `build` is the user's own code: it is imported and called.
    """
    if Path(subject).is_file() or ":" not in subject:
        model = load_model(subject)
        shape = (1, AUDITED_SLICES, *model.preparation.input_shape[1:])
        noise = torch.rand(shape, generator=torch.Generator().manual_seed(0))
        network: nn.Module = model.network
        return network, _read(input_file) if input_file else noise - model.preparation.mean
    if input_file is None:
        raise ModelError(
            f"{subject} needs an input: give --input FILE.npy, (batch, channel, …)"
        )
    return _build(subject), _read(input_file)


def _build(subject: str) -> nn.Module:
    module, _, name = subject.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        network = getattr(import_module(module), name)()
    except (ImportError, AttributeError) as error:
        raise ModelError(
            f"{subject} cannot be built ({error}): expected package.module:function in this "
            f"folder or installed"
        ) from error
    finally:
        sys.path.remove(str(Path.cwd()))
    if not isinstance(network, nn.Module):
        raise ModelError(
            f"{subject} returns a {type(network).__name__}, expected a torch module"
        )
    return network


def _read(path: Path) -> Float[Tensor, "batch ..."]:
    try:
        return torch.from_numpy(np.load(path, allow_pickle=False)).float()
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"{path.name} is not an array that numpy saved ({error})") from error
