"""Engine: run a network once, keep one layer's output and the gradients of its scores there.

Below the layer no autograd graph is built: the hook hands on a leaf. So all labels cost one
forward pass and, for the part above the layer only, one batched vector-Jacobian product.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parameter import is_lazy

from hirescam.errors import LayerError, ShapeError, TargetError
from hirescam.methods.dataflow import DataFlow
from hirescam.methods.state import (
    eager,
    eager_around,
    eval_mode,
    frozen,
    hooked,
    hooked_once,
    refuse_torchscript,
    restored_state,
    unwrapped,
)
from hirescam.methods.targets import Pick, Targets, label_names, picker


def find_layer(
    network: nn.Module, x: Num[Tensor, "batch ..."], layer: nn.Module | str | None = None
) -> nn.Module:
    """A module as given, or by its dotted name, or the last one with spatial output.

    The last one is found by passing shapes through the network, no numbers, or where that is
    not possible by a forward pass; a network may also name its `explained_layer` itself.
    """
    network = unwrapped(network)
    _refuse_what_has_no_maps(network, x)
    if layer is None:
        own = getattr(network, "explained_layer", None)
        return own if isinstance(own, nn.Module) else _last_spatial(network, x)
    for name, module in network.named_modules():
        if name and (
            module is layer or (isinstance(layer, str) and _plain(name) == _plain(layer))
        ):
            return module
    names = [_plain(name) for name, _ in network.named_modules() if name]
    if isinstance(layer, str):
        near = get_close_matches(layer, names, cutoff=0.4) or names[-3:]
        raise LayerError(
            f"the network has no layer {layer!r}: did you mean {' or '.join(near)}?"
        )
    raise LayerError(
        f"the {type(layer).__name__} given as layer is not part of the network: pass one "
        f"of its own modules or a dotted name such as {names[-1] if names else ''!r}"
    )


def layer_name(network: nn.Module, layer: nn.Module) -> str:
    """Dotted name of `layer` in `network`, without the wrappers of torch.compile."""
    return next(
        _plain(name) for name, module in unwrapped(network).named_modules() if module is layer
    )


def channels_come_last(layer: nn.Module, output: Tensor) -> bool:
    """Whether features lie along the last axis, as tokens have them, and not the second."""
    parts = [*layer.modules()]
    features = [getattr(part, "out_features", None) for part in parts]
    normed = [getattr(part, "normalized_shape", [None])[-1] for part in parts]
    channels = [getattr(part, "out_channels", None) for part in parts]
    second, last = output.shape[1], output.shape[-1]
    return last in features + normed and second not in features + normed + channels


def _refuse_what_has_no_maps(network: nn.Module, x: Num[Tensor, "batch ..."]) -> None:
    refuse_torchscript(network)
    if any(not is_lazy(weight) and weight.is_inference() for weight in network.parameters()):
        raise LayerError(
            "the network's weights were made under torch.inference_mode and have no gradients: "
            "build or load it outside"
        )
    if not x.numel():
        raise ShapeError(
            f"an input of shape {tuple(x.shape)} holds nothing to explain: give an image"
        )


def _plain(name: str) -> str:
    """A dotted name without what `torch.compile` and DataParallel put into it."""
    parts = name.removeprefix("module.").split(".")
    return ".".join(part for part in parts if part != "_orig_mod")


def _last_spatial(network: nn.Module, x: Num[Tensor, "batch ..."]) -> nn.Module:
    """The last direct or indirect part of the network that gives more than one place."""
    try:
        found = _last_called(_skeleton(network), x.to("meta"))
    except Exception:  # any network may do in its forward what shapes alone cannot
        found = _last_called(network, x[:1])
    if not found:
        raise LayerError("no part of the network has spatial output: name the layer to explain")
    return network.get_submodule(found)


def _skeleton(network: nn.Module) -> nn.Module:
    """A copy of the network with shapes for weights and without anyone's hooks."""
    weights = [*network.parameters(), *network.buffers()]
    shapes = {id(weight): weight.detach().to("meta") for weight in weights}
    for parameter in network.parameters():
        shapes[id(parameter)] = nn.Parameter(shapes[id(parameter)], requires_grad=False)
    copy = deepcopy(network, shapes)
    for module in copy.modules():
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    return copy


def _last_called(network: nn.Module, x: Num[Tensor, "batch ..."]) -> str:
    """Name of the last module that ran once and gave more than one place; "" if none did."""
    ran: list[str] = []
    spatial: list[str] = []

    def note(name: str, _module: nn.Module, _inputs: object, output: object) -> None:
        ran.append(name)
        if isinstance(output, Tensor) and output.ndim >= 3 and output[0, 0].numel() > 1:
            spatial.append(name)

    with torch.no_grad(), restored_state(network), eager(network), ExitStack() as hooks:
        for name, module in network.named_modules():
            if name:
                hooks.enter_context(hooked(module, partial(note, name)))
        network(x)
    return next((name for name in reversed(spatial) if ran.count(name) == 1), "")


GRADIENT_BYTES = 256 * 2**20
"""How much memory the gradients of a group of targets may take at a time."""


@dataclass(frozen=True, eq=False)
class Capture:
    """What one forward pass left at a layer, ready for gradients of its scores there."""

    scores: Float[Tensor, "batch label"]
    activation: Float[Tensor, "batch channel *space"]
    layer: nn.Module
    network: nn.Module
    labels: tuple[str, ...] = ()

    def pick(self, targets: Targets = "all") -> Pick:
        """How to take `targets` out of scores of this network; raises TargetError."""
        return picker(targets, self.scores, self.labels)

    def gradients(
        self, targets: Targets = "all", *, create_graph: bool = False
    ) -> Iterator[Float[Tensor, "target batch channel *space"]]:
        """Gradients of the targets' scores at the layer, a bounded number of targets at a time.

        Images of a batch are taken to be independent, as they are in evaluation mode.
        """
        with torch.inference_mode(False), torch.enable_grad():
            picked = self.pick(targets)(self.scores)
        if not picked.requires_grad:
            raise TargetError(
                "the function of the scores gives numbers that have no gradient: compute them "
                "from the scores with torch, without detaching"
            )
        size = self.activation.numel() * self.activation.element_size()
        count = picked.shape[1]
        each = torch.eye(count, dtype=picked.dtype, device=picked.device)
        for some in torch.split(each, max(1, GRADIENT_BYTES // max(1, size))):
            wanted = some[:, None].expand(-1, *picked.shape)
            with _as_captured(self.network, create_graph):
                found = _products(picked, self.activation, wanted, create_graph)
            yield found


def capture(
    network: nn.Module,
    x: Num[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    labels: Sequence[str] | None = None,
    create_graph: bool = False,
) -> Capture:
    """Run `network` on `x` in evaluation mode and keep the output of `layer`.

    The network is left as it was found: modes, buffers, hooks, gradients, requires_grad and
    random states, also after an exception. Callers may be inside `no_grad`, `inference_mode` or
    `autocast`, or inside a hook of another explanation. `labels` name the scores; left out,
    `network.labels` does. `create_graph` keeps the graph below the layer too, for training.
    """
    network = unwrapped(network)
    layer = find_layer(network, x, layer)
    name = layer_name(network, layer)
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: object) -> Tensor:
        found = _with_places(output, layer, name)
        below = create_graph and found.requires_grad
        kept.append(found if below else found.detach().requires_grad_())
        return kept[-1].clone()  # so that a later in-place ReLU cannot change what we kept

    with torch.inference_mode(False), torch.enable_grad():
        x = x.clone() if x.is_inference() else x if create_graph else x.detach()
        with (
            restored_state(network),
            _as_captured(network, create_graph),
            eager_around(network, layer),
            hooked_once(layer, keep),
        ):
            scores = network(x)
    _check_run(kept, scores, name)
    named = label_names(network) if labels is None else tuple(labels)
    return Capture(scores, kept[0], layer, network, named)


def _with_places(output: object, layer: nn.Module, name: str) -> Tensor:
    """What a layer returned, if that has channels and then places."""
    if not isinstance(output, Tensor) or output.ndim < 3:
        raise LayerError(
            f"layer {name!r} returns {_described(output)}, expected one tensor "
            f"(batch, channel, *space): pick a layer with spatial output"
        )
    if channels_come_last(layer, output):
        raise LayerError(
            f"layer {name!r} returns {_described(output)}, whose last axis seems to be its "
            f"channels, expected (batch, channel, *space): pick a layer that permutes them, or "
            f"let one do so"
        )
    return output


def _check_run(kept: Sequence[Tensor], scores: object, name: str) -> None:
    """Refuse a run whose scores cannot be traced back to the layer, image by image."""
    if len(kept) != 1:
        raise LayerError(
            f"layer {name!r} ran {len(kept)} times in one forward pass, expected exactly 1: "
            f"pick a layer that the network calls once"
        )
    if not isinstance(scores, Tensor) or scores.ndim != 2:
        raise TargetError(
            f"the network returns {_described(scores)}, expected scores (batch, label): "
            f"wrap it in a module that returns its logits"
        )
    if not scores.requires_grad or not _reaches(scores, kept[0]):
        raise LayerError(
            f"the scores do not depend on layer {name!r}: pick another, or run it without "
            f"no_grad, detach and reentrant checkpoints"
        )
    if len(scores) != len(kept[0]):
        raise LayerError(
            f"layer {name!r} returns {len(kept[0])} rows for {len(scores)} rows of scores: "
            f"pick a layer with one row per image, slices as an axis of space"
        )


@contextmanager
def _as_captured(network: nn.Module, create_graph: bool) -> Iterator[None]:
    """The state to run in; gradients need it too, for checkpointed parts run again then."""
    with eval_mode(network), nullcontext() if create_graph else frozen(network):
        yield


def _reaches(scores: Tensor, activation: Tensor) -> bool:
    """Whether the graph of the scores leads to the activation."""
    if activation.is_leaf:
        return scores.requires_grad
    (found,) = torch.autograd.grad(
        scores.sum(), activation, retain_graph=True, allow_unused=True
    )
    return found is not None


def _products(
    picked: Float[Tensor, "batch target"],
    activation: Float[Tensor, "batch channel *space"],
    wanted: Float[Tensor, "some batch target"],
    create_graph: bool,
) -> Float[Tensor, "some batch channel *space"]:
    """Vector-Jacobian products, batched, or one by one where an operation cannot be batched."""

    def product(vector: Tensor, batched: bool) -> Tensor:
        (found,) = torch.autograd.grad(
            picked,
            activation,
            vector,
            is_grads_batched=batched,
            retain_graph=True,
            create_graph=create_graph,
            allow_unused=True,
        )
        if found is None:
            raise LayerError(
                "no gradient leads from the scores to the layer, for something between them "
                "has none: explain the network before it was quantised, or without detach"
            )
        return found

    if len(wanted) > 1:
        try:
            return product(wanted, True)
        except RuntimeError:
            pass  # no batching rule for some operation above the layer; else it fails below too
    return torch.stack([product(vector, False) for vector in wanted])


def _described(output: object) -> str:
    if isinstance(output, Tensor):
        return f"a tensor of shape {tuple(output.shape)}"
    return f"a {type(output).__name__}"


CHANGED_BYTES = 16 * 2**20
"""How much changed inputs or activations run through the network at a time."""

WIDEST_BYTES = 256 * 2**20
"""How much memory the gradients of a group of targets may take where they are largest."""


class FromInput(nn.Module):
    """A network whose input is a layer too, so that a map can lie there."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.input = nn.Identity()
        self.network = network
        self.labels = label_names(network)

    def forward(self, x: Num[Tensor, "batch ..."]) -> object:
        return self.network(self.input(x))


@dataclass(frozen=True, eq=False)
class InputCapture(Capture):
    """A capture at the input, whose gradients are larger on their way than when they arrive."""

    widest_bytes: int = 1

    def gradients(
        self, targets: Targets = "all", *, create_graph: bool = False
    ) -> Iterator[Float[Tensor, "target batch channel *space"]]:
        """Those of `Capture`, of as many targets at a time as fit where they are largest."""
        pick = self.pick(targets)
        step = max(1, WIDEST_BYTES // self.widest_bytes)
        for start in range(0, pick(self.scores).shape[1], step):
            some = partial(_columns, pick, slice(start, start + step))
            yield from super().gradients(some, create_graph=create_graph)


def _columns(pick: Pick, some: slice, scores: Tensor) -> Tensor:
    return pick(scores)[:, some]


def capture_at(
    network: nn.Module, x: Num[Tensor, "batch ..."], layer: nn.Module | str | None = None
) -> Capture:
    """What `capture` sees at `layer`, or at the input itself where none is named."""
    if layer is not None:
        return capture(network, x, layer=layer)
    entered = FromInput(unwrapped(network))
    sizes = [1]

    def note(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            sizes.append(output.numel() * output.element_size())

    with ExitStack() as hooks:
        for module in entered.modules():
            hooks.enter_context(hooked(module, note))
        seen = capture(entered, x, layer=entered.input)
    fields = {field.name: getattr(seen, field.name) for field in dataclasses.fields(seen)}
    return InputCapture(**fields, widest_bytes=max(sizes))


def capture_with(
    value: Float[Tensor, "batch channel *space"],
    network: nn.Module,
    x: Num[Tensor, "batch ..."],
    layer: nn.Module | str | None = None,
) -> Capture:
    """The same, had that place held `value`."""
    if layer is None:
        return capture_at(network, value)
    layer = find_layer(network, x, layer)
    with torch.inference_mode(False):
        kept = value.clone()
        with eager_around(unwrapped(network), layer), hooked(layer, lambda *_: kept):
            return capture(network, x, layer=layer)


def scores_with(
    values: Iterable[Float[Tensor, "batch channel *space"]],
    pick: Pick,
    network: nn.Module,
    x: Num[Tensor, "batch ..."],
    layer: nn.Module | str | None = None,
    *,
    unchanged: tuple[Tensor, Float[Tensor, "batch label"]],
) -> Float[Tensor, "change batch target"]:
    """Scores had that place held each of `values`, run as many at a time as memory allows.

    `unchanged` is what the place holds and the scores of that. It runs first and last in every
    group; where its scores come out otherwise, or the network takes no other batch size than
    that of `x`, rows influence each other, and every value runs by itself.
    """
    network = unwrapped(network)
    if layer is not None:
        layer = find_layer(network, x, layer)
    value, scores = unchanged[0].detach(), unchanged[1].detach()
    together = True
    rows: list[Tensor] = []
    with torch.inference_mode(False), torch.no_grad(), restored_state(network):
        for group in _groups(values):
            found = None
            if together and len(group) > 1:
                found = _scores_together([value, *group, value], scores, network, x, layer)
                together = found is not None
            if found is None:
                found = torch.cat([_scores(each, network, x, layer) for each in group])
            found = found.clone()
            for row, each in zip(torch.split(found, len(x)), group, strict=True):
                if torch.equal(each, value):
                    row.copy_(scores)  # to the last digit
            rows.append(pick(found))
    return torch.unflatten(torch.cat(rows), 0, (-1, len(x)))


def _scores_together(
    values: list[Tensor], known: Tensor, network: nn.Module, x: Tensor, layer: nn.Module | None
) -> Tensor | None:
    """Scores of all but the first and last, or None if these two do not get what is known."""
    try:
        found = _scores(torch.cat(values), network, x, layer)
    except (RuntimeError, TypeError, ValueError, AssertionError, IndexError):
        return None
    batch = len(x)
    if len(found) != batch * len(values):
        return None
    if not (_same(found[:batch], known, 1e-5) and _same(found[-batch:], known, 1e-5)):
        return None
    return found[batch:-batch]


def _groups(values: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    group: list[Tensor] = []
    for value in values:
        group.append(value)
        if len(group) * value.numel() * value.element_size() >= CHANGED_BYTES:
            yield group
            group = []
    if group:
        yield group


def _scores(values: Tensor, network: nn.Module, x: Tensor, layer: nn.Module | None) -> Tensor:
    if layer is None:
        return network(values)
    repeated = x.repeat(len(values) // len(x), *[1] * (x.ndim - 1))
    with eager_around(network, layer), hooked(layer, lambda *_: values.clone()):
        return network(repeated)


Score = Callable[[Float[Tensor, "row channel *space"]], Float[Tensor, "row label"]]
"""The part of a network above a layer: any number of activations to their scores."""


def replay(seen: Capture, x: Num[Tensor, "batch ..."], flow: DataFlow | None = None) -> Score:
    """Scores of whole batches of activations, by one run of the network where it lets us.

    `flow` is told in the first run whether scores depend on the input around the layer.

    The first batch must be the captured one, so that its scores are known. A network that gives
    others, or fails, insists on the batch size of `x`: it runs once per batch.
    """
    stranger = noise_like(x)

    def score(activations: Tensor) -> Tensor:
        following = flow is not None and not flow.complete
        with (
            torch.no_grad(),
            restored_state(seen.network),
            eager_around(seen.network, seen.layer),
            hooked_once(seen.layer, lambda *_: activations.clone()),
            flow.from_input(stranger) if flow is not None and following else nullcontext(),
        ):
            scores = seen.network(stranger)
        if flow is not None and following:
            flow.arrived(scores)
        return scores

    def score_any(activations: Tensor) -> Tensor:
        try:
            together = score(activations)
            if len(together) == len(activations) and _same(together[: len(x)], seen.scores):
                return together
        except (RuntimeError, TypeError, ValueError, AssertionError, IndexError):
            pass
        return torch.cat([score(part) for part in torch.split(activations, len(x))])

    return score_any


def noise_like(x: Num[Tensor, "batch ..."]) -> Num[Tensor, "batch ..."]:
    """Another input of the same shape and kind, with even noise over the same values."""
    random = torch.Generator().manual_seed(0)
    low, high = (end.float() for end in x.detach().aminmax())
    noise = torch.rand(x.shape, generator=random).to(x.device)
    span = torch.where(high > low, high - low, 1) + (not x.is_floating_point())
    return (low + noise * span).to(x.dtype)


def _same(found: Tensor, expected: Tensor, least: float = 1e-4) -> bool:
    size = expected.detach().float().abs().max()
    rounding = max(least, 4 * torch.finfo(expected.dtype).eps)
    return bool((found.float() - expected.float()).abs().max() <= rounding * size + 1e-6)


MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}


def upsampled(
    maps: Float[Tensor, "batch target *space"],
    x: Float[Tensor, "batch channel *_"],
    network: nn.Module,
) -> Float[Tensor, "batch target *_"]:
    """Maps interpolated linearly to the space of x; LayerError where axes do not correspond."""
    if getattr(unwrapped(network), "channel_axis", 1) != 1:
        raise LayerError(
            "the second axis of this network's input is not its channels, so a layer's axes of "
            "space do not lie over those of the input: pick hirescam, gradcam or occlusion"
        )
    if maps.ndim != x.ndim or maps.ndim - 2 not in MODES:
        raise LayerError(
            f"a layer with {maps.ndim - 2} axes of space cannot be laid over an input of shape "
            f"{tuple(x.shape)}, expected (batch, channel, *space) with as many: pick another "
            f"layer or method"
        )
    mode = MODES[maps.ndim - 2]
    return F.interpolate(maps, x.shape[2:], mode=mode, align_corners=False)
