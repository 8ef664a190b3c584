"""Options that several commands have, worded once."""

from typing import Annotated

from typer import Option

JsonOption = Annotated[bool, Option("--json", help="print the result as JSON")]
JobsOption = Annotated[int, Option("--jobs", "-j", help="processes", min=1)]
OverwriteOption = Annotated[bool, Option("--overwrite", help="replace an existing folder")]
SetOption = Annotated[
    list[str] | None,
    Option("--set", help="change a key of the recipe: KEY=VALUE (repeatable)"),
]
