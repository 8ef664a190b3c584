"""Measure a trained model on scans whose truth is known: scores, and where it looks."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from typer import Argument, BadParameter, Option

from hirescam.cli.cohorts import (
    PANEL,
    How,
    JobsOption,
    KeepOlderOption,
    LimitOption,
    RayOption,
    RetryFailedOption,
    ShardOption,
    ThreadsOption,
    run_over,
    tell,
)
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
    cohort: Annotated[
        Path | None,
        Option(
            help="measure on the scans of this CSV or Parquet with id, path and split",
            rich_help_panel=PANEL,
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        Option(help="their labels, as `hirescam label` wrote them", rich_help_panel=PANEL),
    ] = None,
    cache: Annotated[
        Path | None,
        Option(help="prepared scans; left out, cache in --out", rich_help_panel=PANEL),
    ] = None,
    jobs: JobsOption = 1,
    threads: ThreadsOption = 1,
    ray: RayOption = None,
    shard: ShardOption = "1/1",
    limit: LimitOption = None,
    retry_failed: RetryFailedOption = False,
    keep_older: KeepOlderOption = False,
) -> None:
    """Evaluate a run's best model; on test scans with thresholds chosen on validation scans."""
    if cohort is not None:
        from hirescam.cohort.evaluating import evaluating, needed, write_page
        from hirescam.cohort.manifest import read_manifest
        from hirescam.training.config import TrainConfig, parse_changes
        from hirescam.training.run_folder import BEST

        if truth is None:
            raise BadParameter("give the labels of the cohort's scans with --truth")
        config = TrainConfig.read(training / "config.json", **parse_changes(set_ or []))
        work = evaluating(
            training / BEST,
            truth,
            cache or out / "cache",
            downsampling=config.downsampling,
            definition=organ_iou.value,
            threads=threads,
        )
        entries = needed(read_manifest(cohort), split.value)
        how = How(jobs, threads, ray, shard, limit, retry_failed, keep_older)
        tally = run_over(work, entries, out, how, overwrite=overwrite)
        page = write_page(entries, split.value, out, title=f"{config.name}, {cohort.name}")
        tell(tally, out, as_json=as_json, page=str(page))
        return
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
