"""Data flow: whether scores depend on a network's input other than through one layer.

The network runs once with what the layer gave held fixed. Every tensor that is computed from
the input is marked, thresholds and detached copies too, which no gradient shows. A marked score
has a path around the layer, whatever values the input happens to have; so may one of a network
that reads a marked value in Python (`item`, `if x.max() > 3`) or lets it choose a shape.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_OF_SHAPES_ALONE = frozenset(
    [
        "zeros_like",
        "ones_like",
        "empty_like",
        "full_like",
        "rand_like",
        "randn_like",
        "randint_like",
        "new_zeros",
        "new_ones",
        "new_empty",
        "new_full",
        "new_empty_strided",
        "is_same_size",
        "_shape_as_tensor",
        "sym_size",
        "sym_numel",
        "sym_stride",
        "sym_storage_offset",
        "size",
        "stride",
        "numel",
        "dim",
    ]
)
"""Operations whose result does not depend on the values of their tensors."""

_READS = frozenset(
    [
        "numpy",
        "tolist",
        "__array__",
        "__dlpack__",
        "data_ptr",
        "storage",
        "untyped_storage",
        "_typed_storage",
        "__reduce_ex__",
    ]
)
"""Methods of a tensor by which its values leave torch."""


_unseen: ContextVar[bool] = ContextVar("unseen", default=False)


@contextmanager
def unseen() -> Iterator[None]:
    """What the block computes is ours, no part of the network that is followed."""
    before = _unseen.set(True)
    try:
        yield
    finally:
        _unseen.reset(before)


@dataclass(eq=False)
class DataFlow:
    """What a run showed: whether its scores are marked, and what was read in Python."""

    reached: bool = False
    read: str | None = None
    complete: bool = False
    _marked: dict[int, StorageWeakRef] = field(default_factory=dict)

    @property
    def leads_around(self) -> bool:
        """Whether scores can depend on the input around the layer."""
        return self.reached or self.read is not None

    @contextmanager
    def from_input(self, x: Tensor) -> Iterator[None]:
        """Mark what is computed from `x` while the block runs."""
        self._marked.clear()
        self.mark(x)
        with _Operations(self), _Methods(self):
            yield

    def arrived(self, scores: Tensor) -> None:
        """Note whether these scores are marked, at the end of a run."""
        self.reached = self.reached or self.is_marked(scores)
        self.complete = True
        self._marked.clear()

    def mark(self, tensor: Tensor) -> None:
        """Mark the memory of a tensor, so that its views are marked too."""
        # keeps the number of the memory from being used again, not the memory
        reference = StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
        self._marked[reference.cdata] = reference

    def is_marked(self, value: object) -> bool:
        """Whether a value is a tensor in marked memory."""
        if not isinstance(value, Tensor) or value.layout is not torch.strided:
            return False
        return value.untyped_storage()._cdata in self._marked


class _Operations(TorchDispatchMode):
    """Marks what operations make of marked tensors, and what they write into."""

    def __init__(self, flow: DataFlow):
        super().__init__()  # type: ignore[no-untyped-call]
        self.flow = flow

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        given = tree_leaves((args, kwargs))
        marked = not _unseen.get() and any(map(self.flow.is_marked, given))
        found = func(*args, **kwargs)
        name = func.overloadpacket.__name__
        if marked and name not in _OF_SHAPES_ALONE:
            made = [each for each in tree_leaves(found) if isinstance(each, Tensor)]
            for each in (*made, *_written(func, args, kwargs)):
                if each.layout is torch.strided:
                    self.flow.mark(each)
            if not made or _shape_follows_values(func, given):
                self.flow.read = self.flow.read or name.strip("_")
        return found


class _Methods(TorchFunctionMode):
    """Sees values leave torch, as to numpy."""

    def __init__(self, flow: DataFlow):
        super().__init__()
        self.flow = flow

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name in _READS and not _unseen.get() and self.flow.is_marked(args[0]):
            self.flow.read = self.flow.read or name.strip("_")
        return func(*args, **(kwargs or {}))


def _written(func: Any, args: Any, kwargs: Any) -> list[Tensor]:
    """The arguments that an operation writes into."""
    wanted = func._schema.arguments
    values = [*zip(wanted, args, strict=False)]
    values += [(each, kwargs[each.name]) for each in wanted if each.name in kwargs]
    written = (value for each, value in values if each.is_write)
    return [each for each in tree_leaves([*written]) if isinstance(each, Tensor)]


def _shape_follows_values(func: Any, given: list[Any]) -> bool:
    """Whether the shape of a result tells values, as that of `nonzero` tells a count."""
    if torch.Tag.dynamic_output_shape not in func.tags:
        return False
    if func.overloadpacket.__name__ != "index":
        return True
    masks = (torch.bool, torch.uint8)  # an index of numbers gives a shape that is known
    return any(isinstance(each, Tensor) and each.dtype in masks for each in given[1:])
