"""Choice: which series of a folder is the scan.

As RAD-ChestCT was prepared: of the original series, the one with the most slices (Draelos et
al., Medical Image Analysis 67, 2021). Where that leaves two, or none, the caller names one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hirescam.ct.dicom.series import (
    DERIVED,
    LOCALIZER,
    NO_CT,
    ORIGINAL,
    UNSTATED,
    Group,
    Series,
    line,
)
from hirescam.errors import GeometryError, ReadError

# Up to so many are rarely a whole chest: read where nothing else is there, but no winner.
_FEW_SLICES = 30
_SET_ASIDE = {
    NO_CT: "holds no CT slices",
    LOCALIZER: "is a localizer",
    DERIVED: "was derived from another series",
    UNSTATED: "does not say that it is original, as another does",
}
_LIKELIEST = (ORIGINAL, UNSTATED, DERIVED, LOCALIZER)  # part of a series that was named
_LIST = "name one that `hirescam series` lists (series=…, --series …)"


@dataclass(frozen=True, eq=False)
class Choice:
    """What speaks for and against each group; the one that is the scan, or why none is."""

    reasons: Sequence[tuple[Group, str]]
    chosen: Group | ReadError


def choose(groups: Sequence[Group], series: str | None = None) -> Choice:
    """The original series with the most slices, or the one whose UID is `series`.

    `groups` come the largest first. Series that do not say what they are count as original
    where none does; derived ones and localizers are taken only by name.
    """
    return _only_original(groups) if series is None else _named(groups, series)


def the_scan(choice: Choice) -> Group:
    """The group that was chosen, or the error that none was."""
    if isinstance(choice.chosen, ReadError):
        raise choice.chosen
    return choice.chosen


def listed(choice: Choice) -> list[Series]:
    """Every series, the scan first, as lines that name no patient."""
    lines = [
        line(group, reason, chosen=group is choice.chosen) for group, reason in choice.reasons
    ]
    return sorted(lines, key=lambda one: not one.chosen)


def _only_original(groups: Sequence[Group]) -> Choice:
    kind = ORIGINAL if any(group.kind == ORIGINAL for group in groups) else UNSTATED
    rivals = [group for group in groups if group.kind == kind]
    counts = [group.slices for group in rivals]
    if not rivals:
        return Choice(_reasons(groups, {}), _none(groups))
    studies = len({group.study for group in rivals})
    if studies > 1 or (len(rivals) > 1 and counts[0] <= max(_FEW_SLICES, counts[1])):
        why_not = {id(group): "is one of several that could be the scan" for group in rivals}
        return Choice(_reasons(groups, why_not), _several(counts, studies))
    best = "is the only series that could be the scan"
    if len(rivals) > 1:
        best = "is original and has the most slices"
    why = {id(group): "has fewer slices" for group in rivals} | {id(rivals[0]): best}
    return Choice(_reasons(groups, why), rivals[0])


def _named(groups: Sequence[Group], series: str) -> Choice:
    fitting = [group for group in groups if group.uid == series and group.kind in _LIKELIEST]
    chosen = min(fitting, key=lambda group: _LIKELIEST.index(group.kind), default=None)
    reasons = [
        (group, "was named" if group is chosen else "is not the one that was named")
        for group in groups
    ]
    if chosen is not None:
        return Choice(reasons, chosen)
    refusal = ReadError(f"holds {len(groups)} series, none of CT with the given UID: {_LIST}")
    return Choice(reasons, refusal)


def _reasons(groups: Sequence[Group], rivals: dict[int, str]) -> list[tuple[Group, str]]:
    return [(group, rivals.get(id(group)) or _SET_ASIDE[group.kind]) for group in groups]


def _several(counts: Sequence[int], studies: int) -> GeometryError:
    sizes = " and ".join(map(str, counts))
    wanted = f"one of over {_FEW_SLICES} that has more than any other"
    if studies > 1:
        wanted = f"those of one study, not of {studies}"
    return GeometryError(
        f"holds {len(counts)} series of {sizes} slices, expected {wanted}: {_LIST}"
    )


def _none(groups: Sequence[Group]) -> ReadError:
    found = " and ".join(f"one that {_SET_ASIDE[group.kind]}" for group in groups[:3])
    return ReadError(f"holds {len(groups)} series, none an original CT ({found}): {_LIST}")
