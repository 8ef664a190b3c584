"""read_cases: the cases that a config names; their layout is picked from a table."""

from collections.abc import Callable
from pathlib import Path

from hirescam.anatomy import LIES_IN
from hirescam.errors import ReadError, TargetError
from hirescam.training.config import TrainConfig
from hirescam.training.datasets import ct_rate, rad_chestct, simulated, table
from hirescam.training.datasets.cases import Cases, chosen, with_organs

LAYOUTS: dict[str, Callable[[Path, tuple[str, ...], str], Cases]] = {
    "csv": table.read,
    "simulated": simulated.read,
    "rad-chestct": rad_chestct.read,
    "ct-rate": ct_rate.read,
}


def read_cases(config: TrainConfig) -> Cases:
    """Scans, labels and places of a data set, by split.

    Raises `ReadError` if it is not there, not in its layout, or has nothing to train on.
    """
    if not config.data.exists():
        raise ReadError(f"there is no {config.data}: set `data` to where the data set lies")
    cases = LAYOUTS[config.layout](config.data, config.labels, config.view)
    if config.subset is not None:
        cases = chosen(cases, config.subset)
    if config.organs is not None:
        cases = with_organs(cases, config.organs)
    _check_places(cases, config.mask_loss)
    for split in ("train", "valid"):
        if not cases.splits[split]:
            raise ReadError(
                f"no scan of {config.data.name} is in split {split} ({cases.absent} rows have "
                f"no scan file): check `data`, `layout` and `subset`"
            )
    return cases


def _check_places(cases: Cases, mask_loss: str | None) -> None:
    nowhere = [label for label, organs in cases.anatomy.items() if not organs]
    if mask_loss is not None and nowhere:
        raise TargetError(
            f"label {nowhere[0]!r} does not say where it lies, which a mask loss must know: "
            f"begin it with one of {', '.join(f'{place}_' for place in LIES_IN)}"
        )
