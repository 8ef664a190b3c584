"""Look at explained scans in a browser: planes, maps, findings; nothing leaves this machine."""

import webbrowser
from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def run(
    folder: Annotated[
        Path, Argument(help="folder of `hirescam explain`, or a folder of such folders")
    ] = Path("explained"),
    beside: Annotated[
        Path | None, Option(help="the same scans as another model explains them, to compare")
    ] = None,
    port: Annotated[
        int, Option(help="port of 127.0.0.1; 0 takes a free one", min=0, max=65535)
    ] = 0,
    browser: Annotated[bool, Option(help="open the page in the default browser")] = True,
) -> None:
    """Serve the page to this machine alone until Ctrl-C."""
    from hirescam.viewer.cases import read_cases
    from hirescam.viewer.server import serve

    def ready(address: str) -> None:
        print(f"{address}\nCtrl-C ends it.", flush=True)
        if browser:
            webbrowser.open(address)

    serve(read_cases(folder), read_cases(beside) if beside else (), port=port, on_ready=ready)
