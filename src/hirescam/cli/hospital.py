"""hirescam listen: the way in from a hospital's network and back."""

import signal
import sys
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Annotated

from typer import Option

from hirescam.home import usual_model_path


def listen(
    send_to: Annotated[str, Option(help="who gets the results: AET@host:port")],
    sender: Annotated[
        list[str], Option("--from", help="title of who may send (repeatable); no other may")
    ],
    model: Annotated[Path | None, Option(help="model file; left out, that of the demo")] = None,
    port: Annotated[
        int, Option(help="port to listen on; 0 takes a free one", min=0, max=65535)
    ] = 11112,
    host: Annotated[str, Option(help="address to listen on")] = "127.0.0.1",
    title: Annotated[str, Option("--aet", help="our own title")] = "HIRESCAM",
    queue: Annotated[
        Path, Option(help="folder in which series wait; it holds patients' data")
    ] = Path("hirescam-queue"),
    quiet_s: Annotated[
        float,
        Option(help="seconds without a new slice that complete a series", min=1),
    ] = 30.0,
    most_gib: Annotated[float, Option(help="most that may wait, in GiB", min=0.01)] = 20.0,
    label: Annotated[list[str] | None, Option(help="map only this label (repeatable)")] = None,
) -> None:
    """Listen for CT series from a hospital's network, explain each, and send results back.

    Until Ctrl-C; what waits is done after the next start.
    """
    from hirescam.atomic import only_writer
    from hirescam.hospital.dimse import listening, read_peer, send_file
    from hirescam.hospital.explaining import explainer
    from hirescam.hospital.queue import Queue, work

    peer, stopped = read_peer(send_to), Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())

    def tell(text: str) -> None:
        print(f"{datetime.now():%Y-%m-%d %H:%M:%S} {text}", file=sys.stderr, flush=True)

    waiting = Queue(queue, most_bytes=int(most_gib * 2**30), quiet_s=quiet_s)
    explain = explainer(model or usual_model_path(), labels=label)
    with (
        only_writer(queue, "listener's queue"),
        listening(
            waiting, title=title, port=port, host=host, senders=sender, tell=tell
        ) as taken,
    ):
        print(f"{title} listens on {host}:{taken}. Ctrl-C ends it.", flush=True)
        work(
            waiting,
            explain,
            lambda path: send_file(path, peer, title=title),
            tell,
            stopped=stopped.is_set,
        )
