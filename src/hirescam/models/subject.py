"""Subject: the network and the input that a user names for an audit."""

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.errors import ModelError
from hirescam.models.architectures import ARCHITECTURES
from hirescam.models.files import Model, load_model

AUDITED_SLICES = 2


def network_and_input(
    subject: str, input_file: Path | None = None
) -> tuple[nn.Module, Float[Tensor, "batch ..."]]:
    """The network of a model file or of `package.module:build`, and an input for it.

    A model file needs no input of the user's: noise of its own shape does, a few slice groups
    long where it takes any number. `build` is the user's own code: it is imported and called,
    and gives a network, or a network and an input.
    """
    is_model = Path(subject).is_file() or ":" not in subject
    network, example = _of_model(subject) if is_model else _built(subject)
    if input_file is not None:
        return network, _read(input_file)
    if example is None:
        raise ModelError(
            f"{subject} gives a network but no input: return (network, example_input), or give "
            f"--input FILE.npy, (batch, channel, …)"
        )
    return network, example


def _of_model(path: str) -> tuple[nn.Module, Tensor | None]:
    model = load_model(path)
    return model.network, example_input(model)


def example_input(model: Model) -> Float[Tensor, "1 slice channel row column"]:
    """Noise of the shape that a model wants, a few slice groups long where any number does."""
    slices, *each = model.preparation.input_shape
    one_length = ARCHITECTURES[model.card.architecture].one_length
    shape = (1, slices if one_length else AUDITED_SLICES, *each)
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    return noise - model.preparation.mean


def _built(subject: str) -> tuple[nn.Module, Tensor | None]:
    module, _, name = subject.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        built = getattr(import_module(module), name)()
    except (ImportError, AttributeError) as error:
        raise ModelError(
            f"{subject} cannot be built ({error}): expected package.module:function in this "
            f"folder or installed"
        ) from error
    finally:
        sys.path.remove(str(Path.cwd()))
    network, example = built if isinstance(built, tuple) and len(built) == 2 else (built, None)
    if not isinstance(network, nn.Module) or not isinstance(example, Tensor | None):
        raise ModelError(
            f"{subject} returns {_kinds(built)}, expected a torch module, or a torch module "
            f"and an input tensor"
        )
    return network, example


def _kinds(built: object) -> str:
    parts = built if isinstance(built, tuple) else (built,)
    return " and ".join(f"a {type(part).__name__}" for part in parts) or "nothing"


def _read(path: Path) -> Float[Tensor, "batch ..."]:
    try:
        return torch.from_numpy(np.load(path, allow_pickle=False)).float()
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"{path.name} is not an array that numpy saved ({error})") from error
