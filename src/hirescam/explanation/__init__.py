"""What a model says of a scan, where it saw that, and in which organs that lies.

`explaining` makes an `Explanation`, which `found` holds; `overlap`, `places` and `shares` put
its maps into the words of anatomy; `hiding` and `fill` check them by hiding an organ.
"""

from hirescam.explanation.explaining import MAPS, Geometry, Method, explain, fingerprint
from hirescam.explanation.found import Explanation, Provenance
from hirescam.explanation.hiding import Agreement, HiddenOrgan, hide_organ
from hirescam.explanation.shares import OrganShares

__all__ = [
    "MAPS",
    "Agreement",
    "Explanation",
    "Geometry",
    "HiddenOrgan",
    "Method",
    "OrganShares",
    "Provenance",
    "explain",
    "fingerprint",
    "hide_organ",
]
