"""wrap: any torch network with names for its scores, as a `Model` for the whole CT path.

A network of one's own takes (batch, channel, *space) and gives logits (batch, label), or
something that `output` turns into these. Where its cells lie in the patient follows from the
operations that lead to the explained layer: they are traced with shapes alone, no numbers.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from itertools import repeat
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from hirescam.ct.grid import Cells, tiled_cells
from hirescam.ct.preparation import Preparation
from hirescam.errors import HirescamError, ModelError
from hirescam.methods._engine import _skeleton, find_layer, layer_name
from hirescam.models.classifier import Classifier, Features
from hirescam.models.model import OWN_NETWORK, Card, Model
from hirescam.parsing import read_toml

Output = Callable[[Any], Tensor] | str | int
"""Where the logits are in the network's output: a function of it, their key or index."""


class WrappedNetwork(Classifier):
    """Somebody's network, which takes scans as our preparation makes them.

    `network` sees (batch, channel, slice, row, column).
    """

    grouped = False

    def __init__(
        self,
        network: nn.Module,
        *,
        layer: str | None,
        output: Output | None,
        preparation: Preparation,
    ):
        super().__init__()
        self.network = network
        self.layer = layer
        self.output = output
        self.channels = preparation.input_shape[1]
        self.side = preparation.input_shape[2]
        self.input_shape = preparation.input_shape

    @property
    def explained_layer(self) -> nn.Module:
        """The layer whose output is explained, as named or found when wrapped."""
        return self.network.get_submodule(self.layer) if self.layer else self.network

    @property
    def trunk(self) -> None:
        """None: what runs on single slices is not told apart."""
        return

    def forward(
        self, x: Float[Tensor, "batch slice channel row column"]
    ) -> Float[Tensor, "batch label"]:
        return self._logits(self.network(x.transpose(1, 2)))

    def scores(self, features: Features) -> Float[Tensor, "batch label"]:
        """Not known by itself: whoever explains replays the network above its layer."""
        raise ModelError("a wrapped network has no head of its own: replay it instead")

    def cells(self, slices: int) -> tuple[Cells, Cells, Cells]:
        """Where the explained layer's cells lie along the input's slices, rows and columns."""
        channels, size = self.channels, (slices, *self.input_shape[2:])
        example = torch.zeros((1, channels, *size), device="meta")
        traced = traced_cells(self.network, self.layer, example)
        if traced is None:
            raise ModelError(
                f"where the cells of layer {self.layer!r} lie cannot be traced: explain with "
                f"geometry='published', which stretches the map over the input"
            )
        along_slices, rows, columns = (
            next(cells for other, cells in traced if other == axis) for axis in range(3)
        )
        return along_slices, rows, columns

    def map_order(self, slices: int) -> tuple[int, int, int]:
        """Which axis of the layer's output runs along the input's slices, rows, columns."""
        example = torch.zeros((1, self.channels, slices, *self.input_shape[2:]), device="meta")
        traced = traced_cells(self.network, self.layer, example)
        if traced is None:
            return 0, 1, 2
        found = [other for other, _ in traced]
        return found.index(0), found.index(1), found.index(2)

    def _logits(self, raw: Any) -> Float[Tensor, "batch label"]:
        try:
            logits = self.output(raw) if callable(self.output) else raw
            if self.output is not None and not callable(self.output):
                logits = raw[self.output]
        except (KeyError, IndexError, TypeError) as error:
            held = list(raw) if isinstance(raw, Mapping) else type(raw).__name__
            raise ModelError(
                f"the network's output holds no {self.output!r} ({held}): give `output`, the "
                f"key, index or function that takes the logits from it"
            ) from error
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            what = (
                f"a tensor {tuple(logits.shape)}"
                if isinstance(logits, Tensor)
                else f"a {type(logits).__name__}"
            )
            keys = (
                f" with {', '.join(map(repr, logits))}" if isinstance(logits, Mapping) else ""
            )
            raise ModelError(
                f"the network gives {what}{keys}, expected logits (batch, label): give "
                f"`output`, the key, index or function that takes them from it"
            )
        return logits


def wrap(
    network: nn.Module,
    *,
    labels: Sequence[str],
    preparation: Preparation | None = None,
    layer: nn.Module | str | None = None,
    output: Output | None = None,
    name: str | None = None,
    trained_on: str = "not stated",
    notes: Sequence[str] = (),
    source: str | None = None,
) -> Model:
    """A model of a plain torch network: explain it, write its page, save it, run it on cohorts.

    `preparation` says how a scan becomes its input. `layer` is explained, or else the last one
    with spatial output. `output` is where the network's output holds the logits: a key, an
    index or a function. `source`, "package.module:function", builds the network again when a
    saved file is loaded; left out, it is the network's class where that needs no arguments.

    The network is run once on noise of its input's shape, to see that it takes it. Raises
    `ModelError` where it does not, or gives another number of scores than there are labels.
    """
    if not isinstance(network, nn.Module):
        raise ModelError(
            f"a {type(network).__name__} is no network: give a torch.nn.Module, "
            f"such as one that is built and has its weights"
        )
    if isinstance(labels, str):
        raise ModelError("labels are one string: give a list with a name for each score")
    if preparation is None:
        raise ModelError(
            "say how a scan becomes the network's input: preparation=hirescam.Preparation("
            "spacing_mm=…, shape=…, window_hu=…, group=1)"
        )
    slices, channels, rows, columns = preparation.input_shape
    noise = torch.rand((1, channels, slices, rows, columns), generator=_seeded())
    weight = next(network.parameters(), None)
    noise = noise if weight is None else noise.to(weight.device)
    was_training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        layer_found = layer_name(network, find_layer(network, noise, layer))
        wrapped = WrappedNetwork(
            network, layer=layer_found, output=output, preparation=preparation
        ).eval()
        with torch.no_grad():
            scores = wrapped(noise.transpose(1, 2))
    except HirescamError:
        raise
    except Exception as error:
        first = " ".join(str(error).split())[:200]
        raise ModelError(
            f"the network does not take an input of {tuple(noise.shape)} "
            f"({type(error).__name__}: {first}): give the preparation that it was trained "
            f"with; for single images use hirescam.methods.hirescam(network, images)"
        ) from error
    finally:
        for module in was_training:
            module.training = True
    if scores.shape[1] != len(labels):
        raise ModelError(
            f"the network gives {scores.shape[1]} scores for {len(labels)} labels: name each "
            f"score, in the network's order"
        )
    wrapped.eval()
    card = Card(
        name=name or type(network).__name__,
        architecture=OWN_NETWORK,
        arguments={},
        labels=tuple(labels),
        preparation=preparation,
        trained_on=trained_on,
        notes=tuple(notes),
        source=source or _source_of(network),
        layer=layer_found,
        output=output if isinstance(output, str | int) else None,
    )
    if len(set(labels)) < len(labels):
        raise ModelError("two labels of the model have the same name: rename one")
    return Model(wrapped, card, reloadable=not callable(output))


def build_from(source: str, *, call: bool = True) -> Any:
    """What the user's function or class `package.module:name` gives; their code is run."""
    module, _, name = source.partition(":")
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        build = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ModelError(
            f"{source} cannot be imported ({error}): expected package.module:function, "
            f"in this folder or installed"
        ) from error
    finally:
        sys.path.remove(folder)
    if not call:
        return build
    try:
        return build() if not isinstance(build, nn.Module | Model) else build
    except HirescamError:
        raise
    except Exception as error:
        raise ModelError(
            f"{source}() fails ({type(error).__name__}: {error}): it has to give a torch "
            f"network without arguments"
        ) from error


def read_labels(path: Path) -> tuple[str, ...]:
    """The labels of a text file, one a line, in the order of the network's scores."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise ModelError(
            f"no labels could be read from {path} ({error}): give a text file in UTF-8 with a "
            f"label a line"
        ) from error
    return tuple(line.strip() for line in lines if line.strip())


def read_preparation(path: Path) -> Preparation:
    """A preparation from a TOML file that holds its keys, or a table [preparation] of them."""
    try:
        table = read_toml(path)
    except (OSError, ValueError) as error:
        raise ModelError(f"no preparation could be read from {path} ({error})") from error
    return Preparation(**table.get("preparation", table))


def preparation_for(source: str, path: Path | None) -> Preparation:
    """That of a file, or else the PREPARATION of the module that builds the network."""
    if path is not None:
        return read_preparation(path)
    module = source.partition(":")[0]
    stated = build_from(f"{module}:PREPARATION", call=False)
    if not isinstance(stated, Preparation):
        raise ModelError(f"{module}.PREPARATION is no hirescam.Preparation: give --preparation")
    return stated


def _source_of(network: nn.Module) -> str | None:
    """The class of a network that its module can give again without arguments."""
    kind = type(network)
    where = f"{kind.__module__}:{kind.__qualname__}"
    if kind.__module__ in ("__main__", "builtins") or "<locals>" in kind.__qualname__:
        return None
    if kind.__module__.startswith("torch.nn."):
        return None
    try:
        state = kind().state_dict()
    except Exception:  # any constructor may want anything
        return None
    own = network.state_dict()
    same = state.keys() == own.keys() and all(state[k].shape == own[k].shape for k in own)
    return where if same else None


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


# --- where the cells of a layer lie, traced through the operations that lead to it

_Axis = tuple[float, float]
"""First position and step of the cells along an axis, in samples of the input."""
_Lie = tuple[tuple[int, ...], tuple[_Axis, ...]]
"""Which axis of the input each axis of a tensor runs along, and where its cells lie."""


class _CellTrace(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows through convolutions, poolings and paddings where the cells of a tensor lie."""

    def __init__(self, example: Tensor):
        super().__init__()  # type: ignore[no-untyped-call]
        self.known: dict[int, _Lie] = {}
        self.kept: list[Tensor] = []  # so that no id is used twice
        space = example.shape[2:]
        self.note(example, (tuple(range(len(space))), tuple((0.0, 1.0) for _ in space)))

    def note(self, tensor: Any, axes: _Lie) -> None:
        if isinstance(tensor, Tensor):
            self.known[id(tensor)] = axes
            self.kept.append(tensor)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        first = out[0] if isinstance(out, tuple | list) and out else out
        if isinstance(first, Tensor):
            lie = self._lie(func.overloadpacket._qualified_op_name, args, first)
            if lie is not None:
                self.note(first, lie)
            else:
                self.kept.append(first)
        return out

    def _lie(self, name: str, args: Any, out: Tensor) -> _Lie | None:
        known = next(
            (
                each
                for argument in args
                for each in (argument if isinstance(argument, list | tuple) else (argument,))
                if isinstance(each, Tensor) and id(each) in self.known
            ),
            None,
        )
        if known is None:
            return None
        order, axes = self.known[id(known)]
        short = name.rpartition("::")[2]
        if short in ("permute", "transpose") and out.ndim == known.ndim:
            moved = list(range(out.ndim))
            if short == "permute":
                moved = [axis % out.ndim for axis in args[1]]
            else:
                one, other = args[1] % out.ndim, args[2] % out.ndim
                moved[one], moved[other] = moved[other], moved[one]
            if moved[:2] != [0, 1]:
                return None
            places = [axis - 2 for axis in moved[2:]]
            return tuple(order[at] for at in places), tuple(axes[at] for at in places)
        found = self._axes(name, args, out)
        return None if found is None else (order, found)

    def _axes(self, name: str, args: Any, out: Tensor) -> tuple[_Axis, ...] | None:
        flat = [
            each
            for argument in args
            for each in (argument if isinstance(argument, list | tuple) else (argument,))
            if isinstance(each, Tensor) and id(each) in self.known
        ]
        if not flat:
            return None
        source, (_, axes) = flat[0], self.known[id(flat[0])]
        count = len(axes)
        short = name.rpartition("::")[2]
        if short in ("convolution", "_convolution"):
            kernel = args[1].shape[2:]
            stride, padding, dilation, transposed = args[3], args[4], args[5], args[6]
            each = zip(
                axes,
                kernel,
                *(_spread(v, count) for v in (stride, padding, dilation)),
                strict=False,
            )
            if transposed:
                return tuple(
                    (a + s * (p - d * (k - 1) / 2) / t, s / t) for (a, s), k, t, p, d in each
                )
            return tuple((a + s * (d * (k - 1) / 2 - p), s * t) for (a, s), k, t, p, d in each)
        if "pool" in short and "adaptive" not in short and "backward" not in short:
            kernel = _spread(args[1], count)
            stride = _spread(args[2] if len(args) > 2 and args[2] else args[1], count)
            padding = _spread(args[3] if len(args) > 3 else 0, count)
            dilated = args[4] if "max" in short and len(args) > 4 else 1
            dilation = _spread(dilated, count)
            each = zip(axes, kernel, stride, padding, dilation, strict=False)
            return tuple((a + s * (d * (k - 1) / 2 - p), s * t) for (a, s), k, t, p, d in each)
        if short.endswith("_pad_nd") or "pad" in short:
            if out.ndim - 2 != count or len(args) < 2:
                return None
            pads = [*args[1], *repeat(0, 2 * count - len(args[1]))]
            return tuple(
                (a - s * pads[2 * (count - 1 - axis)], s) for axis, (a, s) in enumerate(axes)
            )
        if out.ndim == count + 2:
            if out.shape[2:] == source.shape[2:]:
                if short in ("permute", "transpose", "flip", "roll"):
                    return None
                return axes
            if short == "slice" and len(args) > 1 and args[1] >= 2:
                start = args[2] if len(args) > 2 and args[2] else 0
                step = args[4] if len(args) > 4 else 1
                start += source.shape[args[1]] if start < 0 else 0
                return tuple(
                    (a + s * start, s * step) if axis == args[1] - 2 else (a, s)
                    for axis, (a, s) in enumerate(axes)
                )
            if "upsample" in short or "adaptive" in short:
                ratios = [
                    old / new for old, new in zip(source.shape[2:], out.shape[2:], strict=True)
                ]
                return tuple(
                    (a + s * (ratio - 1) / 2, s * ratio)
                    for (a, s), ratio in zip(axes, ratios, strict=True)
                )
        return None


def _spread(value: Any, count: int) -> list[Any]:
    values = list(value) if isinstance(value, list | tuple) else [value]
    return values * count if len(values) == 1 else values


def traced_cells(
    network: nn.Module, layer: str | None, example: Float[Tensor, "1 channel ..."]
) -> list[tuple[int, Cells]] | None:
    """For each axis of a layer's output the axis of the input along which its cells lie.

    None where that is lost.

    A shortcut beside a residual block has the cells of its block. The input is on the meta
    device: shapes are computed, numbers are not.
    """
    copy = _skeleton(network).eval()
    trace = _CellTrace(example)
    out: list[Tensor] = []
    part = copy.get_submodule(layer) if layer else copy
    hook = part.register_forward_hook(lambda *given: out.append(given[2]))
    try:
        with torch.no_grad(), trace:
            copy(example)
    except Exception:  # above the layer anything may happen with shapes alone
        pass
    finally:
        hook.remove()
    if not out or not isinstance(out[0], Tensor):
        return None
    sizes = tuple(out[0].shape[2:])
    order, axes = trace.known.get(id(out[0]), ((), ()))
    if len(axes) == len(sizes):
        cells = (
            Cells(first, step, size) for (first, step), size in zip(axes, sizes, strict=True)
        )
        return [*zip(order, cells, strict=True)]
    if len(sizes) != example.ndim - 2:
        return None
    tiled = map(tiled_cells, sizes, example.shape[2:])
    return [*enumerate(tiled)]
