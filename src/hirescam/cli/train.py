"""Train a model on scans with labels, as a TOML recipe says; stopped runs can go on."""

import json
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from hirescam.cli.options import JsonOption, SetOption
from hirescam.cli.progress import counter


def run(
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
    """Train, and name the model and what was measured of it."""
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
