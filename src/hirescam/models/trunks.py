"""Trunks by name: networks that make feature maps of images, as a model file names them.

A trunk of your own, a subclass of `Trunk`, is one more row, to be added before a model with it
is built or read: `TRUNKS["mine"] = build`.
"""

from collections.abc import Callable

from hirescam.errors import ModelError
from hirescam.models.backbone import BasicBlock, Bottleneck, ResNetTrunk, Trunk

Build = Callable[[tuple[int, ...], tuple[int, ...], int], Trunk]
"""Makes a trunk of widths, numbers of blocks, and input channels."""

TRUNKS: dict[str, Build] = {
    "ResNet": lambda widths, blocks, channels: ResNetTrunk(
        widths, blocks, channels, BasicBlock
    ),
    "ResNetBottleneck": lambda widths, blocks, channels: ResNetTrunk(
        widths, blocks, channels, Bottleneck
    ),
}
"""`blocks` (2, 2, 2, 2) make ResNet-18 of basic blocks; (3, 4, 6, 3) ResNet-34, or ResNet-50 of
bottlenecks."""


def build_trunk(
    name: str, widths: tuple[int, ...], blocks: tuple[int, ...], channels: int
) -> Trunk:
    """The trunk of a name in `TRUNKS`."""
    if name not in TRUNKS:
        raise ModelError(
            f"trunk {name!r} is unknown, expected one of {', '.join(TRUNKS)}: add yours with "
            f"hirescam.models.trunks.TRUNKS[{name!r}] = build"
        )
    trunk = TRUNKS[name](widths, blocks, channels)
    if not isinstance(getattr(trunk, "out_channels", None), int):
        raise ModelError(
            f"trunk {name!r} does not say how many features it gives: set its `out_channels`"
        )
    return trunk
