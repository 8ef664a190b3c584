"""Measure a trained model on scans whose truth is known: scores, and where it looks."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from hirescam.cli.progress import counter


class Split(StrEnum):
    """Scans to measure on."""

    valid = "valid"
    test = "test"
    train = "train"


class Definition(StrEnum):
    """What OrganIoU is where all attention is allowed: 1, or 0 as in the published code."""

    paper = "paper"
    published = "published"


def run(
    training: Annotated[Path, Argument(help="folder of `hirescam train`")],
    out: Annotated[Path, Option("--out", "-o", help="new folder to write")] = Path("evaluated"),
    split: Annotated[Split, Option(help="scans to measure on")] = Split.valid,
    organ_iou: Annotated[
        Definition, Option(help="OrganIoU as defined, or as the published code computes it")
    ] = Definition.paper,
    set_: Annotated[
        list[str] | None,
        Option("--set", help="change a key of the run's config, such as data=other"),
    ] = None,
    overwrite: Annotated[
        bool, Option("--overwrite", help="replace an existing evaluation")
    ] = False,
    as_json: Annotated[bool, Option("--json", help="print the summary as JSON")] = False,
) -> None:
    """Evaluate a run's best model; on test scans with thresholds chosen on validation scans."""
    with counter() as show:
        from hirescam.drawing.evaluation import write_evaluation
        from hirescam.evaluation.localisation import chosen_thresholds
        from hirescam.evaluation.run import evaluate
        from hirescam.models.files import load_model
        from hirescam.training.config import TrainConfig, parse_changes
        from hirescam.training.datasets.read import read_cases
        from hirescam.training.run_folder import BEST

        config = TrainConfig.read(training / "config.json", **parse_changes(set_ or []))
        cases = read_cases(config)
        model = load_model(training / BEST)
        outcomes = {
            name: evaluate(
                model,
                cases.splits[name],
                config.cache or config.data.parent / "cache",
                downsampling=config.downsampling,
                definition=organ_iou.value,
                jobs=config.workers,
                on_progress=show,
            )
            for name in dict.fromkeys(["valid", split.value])
        }
        folder = write_evaluation(
            outcomes[split.value],
            out,
            thresholds=None if split is Split.valid else chosen_thresholds(outcomes["valid"]),
            title=f"{config.name}, {split.value} scans",
            notes=model.card.notes,
            overwrite=overwrite,
        )
    if as_json:
        summary = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
        print(json.dumps({name: summary[name] for name in summary if name != "tables"}))
    else:
        print(folder / "evaluation.html")
