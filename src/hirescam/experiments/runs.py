"""Runs: networks trained and evaluated once, and found again when an experiment is repeated.

On simulated chests each AxialNet first learns to classify, and goes on from there with its own
loss, the class loss alone too; on RAD-ChestCT each is trained at once, as in the paper.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

import hirescam
from hirescam.evaluation.classification import learnt, median_auroc
from hirescam.evaluation.localisation import Values, chosen_thresholds, organ_values, overall
from hirescam.evaluation.outcomes import (
    METHODS,
    Outcomes,
    evaluate,
    load_outcomes,
    save_outcomes,
)
from hirescam.evaluation.references import ATLAS, ReferenceValues, gain, reference_values
from hirescam.evaluation.tables import Row, interval_columns, share
from hirescam.experiments.study import Study
from hirescam.metrics.classification import Interval, bootstrap
from hirescam.metrics.lesions import LESION_MEASURES
from hirescam.models.files import Model, load_model
from hirescam.training.checkpoint import load_state
from hirescam.training.config import TrainConfig
from hirescam.training.datasets.cases import Case
from hirescam.training.datasets.read import read_cases
from hirescam.training.prepared import MADE_BY, SEGMENTED_BY, OnProgress, cached_digest
from hirescam.training.run_folder import BEST, CHECKPOINT
from hirescam.training.train import train

DONE = "done"


@dataclass(frozen=True, eq=False)
class TestedModel:
    """What a trained model did on test scans; thresholds were chosen on validation scans."""

    test: Outcomes
    thresholds: Float[np.ndarray, "method label"]
    references: ReferenceValues | None = None

    @classmethod
    def of(cls, valid: Outcomes, test: Outcomes) -> "TestedModel":
        """Outcomes of test scans at thresholds, and beside references, of validation scans."""
        return cls(test, chosen_thresholds(valid), reference_values(test, valid))

    def organ_values(self, method: str) -> Float[np.ndarray, "scan label"]:
        """OrganIoU of each test scan and label."""
        return organ_values(self.test, method, self.thresholds)


TRAINED_BY = 1
"""Raised whenever the same recipe and data come to train other weights."""

_NO_INGREDIENTS = {
    "name", "data", "cache", "organs", "lesions", "start_model", "workers", "tensorboard",
    "launch", "checkpoint_every_steps", "log_every_steps",
}  # fmt: skip
"""Keys of a recipe that are paths, whose content counts, or that change no weights."""


def run_folder(runs: Path, config: TrainConfig) -> Path:
    """The folder of a run, named by a hash of its recipe, its data and the code's version.

    So another recipe's network is never found in its place, nor that of other scans.
    """
    cache = config.cache or config.data.parent / "cache"
    splits = read_cases(config).splits
    start = config.start_model and cached_digest(config.start_model, cache / "digests")
    ingredients = {
        "recipe": config.model_dump(mode="json", exclude=_NO_INGREDIENTS),
        "start": start,
        "data": {split: cases_key(splits[split], cache) for split in ("train", "valid")},
        "code": [hirescam.__version__, TRAINED_BY, MADE_BY, SEGMENTED_BY],
    }
    return runs / f"{config.name}-{_hash(ingredients)}"


def cases_key(cases: Sequence[Case], cache: Path) -> str:
    """A hash of scans, of what is said of them, and of the masks that come with them."""
    return _hash(
        [
            [
                case.id,
                case.series,
                repr(case.labels.tolist()),
                case.places.tolist(),
                *(
                    path and cached_digest(path, cache / "digests")
                    for path in (case.scan, case.organs, case.lesions)
                ),
            ]
            for case in cases
        ]
    )


def _hash(ingredients: object) -> str:
    written = json.dumps(ingredients, sort_keys=True)
    return hashlib.sha256(written.encode()).hexdigest()[:10]


def trained(config: TrainConfig, folder: Path, on_progress: OnProgress) -> Model:
    """The model of this config: from `folder` if its run was finished there, else trained."""
    if not (folder / DONE).exists():
        train(config, folder, resume=True, on_progress=on_progress)
        (folder / DONE).touch()
    return load_model(folder / BEST)


def outcomes_of(
    model: Model,
    cases: Mapping[str, Sequence[Case]],
    folder: Path,
    cache: Path,
    *,
    jobs: int,
    on_progress: OnProgress,
) -> tuple[Outcomes, Outcomes]:
    """Outcomes of validation and of test cases; they are kept in `folder`, by these cases."""
    valid, test = (
        evaluate(
            model,
            cases[split],
            cache,
            keep=folder / f"{split}-{cases_key(cases[split], cache)}",
            jobs=jobs,
            on_progress=on_progress,
        )
        for split in ("valid", "test")
    )
    return valid, test


@dataclass(frozen=True)
class Aim:
    """What a network is trained for; `masks` are the keys of a recipe that make its masks.

    Without a `weight`, the λ of the study.
    """

    mask_loss: str | None = None
    weight: float | None = None
    masks: Mapping[str, object] = field(default_factory=dict)

    def run_name(self, seed: int) -> str:
        """The name of its run."""
        weight = [] if self.weight is None else [f"{self.weight:.3g}"]
        masks = [key if value is True else str(value) for key, value in self.masks.items()]
        return "-".join(
            ["AxialNet", self.mask_loss or "class-further", *weight, *masks, str(seed)]
        )


CLASS, MASK = Aim(), Aim("published")


@dataclass(frozen=True, eq=False)
class AxialNet:
    """A trained network, what it did on scans of either split, and the folder that keeps it."""

    model: Model
    valid: Outcomes
    test: Outcomes
    folder: Path


def axialnet(
    chests: Study,
    aim: Aim,
    *,
    seed: int = 0,
    jobs: int,
    on_progress: OnProgress,
) -> AxialNet:
    """The network of this aim and seed: found if it was trained, else trained."""
    config = axialnet_config(chests, aim, seed=seed, jobs=jobs, on_progress=on_progress)
    folder = run_folder(chests.runs, config)
    model = trained(config, folder, on_progress)
    valid, test = outcomes_of(
        model, chests.cases, folder, chests.cache, jobs=jobs, on_progress=on_progress
    )
    return AxialNet(model, valid, test, folder)


def axialnet_config(
    chests: Study, aim: Aim, *, seed: int, jobs: int, on_progress: OnProgress
) -> TrainConfig:
    """How it is trained; the network that it goes on from, if any, is trained already."""
    name = f"AxialNet-class-{seed}"
    begin = chests.recipe(name=name, seed=seed, mask_loss=None, workers=jobs)
    first = run_folder(chests.runs, begin)
    if not chests.of_paper:
        trained(begin, first, on_progress)
    alone = chests.of_paper and aim.mask_loss is None
    weight = chests.mask_loss_weight if aim.weight is None else aim.weight
    return chests.recipe(
        **{
            "name": name if alone else aim.run_name(seed),
            "seed": seed,
            "mask_loss": aim.mask_loss,
            "mask_loss_weight": weight,
            "workers": jobs,
            **aim.masks,
            **chests.further(first),
        }
    )


SPLITS = ("valid", "test")


@dataclass(frozen=True, eq=False)
class Epoch:
    """What a network did on validation and on test scans after so many epochs."""

    number: int
    valid: Outcomes
    test: Outcomes


def epochs(
    config: TrainConfig, chests: Study, folder: Path, *, jobs: int, on_progress: OnProgress
) -> Iterator[Epoch]:
    """Each epoch of this training until it ends; what was done is not done again."""
    for number in range(1, config.epochs + 1):
        kept = {split: folder / f"epoch-{number}-{split}.npz" for split in SPLITS}
        if not all(path.exists() for path in kept.values()):
            train(
                config.model_copy(update={"epochs": number}),
                folder,
                resume=True,
                on_progress=on_progress,
            )
            model, trained = _as_it_stands(folder)
            if trained < number:  # patience has ended
                return
            for split, path in kept.items():
                outcomes = evaluate(
                    model, chests.cases[split], chests.cache, jobs=jobs, on_progress=on_progress
                )
                save_outcomes(outcomes, path)
        yield Epoch(number, *(load_outcomes(path) for path in kept.values()))


def _as_it_stands(folder: Path) -> tuple[Model, int]:
    """The model with its latest weights, and after how many epochs."""
    model, state = load_model(folder / BEST), load_state(folder / CHECKPOINT)
    model.network.load_state_dict(state["network"])
    return model, int(state["progress"]["epoch"])


def over_seeds(of_seeds: Sequence[TestedModel], method: str) -> Values:
    """OrganIoU of each test scan and label, mean over the seeds."""
    return np.mean([one.organ_values(method) for one in of_seeds], axis=0)


def each_seed(of_seeds: Sequence[TestedModel], method: str) -> str:
    """OrganIoU of each seed, in words."""
    return ", ".join(f"{np.nanmean(one.organ_values(method)):.3f}" for one in of_seeds)


def reference_ious(of_seeds: Sequence[TestedModel]) -> dict[str, Values]:
    """OrganIoU of each reference on the same scans, mean over the seeds; none if unknown."""
    known = [one.references for one in of_seeds if one.references is not None]
    if len(known) < len(of_seeds):
        return {}
    return {
        name: np.mean([each.organ_iou[name] for each in known], axis=0)
        for name in known[0].organ_iou
    }


def localisation_columns(of_seeds: Sequence[TestedModel], method: str) -> Row:
    """What a network's maps gain over the atlas, and how they find lesions, mean over seeds."""
    atlas = reference_ious(of_seeds).get(ATLAS)
    nothing = Interval(np.nan, np.nan, np.nan)
    found = nothing if atlas is None else gain(over_seeds(of_seeds, method), atlas, draws=200)
    lesions = [
        one.test.lesions[:, METHODS.index(method)]
        for one in of_seeds
        if one.test.lesions is not None
    ]
    return {
        **interval_columns("gain_over_atlas", found),
        **_lesion_columns(lesions),
        "learnt": learnt(median_auroc(*(one.test for one in of_seeds), draws=200)),
    }


def reference_rows(of_seeds: Sequence[TestedModel]) -> Iterator[tuple[str, Interval, Row]]:
    """Each reference: its name, its OrganIoU, and the columns beside those of networks."""
    for name, values in reference_ious(of_seeds).items():
        lesions = [
            one.references.lesions[name]
            for one in of_seeds
            if one.references is not None and name in one.references.lesions
        ]
        blank = interval_columns("gain_over_atlas", Interval(np.nan, np.nan, np.nan))
        yield name, overall(values), {**blank, **_lesion_columns(lesions), "learnt": ""}


def _lesion_columns(of_seeds: Sequence[Float[np.ndarray, "scan label measure"]]) -> Row:
    """Means over scans, labels and seeds; NaN where no lesion masks are."""
    known = [each.reshape(-1, len(LESION_MEASURES)) for each in of_seeds]
    values = np.concatenate(known) if known else np.empty((0, len(LESION_MEASURES)))
    values = values[~np.isnan(values).any(axis=1)]
    means = values.mean(axis=0) if len(values) else np.full(len(LESION_MEASURES), np.nan)
    return dict(zip(LESION_MEASURES, means.tolist(), strict=True))


def difference(one: Values, other: Values) -> Interval:
    """How much larger the mean over scan–label pairs is in `one`; scans are drawn again."""
    return _compared(one, other, lambda first, second: first - second)


def relative_gain(one: Values, other: Values) -> Interval:
    """The same as a share of the mean in `other`."""
    return _compared(one, other, lambda first, second: first / second - 1)


def _compared(one: Values, other: Values, how: Callable[[float, float], float]) -> Interval:
    def found(scans: np.ndarray) -> float:
        first, second = (
            share(np.nansum(each[scans], axis=1), (~np.isnan(each[scans])).sum(axis=1))
            for each in (one, other)
        )
        return how(first, second)

    return bootstrap(found, len(one))
