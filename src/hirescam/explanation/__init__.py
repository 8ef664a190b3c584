"""What a model says of a scan, where it saw that, and in which organs that lies.

`explanation` makes an `Explanation`; `organ_shares` puts its maps into the words of anatomy;
`organ_occlusion` checks them by occluding an organ; `input_warnings` doubts the scan.
"""

import warnings
from typing import Any

from hirescam.explanation.explanation import (
    BESIDE,
    Explanation,
    Geometry,
    Provenance,
    check_methods,
    explain,
    fingerprint,
)
from hirescam.explanation.organ_occlusion import Agreement, OrganOcclusion, occlude_organ
from hirescam.explanation.organ_shares import OrganShares

_FORMER: dict[str, Any] = {"HiddenOrgan": OrganOcclusion, "hide_organ": occlude_organ}


def former(name: str) -> Any:
    """What a public name of 0.1 is called now, with a warning. Raises `AttributeError`."""
    if name not in _FORMER:
        raise AttributeError(f"module 'hirescam' has no attribute {name!r}")
    warnings.warn(
        f"hirescam.{name} is called {_FORMER[name].__name__} now; the old name goes with 0.3",
        DeprecationWarning,
        stacklevel=3,
    )
    return _FORMER[name]


def __getattr__(name: str) -> Any:
    return former(name)


__all__ = [
    "BESIDE",
    "Agreement",
    "Explanation",
    "Geometry",
    "OrganOcclusion",
    "OrganShares",
    "Provenance",
    "check_methods",
    "explain",
    "fingerprint",
    "occlude_organ",
]
