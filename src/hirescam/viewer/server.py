"""Server: the app on a port of 127.0.0.1, until it is interrupted."""

import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Thread

import uvicorn

from hirescam.errors import HirescamError
from hirescam.summary.browser import is_built
from hirescam.viewer.app import build_app
from hirescam.viewer.cases import Case
from hirescam.viewer.deadline import PromptProtocol
from hirescam.viewer.security import LARGEST_HEADERS
from hirescam.viewer.study import Study

LOOPBACK = "127.0.0.1"


def serve(
    cases: Sequence[Case],
    beside: Sequence[Case] = (),
    *,
    port: int = 0,
    study: Study | None = None,
    on_ready: Callable[[str, str], None],
) -> None:
    """Show `cases` until interrupted; `on_ready` gets the address, token included.

    Its second argument is an address that leads there once: other users of the machine can
    read what a browser is started with.

    Port 0 takes a free one. Raises `HirescamError` if the page's script was never built or the
    port is taken.
    """
    if not is_built():
        raise HirescamError(
            "this hirescam was built without npm, so its viewer is missing: open report.html "
            "in the folder instead, or install again where npm is"
        )
    token, once = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    with _listening(port) as listener:
        port = listener.getsockname()[1]
        app = build_app(cases, beside, port=port, token=token, once=once, study=study)
        settings = uvicorn.Config(
            app,
            http=PromptProtocol,
            ws="none",
            lifespan="off",
            h11_max_incomplete_event_size=LARGEST_HEADERS,
            access_log=False,
            log_level="warning",
            server_header=False,
        )
        Thread(target=_foresee, args=(cases[:1],), daemon=True).start()
        home = f"http://{LOOPBACK}:{port}"
        on_ready(f"{home}/{token}/", f"{home}/{once}")
        uvicorn.Server(settings).run(sockets=[listener])


def _foresee(cases: Sequence[Case]) -> None:
    """Make what the first page will ask for while its browser starts."""
    for case in cases:
        with suppress(Exception):  # the page will ask again, and tell
            _ = case.scene


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as error:
        raise HirescamError(
            f"port {port} of {LOOPBACK} cannot be used ({error.strerror}): choose another, or "
            f"leave --port out"
        ) from error
