"""Tell where a model looks in many explained scans, and which labels seem to be shortcuts."""

import json
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from hirescam.cli.options import JsonOption, OverwriteOption
from hirescam.cli.progress import counter


def run(
    explained: Annotated[
        Path, Argument(help="folder of `hirescam explain --cohort`, or of several summaries")
    ],
    out: Annotated[Path, Option("--out", "-o", help="new folder to write")] = Path("evidence"),
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Evidence by label, organ and slice, odd scans and alarms, on one page."""
    with counter() as show:
        from hirescam.evaluation.evidence import read_evidence
        from hirescam.figures.evidence_page import write_evidence

        evidence = read_evidence(explained, on_progress=show)
        folder = write_evidence(evidence, out, overwrite=overwrite)
    if as_json:
        summary = json.loads((folder / "evidence.json").read_text(encoding="utf-8"))
        print(json.dumps({name: summary[name] for name in summary if name != "tables"}))
    else:
        print(folder / "evidence.html")
