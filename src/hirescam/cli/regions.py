"""Write where organs lie on a model's map for each scan of a recipe, with previews."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from hirescam.cli.options import JobsOption, SetOption
from hirescam.cli.progress import counter


def run(
    recipe: Annotated[
        Path, Argument(help="TOML as for `hirescam train`: data, organs, map and down-sampling")
    ],
    out: Annotated[Path, Option("--out", "-o", help="folder to write")] = Path("regions"),
    set_: SetOption = None,
    previews: Annotated[int, Option(help="pictures of so many scans", min=0)] = 8,
    jobs: JobsOption = 1,
) -> None:
    """Write regions and name their folder."""
    with counter() as show:
        from hirescam.figures.region_preview import write_regions
        from hirescam.training.config import TrainConfig, parse_changes

        config = TrainConfig.read(recipe, **parse_changes(set_ or []))
        folder = write_regions(config, out, previews=previews, jobs=jobs, on_progress=show)
    print(folder)
