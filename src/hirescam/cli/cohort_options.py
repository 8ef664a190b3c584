"""Options of commands that work on a cohort, worded once, and the run that they ask for."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from hirescam.cli.progress import say, tallying

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hirescam.cohort.manifest import Entry
    from hirescam.cohort.run import Tally
    from hirescam.cohort.work import Step

PANEL = "Many scans"
"""Where help lists what only a cohort has."""


@dataclass(frozen=True)
class CohortOptions:
    """Where a cohort is worked on, and which part of it."""

    jobs: Annotated[
        int,
        Option("--jobs", "-j", help="processes on this machine", min=1, rich_help_panel=PANEL),
    ] = 1
    threads: Annotated[
        int,
        Option(
            help="threads of each process; another number may change last digits",
            min=1,
            rich_help_panel=PANEL,
        ),
    ] = 1
    ray: Annotated[
        str | None,
        Option(
            help="work on the Ray cluster at this address (auto: the one of this machine)",
            rich_help_panel=PANEL,
        ),
    ] = None
    shard: Annotated[
        str,
        Option(
            help="i/n: only every n-th scan from the i-th, as in an array of jobs",
            rich_help_panel=PANEL,
        ),
    ] = "1/1"
    limit: Annotated[
        int | None,
        Option(help="work on so many scans and stop", min=1, rich_help_panel=PANEL),
    ] = None
    retry_failed: Annotated[
        bool,
        Option(
            "--retry-failed",
            help="only scans that were tried before and failed",
            rich_help_panel=PANEL,
        ),
    ] = False
    keep_older: Annotated[
        bool,
        Option(
            "--keep-older",
            help="keep results that another version of hirescam made",
            rich_help_panel=PANEL,
        ),
    ] = False
    verify: Annotated[
        bool,
        Option(
            "--verify",
            help="read earlier results and make those anew whose bytes have changed",
            rich_help_panel=PANEL,
        ),
    ] = False


def run_over(
    step: "Step",
    entries: "Sequence[Entry]",
    out: Path,
    cohort_options: CohortOptions,
    *,
    overwrite: bool,
) -> "Tally":
    """Do a step on scans, and show how far it is."""
    from hirescam.cohort.executor import Processes
    from hirescam.cohort.manifest import parse_shard
    from hirescam.cohort.ray_cluster import RayCluster
    from hirescam.cohort.run import Which, run_cohort

    on_gpu = getattr(step, "device", "cpu") != "cpu"
    executor = (
        RayCluster(cohort_options.ray, threads=cohort_options.threads, gpu=on_gpu)
        if cohort_options.ray
        else Processes(cohort_options.jobs, cohort_options.threads)
    )
    with tallying(step.name) as show:
        return run_cohort(
            step,
            entries,
            out,
            executor,
            which=Which(
                parse_shard(cohort_options.shard),
                cohort_options.limit,
                cohort_options.retry_failed,
            ),
            overwrite=overwrite,
            keep_older=cohort_options.keep_older,
            verify=cohort_options.verify,
            on_progress=show,
        )


def tell(tally: "Tally", out: Path, *, as_json: bool, **also: object) -> None:
    """Print the counts and where to read more; exit 1 if any scan failed."""
    ledger = str(out / "ledger.csv")
    if as_json:
        say(json.dumps({"ledger": ledger, **asdict(tally), "left": tally.left, **also}))
    else:
        say("\n".join([f"{_told(tally)}: {ledger}", *map(str, also.values())]))
    if tally.failed or tally.killed:
        raise typer.Exit(1)


def _told(tally: "Tally") -> str:
    """The counts in words, without those that are 0."""
    waiting = tally.scans - tally.before - tally.todo
    counts = {
        "done": tally.done,
        "failed": tally.failed,
        "killed": tally.killed,
        "done before": tally.before,
        "left for later": waiting,
    }
    said = [f"{count} {what}" for what, count in counts.items() if count or what == "done"]
    return f"{', '.join(said)} of {tally.scans} scans"
