"""Commands evaluate and evidence: how good the scores are, and where the model looks."""

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Option

from hirescam.cli.cohort_options import PANEL, CohortOptions, run_over, tell
from hirescam.cli.options import JsonOption, OverwriteOption, SetOption, spread
from hirescam.cli.progress import counter, say
from hirescam.errors import ReadError

if TYPE_CHECKING:
    from hirescam.cohort.run import Tally
    from hirescam.metrics.organ_iou import Definition as OrganIoU
    from hirescam.training.config import TrainConfig


VALID = "valid"


class Split(StrEnum):
    """Scans to measure on."""

    valid = "valid"
    test = "test"
    train = "train"


class Definition(StrEnum):
    """What OrganIoU is where all attention is allowed: 1, or 0 as in the published code."""

    paper = "paper"
    published = "published"


@dataclass(frozen=True)
class Many:
    """Scans of a manifest in place of those that the model's run names."""

    cohort: Annotated[
        Path | None,
        Option(
            help="measure on the scans of this CSV or Parquet with id, path and split",
            rich_help_panel=PANEL,
        ),
    ] = None
    truth: Annotated[
        Path | None,
        Option(help="their labels, as `hirescam label` wrote them", rich_help_panel=PANEL),
    ] = None
    cache: Annotated[
        Path | None,
        Option(help="prepared scans; left out, cache in --out", rich_help_panel=PANEL),
    ] = None


@spread
def evaluate(
    training: Annotated[Path, Argument(help="folder of `hirescam train`")],
    out: Annotated[Path, Option("--out", "-o", help="new folder to write")] = Path("evaluated"),
    split: Annotated[Split, Option(help="scans to measure on")] = Split.valid,
    organ_iou: Annotated[
        Definition, Option(help="OrganIoU as defined, or as the published code computes it")
    ] = Definition.paper,
    set_: SetOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    *,
    many: Many,
    cohort_options: CohortOptions,
) -> None:
    """Measure a trained model on scans whose truth is known: scores, and where it looks."""
    from hirescam.training.config import TrainConfig, parse_changes

    stated = training / "config.json"
    if not stated.is_file():
        raise ReadError(f"{training} holds no run: give a folder that `hirescam train` wrote")
    config = TrainConfig.read(stated, **parse_changes(set_ or []))
    measured = Measured(training, config, split.value, organ_iou.value)
    if many.cohort is None:
        folder = evaluate_run(measured, out, overwrite=overwrite)
        say(_summary(folder) if as_json else folder / "evaluation.html")
    else:
        tally, page = evaluate_cohort(measured, many, out, cohort_options, overwrite=overwrite)
        tell(tally, out, as_json=as_json, page=str(page))


@dataclass(frozen=True)
class Measured:
    """A run of `hirescam train`, and what is measured of its best model."""

    folder: Path
    config: "TrainConfig"
    split: str
    definition: "OrganIoU"

    @property
    def model(self) -> Path:
        from hirescam.training.run_folder import BEST

        return self.folder / BEST


def evaluate_run(run: Measured, out: Path, *, overwrite: bool) -> Path:
    """Measure on scans that the run's config names; the folder written."""
    with counter() as show:
        from hirescam.evaluation.outcomes import evaluate
        from hirescam.figures.evaluation_page import write_evaluation
        from hirescam.models.files import load_model
        from hirescam.training.datasets.read import read_cases

        cases, model = read_cases(run.config), load_model(run.model)
        outcomes = {
            name: evaluate(
                model,
                cases.splits[name],
                run.config.cache or run.config.data.parent / "cache",
                downsampling=run.config.downsampling,
                definition=run.definition,
                jobs=run.config.workers,
                on_progress=show,
            )
            for name in dict.fromkeys([VALID, run.split])
        }
        return write_evaluation(
            outcomes[run.split],
            out,
            valid=outcomes[VALID] if run.split != VALID else None,
            title=f"{run.config.name}, {run.split} scans",
            notes=model.card.notes,
            overwrite=overwrite,
        )


def evaluate_cohort(
    run: Measured, many: Many, out: Path, cohort_options: CohortOptions, *, overwrite: bool
) -> "tuple[Tally, Path]":
    """Measure on scans that a manifest names, each kept; the counts, and the page of all."""
    from hirescam.cohort.evaluating import evaluating, needed, write_page
    from hirescam.cohort.manifest import read_manifest

    if many.cohort is None or many.truth is None:
        raise BadParameter("give the labels of the cohort's scans with --truth")
    step = evaluating(
        run.model,
        many.truth,
        many.cache or out / "cache",
        downsampling=run.config.downsampling,
        definition=run.definition,
        threads=cohort_options.threads,
    )
    entries = needed(read_manifest(many.cohort), run.split)
    tally = run_over(step, entries, out, cohort_options, overwrite=overwrite)
    title = f"{run.config.name}, {many.cohort.name}"
    return tally, write_page(entries, run.split, out, title=title)


def _summary(folder: Path) -> str:
    """What was measured, without its tables, as JSON."""
    summary = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    return json.dumps({name: summary[name] for name in summary if name != "tables"})


def evidence(
    explained: Annotated[
        Path, Argument(help="folder of `hirescam explain --cohort`, or of several summaries")
    ],
    out: Annotated[Path, Option("--out", "-o", help="new folder to write")] = Path("evidence"),
    require_trusted: Annotated[
        bool,
        Option("--require-trusted", help="leave out scans in which an organ is in doubt"),
    ] = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Tell where a model looks in many explained scans, and which labels may be shortcuts."""
    with counter() as show:
        from hirescam.evaluation.evidence import read_evidence
        from hirescam.figures.evidence_page import write_evidence

        evidence = read_evidence(explained, require_trusted=require_trusted, on_progress=show)
        folder = write_evidence(evidence, out, overwrite=overwrite)
    if as_json:
        summary = json.loads((folder / "evidence.json").read_text(encoding="utf-8"))
        say(json.dumps({name: summary[name] for name in summary if name != "tables"}))
    else:
        if evidence.note:
            say(evidence.note)
        say(folder / "evidence.html")
