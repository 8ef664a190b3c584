"""Truth: which abnormality lies at which location, and what that says of the 80 labels."""

from collections.abc import Iterable

from hirescam.anatomy import ABNORMALITIES, LABELS
from hirescam.simulation.findings.kinds import Finding, Lesion

Cell = tuple[str, str]  # an abnormality and a location, as SARLE spells them

_LOBES = {
    f"{side}_{lobe}": (f"{side}_lung", "lung")
    for side in ("right", "left")
    for lobe in ("upper", "mid", "lower")
}
IMPLIED = _LOBES | {
    "right_lung": ("lung",),
    "left_lung": ("lung",),
    "aortic_valve": ("heart",),
    "mitral_valve": ("heart",),
}
"""What else a location lies in, by anatomy and not by the words of a report."""

PLACES = {
    "great_vessel": ("aorta", "svc", "ivc", "pulmonary_artery", "pulmonary_vein"),
    "mediastinum": ("mediastinum", "hilum"),
    "heart": ("heart", "mitral_valve", "aortic_valve", "tricuspid_valve", "pulmonary_valve"),
    "lung": (*_LOBES, "right_lung", "left_lung"),
}
"""Locations that count for the labels of each place (Draelos and Carin, arXiv:2011.08891)."""

_CELLS_OF = {
    f"{place}_{abnormality}": frozenset((abnormality, each) for each in PLACES[place])
    for place, abnormalities in ABNORMALITIES.items()
    for abnormality in abnormalities
}


def cells(finding: Finding, lesion: Lesion) -> frozenset[Cell]:
    """Every abnormality of a lesion at each of its locations and at those that hold these."""
    places = {*lesion.locations}.union(*(IMPLIED.get(at, ()) for at in lesion.locations))
    abnormalities = (*finding.abnormalities, *lesion.also)
    return frozenset((what, where) for what in abnormalities for where in places)


def labels_of(truth: Iterable[Cell]) -> tuple[str, ...]:
    """Those of the 80 labels that hold, in their published order."""
    known = frozenset(truth)
    return tuple(label for label in LABELS if known & _CELLS_OF[label])
