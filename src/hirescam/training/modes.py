"""Modes of a training run: the same bits each time, or less memory for more time.

Activation checkpointing computes activations twice instead of keeping them. Each residual block
of a trunk, and the layers before the first, keep their input alone and run again when their
gradient is due. A scan goes through each of them whole, because training normalises by the
statistics of the whole scan. The gradients are the same bit for bit.

Chen et al., "Training deep nets with sublinear memory cost", arXiv:1604.06174.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from hirescam.errors import ModelError
from hirescam.models.backbone import ResNetTrunk
from hirescam.models.classifier import SliceFeatures

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
_FEW = 16  # channels of a block in oneDNN's layouts


@contextmanager
def deterministic(network: nn.Module) -> Iterator[None]:
    """Choose algorithms that repeat for `network`; what was set before comes back.

    oneDNN is left out where a convolution has few channels: its deterministic path, in torch
    2.13, then corrupts memory on several threads.
    """
    algorithms = torch.are_deterministic_algorithms_enabled()
    workspace, onednn = os.environ.get(_CUBLAS), bool(torch.backends.mkldnn.enabled)
    torch.use_deterministic_algorithms(True)
    os.environ.setdefault(_CUBLAS, ":4096:8")
    _use_onednn(onednn and not _has_few_channels(network))
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(algorithms)
        _use_onednn(onednn)
        if workspace is None:
            os.environ.pop(_CUBLAS, None)


def _has_few_channels(network: nn.Module) -> bool:
    convolutions = (layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    return any(layer.out_channels < _FEW for layer in convolutions)


def _use_onednn(wanted: bool) -> None:
    setattr(torch.backends.mkldnn, "enabled", wanted)  # noqa: B010 (a property of a module)


@contextmanager
def checkpointed(network: nn.Module) -> Iterator[None]:
    """Let `network` train with less memory inside this block."""
    parts = [part for part in network.modules() if isinstance(part, SliceFeatures)]
    if not parts:
        raise ModelError(
            f"{type(network).__name__} has no 2D trunk whose activations could be computed "
            f"twice: train it with save_memory = false"
        )
    chains = [chain for part in parts for chain in (part.trunk, part.neck)]
    for chain in chains:
        if not isinstance(chain, ResNetTrunk | nn.Sequential | nn.Identity):
            raise ModelError(
                f"a trunk of type {type(chain).__name__} may not be a chain of stages that can "
                f"run one by one: train it with save_memory = false"
            )
    for chain in chains:
        chain.forward = partial(_run, _segments(chain), chain)  # hides the method of its class
    try:
        yield
    finally:
        for chain in chains:
            del chain.forward


def _segments(chain: nn.Module) -> list[nn.Sequential]:
    """Each block of a chain's stages, and each run of plain layers between stages."""
    segments, plain = [], nn.Sequential()
    for layer in chain.children():
        if not isinstance(layer, nn.Sequential):
            plain.append(layer)
            continue
        segments += [plain, *(nn.Sequential(block) for block in layer)]
        plain = nn.Sequential()
    return [segment for segment in (*segments, plain) if len(segment)]


def _run(segments: list[nn.Sequential], chain: nn.Module, x: Tensor) -> Tensor:
    for segment in segments:
        if chain.training:
            x = checkpoint(
                segment, x, use_reentrant=False, context_fn=partial(_contexts, segment)
            )
        else:
            x = segment(x)
    return x


def _contexts(
    segment: nn.Module,
) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return nullcontext(), _statistics_kept(segment)


@contextmanager
def _statistics_kept(segment: nn.Module) -> Iterator[None]:
    """The second run normalises as the first, but counts for no running statistics."""
    layers = [
        layer
        for layer in segment.modules()
        if isinstance(layer, _BatchNorm) and layer.track_running_stats
    ]
    before = [(layer.momentum, layer.num_batches_tracked) for layer in layers]
    for layer in layers:
        layer.momentum, layer.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for layer, (momentum, batches) in zip(layers, before, strict=True):
            layer.momentum, layer.num_batches_tracked = momentum, batches
