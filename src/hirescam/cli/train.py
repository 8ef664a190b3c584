"""Commands prepare, regions and train: scans put on disk, where labels can lie, a model."""

import json
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from hirescam.cli.cohort_options import CohortOptions, run_over, tell
from hirescam.cli.options import (
    AnyValuesOption,
    JobsOption,
    JsonOption,
    ReadOptions,
    SetOption,
    reading,
    spread,
)
from hirescam.cli.progress import counter, say


@spread
def prepare(
    manifest: Annotated[
        Path,
        Argument(help="CSV or Parquet with id and path of each scan, or their folder"),
    ],
    out: Annotated[Path, Option("--out", "-o", help="folder of organs and ledger")] = Path(
        "prepared"
    ),
    cache: Annotated[
        Path | None, Option(help="folder of prepared scans; left out, cache in --out")
    ] = None,
    model: Annotated[Path | None, Option(help="model file to prepare scans for")] = None,
    recipe: Annotated[
        Path | None, Option(help="TOML of a model that is yet to be trained on them")
    ] = None,
    *,
    read_options: ReadOptions,
    any_values: AnyValuesOption = False,
    cohort_options: CohortOptions,
    overwrite: Annotated[
        bool, Option("--overwrite", help="make anew what other settings or versions made")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Put the scans of a cohort, their organs and regions on disk, as training reads them."""
    from hirescam.cohort.manifest import read_manifest
    from hirescam.cohort.steps import preparing

    step = preparing(
        cache or out / "cache",
        model=model,
        recipe=recipe,
        reading=reading(read_options, any_values=any_values),
    )
    tally = run_over(step, read_manifest(manifest), out, cohort_options, overwrite=overwrite)
    tell(tally, out, as_json=as_json)


def regions(
    recipe: Annotated[
        Path, Argument(help="TOML as for `hirescam train`: data, organs, map and down-sampling")
    ],
    out: Annotated[Path, Option("--out", "-o", help="folder to write")] = Path("regions"),
    set_: SetOption = None,
    previews: Annotated[int, Option(help="pictures of so many scans", min=0)] = 8,
    jobs: JobsOption = 1,
) -> None:
    """Write where organs lie on a model's map for each scan of a recipe, with previews."""
    with counter() as show:
        from hirescam.figures.region_preview import write_regions
        from hirescam.training.config import TrainConfig, parse_changes

        config = TrainConfig.read(recipe, **parse_changes(set_ or []))
        folder = write_regions(config, out, previews=previews, jobs=jobs, on_progress=show)
    say(folder)


def train_model(
    recipe: Annotated[
        Path, Argument(help="TOML such as those in recipes/, or config.json of a run")
    ],
    out: Annotated[Path, Option("--out", "-o", help="folder of the run")] = Path("run"),
    set_: SetOption = None,
    resume: Annotated[
        bool, Option("--resume", help="go on with the run in that folder, if there is one")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a model on scans with labels, as a TOML recipe says; stopped runs can go on."""
    with counter() as show:
        from hirescam.training.config import TrainConfig, parse_changes
        from hirescam.training.run_folder import BEST, last_epoch
        from hirescam.training.train import train

        config = TrainConfig.read(recipe, **parse_changes(set_ or []))
        model = train(config, out, resume=resume, on_progress=show)
        from lightning.fabric.utilities.rank_zero import rank_zero_only
    last = last_epoch(out)
    pace = {name: last[name] for name in ("scans_per_second", "busy_share")}
    found = {"model": str(out / BEST), "notes": list(model.card.notes), **pace}
    told = "\n".join(
        (
            str(out / BEST),
            *model.card.notes,
            f"Pace: {pace['scans_per_second']:.3g} scans a second, the device busy "
            f"{pace['busy_share']:.0%} of the time.",
        )
    )
    rank_zero_only(print)(json.dumps(found) if as_json else told)  # others run this too
