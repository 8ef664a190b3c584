"""Table 1: does AxialNet find more, and look at the right organ more, than other networks?

Draelos and Carin, arXiv:2011.08891, table 1: median AUROC, and OrganIoU by Grad-CAM and by
HiResCAM, of four architectures and of AxialNet without each of its parts. Trained without the
mask loss.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from hirescam.evaluation.classification import learnt, median_auroc
from hirescam.evaluation.localisation import overall
from hirescam.evaluation.references import WHAT_REFERENCES_SAY
from hirescam.evaluation.tables import Row, interval_columns
from hirescam.experiments import table2
from hirescam.experiments.runs import (
    TestedModel,
    difference,
    each_seed,
    localisation_columns,
    outcomes_of,
    over_seeds,
    reference_rows,
    run_folder,
    trained,
)
from hirescam.experiments.study import NETWORK, Study, StudySize, study
from hirescam.experiments.tables import Table
from hirescam.methods._audit import audit
from hirescam.metrics.classification import Interval
from hirescam.models.files import Model, new_model
from hirescam.models.subject import example_input
from hirescam.training.prepared import OnProgress

METHODS = ("gradcam", "hirescam")
NOT_TO_BE_HAD = "n/a"
_TRUNK = {key: NETWORK[key] for key in ("widths", "blocks")}
_BODY = {**_TRUNK, "neck": (32, 16, 16), "hidden": (64, 48)}
_VOLUME = {"widths": (16, 32, 64), "neck": (32, 16), "hidden": (64, 48)}


@dataclass(frozen=True)
class NetworkRow:
    """A row: a network, at the paper's size by its defaults and `small` on simulated chests.

    `variant` makes it what it is at either size. `start` and `small_start` are its beginnings.
    """

    architecture: str = "AxialNet"
    small: Mapping[str, object] = field(default_factory=lambda: NETWORK)
    variant: Mapping[str, object] = field(default_factory=dict)
    start: str = "imagenet"
    small_start: str = "few-scans"


ENTRIES = {
    "CTNet": NetworkRow("CTNet", _BODY),
    "3DConv": NetworkRow("3DConv", _VOLUME, start="random"),
    "BodyConv": NetworkRow("BodyConv", {**_BODY, "strides": (2, 2, 2)}),
    "BodyCAM": NetworkRow("BodyCAM"),
    "AxialNet MaxPool": NetworkRow(variant={"pool": "max"}),
    "AxialNet RandInitResNet": NetworkRow(start="random", small_start="random"),
    "AxialNet NoCustomConv": NetworkRow(variant={"neck": ()}),
    "AxialNet": NetworkRow(),
}
PAPER = {
    "CTNet": (0.663, None, None),
    "3DConv": (0.538, 0.033, 0.045),
    "BodyConv": (0.502, 0.000, 0.146),
    "BodyCAM": (0.620, 0.157, 0.157),
    "AxialNet MaxPool": (0.655, 0.093, 0.109),
    "AxialNet RandInitResNet": (0.631, 0.151, 0.141),
    "AxialNet NoCustomConv": (0.565, 0.100, 0.197),
    "AxialNet": (0.675, 0.187, 0.215),
}
"""Median AUROC, OrganIoU by Grad-CAM, and by HiResCAM."""

FULL, QUICK = table2.FULL, table2.QUICK  # so that its trained AxialNets are found


@dataclass(frozen=True, eq=False)
class RowResult:
    """What the trainings of one row gave; no `maps` where none can be laid over organs."""

    scores: list[TestedModel]
    maps: list[TestedModel]
    verdict: str


def run(
    data: Path,
    out: Path,
    *,
    scale: StudySize = FULL,
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Table:
    """Train each network from each seed and measure; what is done already is not done again."""
    chests = study(data, out, scale, jobs=jobs, on_progress=on_progress)
    results = {name: _result(name, chests, scale.seeds, jobs, on_progress) for name in ENTRIES}
    return Table(
        "table1",
        "Architectures and ablations: what they find, and where they look",
        [
            *(_row(name, result) for name, result in results.items()),
            *_reference_rows(results["AxialNet"]),
        ],
        notes=(
            f"Reference rows are those of AxialNet's cells. {WHAT_REFERENCES_SAY}",
            _not_learnt(results),
            _lead_of_axialnet(results),
            *_notes(chests),
            chests.told,
        ),
    )


def _result(
    name: str, chests: Study, seeds: tuple[int, ...], jobs: int, on_progress: OnProgress
) -> RowResult:
    scores, maps, verdict = [], [], ""
    for seed in seeds:
        run_name = f"{name.replace(' ', '-')}-class-{seed}"
        config = chests.recipe(
            name=run_name, seed=seed, mask_loss=None, workers=jobs, **_changes(name, chests)
        )
        folder = run_folder(chests.runs, config)
        model = trained(config, folder, on_progress)
        verdict = str(audit(model.network, example_input(model)).kind)
        judge = partial(
            outcomes_of,
            cases=chests.cases,
            cache=chests.cache,
            jobs=jobs,
            on_progress=on_progress,
        )
        found = TestedModel.of(*judge(model, folder=folder))
        scores.append(found)
        if ENTRIES[name].variant.get("pool") == "max":
            found = TestedModel.of(*judge(mean_pooled(model), folder=folder / "mean-pooled"))
        if ENTRIES[name].architecture != "CTNet":
            maps.append(found)
    return RowResult(scores, maps, verdict)


def _changes(name: str, chests: Study) -> dict[str, object]:
    """How this row's recipe differs from that of the study."""
    entry = ENTRIES[name]
    size = {} if chests.of_paper else entry.small
    return {
        "architecture": entry.architecture,
        "arguments": {**size, **entry.variant},
        "start": entry.start if chests.of_paper else entry.small_start,
    }


def mean_pooled(model: Model) -> Model:
    """The same weights under the mean over slices, which is how the paper maps MaxPool.

    The map of the largest slice score lies in that one slice group.
    """
    card = model.card
    same = new_model(
        name=f"{card.name}, mean-pooled",
        labels=card.labels,
        preparation=card.preparation,
        trained_on=card.trained_on,
        architecture=card.architecture,
        arguments={**card.arguments, "pool": "mean"},
    )
    same.network.load_state_dict(model.network.state_dict())
    same.network.eval().requires_grad_(False)
    return same


def _row(name: str, result: RowResult) -> Row:
    auroc, *ious = PAPER[name]
    return {
        "network": name,
        **interval_columns(
            "median_auroc", median_auroc(*(one.test for one in result.scores), draws=200)
        ),
        **_organ_ious(result.maps),
        **_beside_maps(result),
        "maps": result.verdict,
        "paper_median_auroc": auroc,
        **{
            f"paper_{method}_organ_iou": NOT_TO_BE_HAD if iou is None else iou
            for method, iou in zip(METHODS, ious, strict=True)
        },
    }


def _beside_maps(result: RowResult) -> Row:
    """Gain over the atlas and lesion measures of HiResCAM; whether the network learnt."""
    columns = localisation_columns(result.maps or result.scores, "hirescam")
    if result.maps:
        return columns
    return dict.fromkeys(columns, NOT_TO_BE_HAD) | {"learnt": columns["learnt"]}


def _reference_rows(result: RowResult) -> Iterator[Row]:
    like = _row("AxialNet", result)
    for name, found, columns in reference_rows(result.maps):
        yield {
            **dict.fromkeys(like, ""),
            "network": f"({name})",
            **interval_columns("hirescam_organ_iou", found),
            **columns,
        }


def _not_learnt(results: Mapping[str, RowResult]) -> str:
    """Which networks learnt nothing in their budget."""
    names = [
        name
        for name, result in results.items()
        if learnt(median_auroc(*(one.test for one in result.scores), draws=200)) != "yes"
    ]
    told = f"Not learnt (the interval of the median AUROC includes 0.5): {', '.join(names)}."
    return told if names else "Every network learnt: no median AUROC's interval includes 0.5."


def _organ_ious(maps: list[TestedModel]) -> Row:
    columns: Row = {}
    for method in METHODS:
        name = f"{method}_organ_iou"
        columns |= (
            {
                **interval_columns(name, overall(over_seeds(maps, method))),
                f"{name}_of_seeds": each_seed(maps, method),
            }
            if maps
            else {name: NOT_TO_BE_HAD} | dict.fromkeys(_beside(name), "")
        )
    return columns


def _beside(name: str) -> tuple[str, ...]:
    """The columns that come with one of this name, so that every row has them in one order."""
    return f"{name}_low", f"{name}_high", f"{name}_of_seeds"


def _lead_of_axialnet(results: Mapping[str, RowResult]) -> str:
    own = over_seeds(results["AxialNet"].maps, "hirescam")
    leads = (
        f"{_told(difference(own, over_seeds(other.maps, 'hirescam')))} over {name}"
        for name, other in results.items()
        if other.maps and name != "AxialNet"
    )
    return (
        f"OrganIoU of AxialNet by HiResCAM, with 95 % intervals (scans drawn again, the same "
        f"for both): {', '.join(leads)}."
    )


def _told(found: Interval) -> str:
    return f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def _notes(chests: Study) -> tuple[str, ...]:
    return (
        "CTNet has no OrganIoU: its convolutions run along the features, so that above the "
        "trunk no value has a place in the body. No row was trained with a mask loss.",
        "AxialNet MaxPool is mapped, as in the paper, with its weights under the mean over "
        "slices; its own map would lie in a single slice group. The verdict is on its own.",
        "Every map is judged on its network's own cells, where their receptive fields are "
        "centred, at thresholds chosen on validation scans. The paper resized all maps to "
        "135×6×6, and chose thresholds on the scans that it reports.",
        _START["paper" if chests.of_paper else "simulated"],
    )


_START = {
    "paper": "All but 3DConv and RandInitResNet began from ImageNet weights.",
    "simulated": "No network began from ImageNet weights: there are none for trunks so small. "
    "RandInitResNet differs from AxialNet only in that torch drew all its weights by its own "
    "defaults; the others' layers above the trunk began by He's rule, and heads that average "
    "slices began louder. So this row tells nothing of what ImageNet is worth.",
}
