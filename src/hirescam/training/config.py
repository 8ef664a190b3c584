"""TrainConfig: everything that decides a training run, read from TOML.

The defaults are the paper's (Draelos and Carin, arXiv:2011.08891), except where its code has a
known defect: sides are kept, and regions lie where the map's cells do. `recipes/` names the
published ways.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hirescam.anatomy import LABELS
from hirescam.ct.preparation import Preparation
from hirescam.errors import HirescamError
from hirescam.models.architectures import ARCHITECTURES, Arguments
from hirescam.parsing import parse_toml, read_json, read_toml
from hirescam.regions.downsample import DOWNSAMPLINGS, Downsampling
from hirescam.training.losses import CELLS, MASK_LOSS_WEIGHT, MASK_LOSSES, mask_loss_parts

MAY_CHANGE = frozenset(
    {
        "epochs",
        "patience",
        "workers",
        "cache",
        "device",
        "processes",
        "nodes",
        "accumulate",
        "launch",
        "save_memory",
        "checkpoint_every_steps",
        "log_every_steps",
        "tensorboard",
    }
)
"""Keys that a resumed run may change, as long as a step has as many scans; every other one
would make it another run."""


class TrainConfig(BaseModel):
    """A training run; the same config, data and machine give the same weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "model"
    seed: int = Field(default=0, ge=0)

    layout: Literal["csv", "simulated", "rad-chestct", "ct-rate"] = "csv"
    data: Path
    """The table of a `csv` layout, else the folder of the data set."""
    labels: tuple[str, ...] = LABELS
    view: str = "80"
    """How findings at locations become labels, where a data set has the former."""
    subset: Path | None = None
    """A CSV that names some of the scans; left out, all."""
    organs: Path | None = None
    """A folder with <id>.nii.gz of `hirescam segment`; left out, organs are segmented."""
    cache: Path | None = None
    """Where prepared scans and regions are kept; left out, `cache` beside the data."""

    architecture: str = "AxialNet"
    arguments: Arguments = {}
    preparation: Preparation = Preparation()
    start: Literal["imagenet", "random", "few-scans", "model"] = "imagenet"
    imagenet_weights: Path | None = None
    start_model: Path | None = None
    """The model file that `start = "model"` goes on from."""

    mask_loss: str | None = None
    """One of `MASK_LOSSES`, `cells`, or several joined by `+`, as `published+cells`."""
    mask_loss_weight: float = Field(default=MASK_LOSS_WEIGHT, ge=0)
    cell_loss_weight: float = Field(default=1.0, ge=0)
    lesions: Path | None = None
    """Lesion masks for `cells`: a folder with <id>/<label>.nii.gz, or a simulated `truth`."""
    maps: Literal["hirescam", "gradcam"] = "hirescam"
    positive_weights: bool = False
    downsampling: Downsampling = "centre"
    fraction: float = Field(default=0.0, ge=0, lt=1)
    dilated: bool = False

    augmentation: Literal["none", "published", "sided"] = "sided"
    outside: Literal["keep", "swap", "air"] = "keep"
    """What training puts outside the organs of a label: what is there, another scan, or air."""
    outside_margin_mm: float = Field(default=6.0, ge=0)
    """How far around its organs a label keeps what is there."""
    gradient_penalty: float = Field(default=0.0, ge=0)
    """Weight of the squared gradient of the scores at voxels outside the organs."""
    groups: str | None = None
    """A column of the `csv` layout that names groups of scans; the worst group counts most."""
    group_rate: float = Field(default=0.02, gt=0)

    optimiser: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = Field(default=1e-3, gt=0)
    momentum: float = Field(default=0.99, ge=0, lt=1)
    weight_decay: float = Field(default=1e-7, ge=0)
    accumulate: int = Field(default=1, ge=1)
    """PreparedScans per step and process; their gradients are averaged."""
    epochs: int = Field(default=100, ge=1)
    patience: int = Field(default=15, ge=1)
    """Epochs in a row without a lower validation loss after which training ends."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    processes: int = Field(default=1, ge=1)
    """Processes on each node, one device each."""
    nodes: int = Field(default=1, ge=1)
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    save_memory: bool = False
    """Compute activations twice instead of keeping them; the same gradients."""
    deterministic: bool = True
    workers: int = Field(default=0, ge=0)
    """Processes that prepare scans, then threads of each process that read them ahead."""
    launch: Literal["script", "spawn"] = "script"
    """How more processes start: the command runs again, or Python's spawn, without progress."""
    tensorboard: bool = False
    checkpoint_every_steps: int = Field(default=100, ge=1)
    log_every_steps: int = Field(default=10, ge=1)

    @property
    def scans_per_step(self) -> int:
        """How many scans' gradients are averaged, in all processes together."""
        return self.processes * self.nodes * self.accumulate

    @property
    def region_losses(self) -> tuple[str, ...]:
        """The mask losses that need to know where labels may lie."""
        return tuple(part for part in mask_loss_parts(self.mask_loss) if part != CELLS)

    @property
    def needs_inside(self) -> bool:
        """Whether training needs to know which voxels lie inside the organs."""
        return self.outside != "keep" or self.gradient_penalty > 0

    @model_validator(mode="after")
    def _names_exist(self) -> "TrainConfig":
        tables: dict[str, tuple[str | None, Iterable[str]]] = {
            "architecture": (self.architecture, ARCHITECTURES),
            "downsampling": (self.downsampling, DOWNSAMPLINGS),
        }
        for key, (value, table) in tables.items():
            if value is not None and value not in table:
                raise ValueError(f"{key} is {value!r}, expected one of {', '.join(table)}")
        for part in mask_loss_parts(self.mask_loss):
            if part not in (*MASK_LOSSES, CELLS):
                names = ", ".join((*MASK_LOSSES, CELLS))
                raise ValueError(f"mask_loss is {part!r}, expected one of {names}")
        if (CELLS in mask_loss_parts(self.mask_loss)) != (self.lesions is not None):
            raise ValueError('mask_loss = "cells" and lesions = FOLDER go together')
        if self.groups is not None and self.layout != "csv":
            raise ValueError("groups names a column of layout csv")
        if not self.labels or len(set(self.labels)) < len(self.labels):
            raise ValueError("labels must be at least one name, each once")
        if (self.start == "model") != (self.start_model is not None):
            raise ValueError('start = "model" and start_model = FILE go together')
        return self

    @classmethod
    def read(cls, path: str | Path, **changes: Any) -> "TrainConfig":
        """The config of a TOML file, or of the JSON in a run folder, with some keys changed.

        A dot in a key reaches into a table. Raises `HirescamError` for what is not understood.
        """
        path = Path(path)
        if not path.is_file():
            raise HirescamError(f"there is no file {path}: give a TOML file as in recipes/")
        try:
            table = read_json(path) if path.suffix == ".json" else read_toml(path)
        except (OSError, ValueError) as error:
            raise HirescamError(
                f"{path} is no config ({error}): give a TOML file such as those in recipes/"
            ) from error
        for key, value in changes.items():
            _put(table, key.split("."), value)
        return _valid(table, source=path.name)


def parse_changes(pairs: Iterable[str]) -> dict[str, Any]:
    """Changes written as `key=value`; the value as in TOML, or else it is text."""
    changes = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise HirescamError(f"{pair!r} changes nothing: write key=value, as epochs=2")
        try:
            changes[key.strip()] = parse_toml(f"value = {value}")["value"]
        except ValueError:
            changes[key.strip()] = value.strip()
    return changes


def changed_keys(one: TrainConfig, other: TrainConfig) -> list[str]:
    """Keys in which two configs describe different runs."""
    decisive = [key for key in TrainConfig.model_fields if key not in MAY_CHANGE]
    return [
        key for key in (*decisive, "scans_per_step") if getattr(one, key) != getattr(other, key)
    ]


def _put(table: dict[str, Any], keys: list[str], value: Any) -> None:
    *outer, last = keys
    for key in outer:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise HirescamError(
                f"{key} is no table, so {key}.{last} cannot be set: check the key"
            )
    table[last] = value


def _valid(table: Mapping[str, Any], *, source: str) -> TrainConfig:
    try:
        return TrainConfig.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise HirescamError(f"{source}: {_format_error(key, first)}") from error


def _format_error(key: str, error: Mapping[str, Any]) -> str:
    if error["type"] != "extra_forbidden":
        return f"{key or 'config'}: {error['msg'].removeprefix('Value error, ')}"
    known = [
        *TrainConfig.model_fields,
        *(f"preparation.{each}" for each in Preparation.model_fields),
    ]
    near = get_close_matches(key, known, n=1, cutoff=0.4)
    return f"{key!r} is no key of a config" + (f", do you mean {near[0]!r}?" if near else "")
