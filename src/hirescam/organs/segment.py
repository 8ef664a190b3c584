"""segment_organs: a scan becomes organ masks; the method is picked from a table."""

from importlib import import_module

from hirescam.ct.volume import Volume
from hirescam.errors import TargetError
from hirescam.organs.masks import Observer, OrganMasks

METHODS = {
    "robust": "hirescam.organs.robust:robust",
    "published": "hirescam.organs.published:published",
    "published-as-printed": "hirescam.organs.published:published_as_printed",
}


def segment_organs(
    volume: Volume, method: str = "robust", *, observe: Observer | None = None
) -> OrganMasks:
    """Right lung, left lung and mediastinum of a chest CT, each with a verdict on its mask.

    No learned weights, no annotation. `observe` is given each step's name and mask as it is
    made. A scan without a chest is no error: its verdicts say what is wrong.

    Raises `TargetError` for an unknown method.
    """
    if method not in METHODS:
        raise TargetError(f"no method is called {method!r}: choose one of {', '.join(METHODS)}")
    module, function = METHODS[method].split(":")
    masks: OrganMasks = getattr(import_module(module), function)(volume, observe=observe)
    return masks
