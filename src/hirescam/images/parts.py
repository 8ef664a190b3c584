"""Parts of a data set as they enter a network: read anew each time, or as stored features."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hirescam.atomic import atomic_write
from hirescam.images.photographs import Photograph, in_batches

Batches = Callable[[Sequence[int]], Iterator[Float[Tensor, "batch ..."]]]
"""From the numbers of some photographs, in any order, to batches of them."""


@dataclass(frozen=True, eq=False)
class PhotographInputs:
    """Photographs of one split with their labels; `allowed` tells a mask loss where to look."""

    photographs: Sequence[Photograph]
    batches: Batches
    allowed: Bool[Tensor, "photograph label row column"] | None = None

    @property
    def labels(self) -> Float[Tensor, "photograph label"]:
        """1 where a photograph shows a class, else 0."""
        return torch.from_numpy(np.stack([one.labels for one in self.photographs]))

    def some(self, numbers: Sequence[int]) -> "PhotographInputs":
        """A few of the photographs, in this order."""
        return PhotographInputs(
            [self.photographs[number] for number in numbers],
            lambda order: self.batches([numbers[at] for at in order]),
            None if self.allowed is None else self.allowed[list(numbers)],
        )


def read_part(
    photographs: Sequence[Photograph], *, side: int, batch: int, threads: int
) -> PhotographInputs:
    """Photographs that are read and resized whenever they are asked for."""

    def batches(order: Sequence[int]) -> Iterator[Tensor]:
        chosen = [photographs[index] for index in order]
        return in_batches(chosen, side, batch=batch, threads=threads)

    return PhotographInputs(photographs, batches)


def stored_part(
    part: PhotographInputs,
    trunk: nn.Module,
    folder: Path,
    name: str,
    *,
    batch: int,
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> PhotographInputs:
    """What a frozen trunk makes of a part, computed once and kept in `folder`.

    The file is named after the trunk, its weights and the photographs' paths, sizes and dates.
    """
    path = folder / f"{name}-{_digest(part.photographs, trunk)}.npy"
    if not path.exists():
        _store(part, trunk, path, on_progress)
    features = np.load(path, mmap_mode="r")
    return PhotographInputs(
        part.photographs, partial(_stored_batches, features, batch), part.allowed
    )


def _store(
    part: PhotographInputs,
    trunk: nn.Module,
    path: Path,
    on_progress: Callable[[int, int], None],
) -> None:
    count, done = len(part.photographs), 0
    trunk.eval()
    device = next(trunk.parameters()).device
    with atomic_write(path) as file, torch.inference_mode():
        for images in part.batches(range(count)):
            features = trunk(images.to(device)).cpu().numpy()
            if not done:
                header = {"descr": "<f4", "fortran_order": False}
                shape = (count, *features.shape[1:])
                np.lib.format.write_array_header_1_0(file, header | {"shape": shape})
            file.write(np.ascontiguousarray(features, "<f4").tobytes())
            done += len(features)
            on_progress(done, count)


def _stored_batches(
    features: np.ndarray, batch: int, order: Sequence[int]
) -> Iterator[Float[Tensor, "batch feature row column"]]:
    for at in range(0, len(order), batch):
        yield torch.from_numpy(features[np.asarray(order[at : at + batch])])


def _digest(photographs: Sequence[Photograph], trunk: nn.Module) -> str:
    found = hashlib.sha256()
    for one in photographs:
        stand = one.path.stat()
        found.update(f"{one.path.absolute()} {stand.st_size} {stand.st_mtime_ns}".encode())
    for name, value in trunk.state_dict().items():
        found.update(name.encode() + value.cpu().numpy().tobytes())
    return found.hexdigest()[:16]
