"""DIMSE: a listener that takes CT series of known senders, and a sender for what we made."""

import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from hirescam.errors import HirescamError, MissingPackageError, WriteError
from hirescam.hospital.queue import Queue

CT_CLASSES = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1")
SYNTAXES = (  # all that `read_volume` reads
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.5",
)
LARGEST_OBJECT = 2 << 30
SUCCESS, OUT_OF_RESOURCES, NOT_UNDERSTOOD, FAILED = 0x0000, 0xA700, 0xC000, 0x0110
_TIMEOUT_S = 30


@dataclass(frozen=True)
class Peer:
    """An application entity of the network: its title, host and port."""

    title: str
    host: str
    port: int


def read_peer(text: str) -> Peer:
    """AET@host:port. Raises `HirescamError` for anything else."""
    match = re.fullmatch(r"([^@\\\s]{1,16})@([\w.\-\[\]:]+):(\d{1,5})", text)
    if match is None or not 0 < int(match[3]) < 65536:
        raise HirescamError(f"{text!r} is no AET@host:port, such as ARCHIVE@127.0.0.1:4242")
    return Peer(match[1], match[2].strip("[]"), int(match[3]))


@contextmanager
def listening(
    queue: Queue,
    *,
    title: str,
    port: int,
    senders: Sequence[str],
    host: str = "127.0.0.1",
    tell: Callable[[str], None] = lambda text: None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[int]:
    """Receive CT into `queue` while the block runs; gives the port (0 takes a free one).

    Only the titles in `senders` may connect, only under our own title, ten at a time. Raises
    `HirescamError` where the port is taken, `MissingPackageError` without pynetdicom.
    """
    pynetdicom = _pynetdicom()
    entity = pynetdicom.AE(ae_title=title)
    entity.require_called_aet = True
    entity.require_calling_aet = list(senders)
    entity.maximum_associations = 10
    entity.acse_timeout = entity.network_timeout = _TIMEOUT_S
    entity.dimse_timeout = _TIMEOUT_S
    for sop_class in CT_CLASSES:
        entity.add_supported_context(sop_class, list(SYNTAXES))
    entity.add_supported_context("1.2.840.10008.1.1")  # verification
    handlers = [
        (pynetdicom.evt.EVT_C_STORE, lambda event: _store(event, queue)),
        (pynetdicom.evt.EVT_REJECTED, lambda event: tell("a connection was refused")),
    ]
    try:
        server = entity.start_server(
            (host, port), block=False, evt_handlers=handlers, ssl_context=tls
        )
    except OSError as error:
        raise HirescamError(
            f"port {port} of {host} cannot be used ({error.strerror}): choose another"
        ) from error
    try:
        yield int(server.socket.getsockname()[1])
    finally:
        server.shutdown()


def _store(event: Any, queue: Queue) -> int:
    """Keep what came, as it came: nothing is decoded here."""
    try:
        request = event.request
        if str(request.AffectedSOPClassUID) not in CT_CLASSES:
            return FAILED
        raw = request.DataSet.getvalue()
        if len(raw) > LARGEST_OBJECT:
            return OUT_OF_RESOURCES
        series = event.dataset.SeriesInstanceUID
        content = _file(event.file_meta, raw)
        kept = queue.add(str(series), str(request.AffectedSOPInstanceUID), content)
    except WriteError:
        return OUT_OF_RESOURCES
    except Exception:  # whatever a sender makes up, the listener stays
        return NOT_UNDERSTOOD
    return SUCCESS if kept else OUT_OF_RESOURCES


def _file(meta: Any, raw: bytes) -> bytes:
    from pydicom.filebase import DicomBytesIO

    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    out.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(out, meta)
    out.write(raw)
    return bytes(out.getvalue())


def send_file(path: Path, peer: Peer, *, title: str, tls: ssl.SSLContext | None = None) -> None:
    """Send one DICOM file with C-STORE. Raises `WriteError` where that is refused or fails."""
    pynetdicom = _pynetdicom()
    made = dcmread(path)
    entity = pynetdicom.AE(ae_title=title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _TIMEOUT_S
    entity.add_requested_context(made.SOPClassUID, UID(made.file_meta.TransferSyntaxUID))
    arguments = {"tls_args": (tls, peer.host)} if tls else {}
    association = entity.associate(peer.host, peer.port, ae_title=peer.title, **arguments)
    if not association.is_established:
        raise WriteError(
            f"{peer.title} at {peer.host}:{peer.port} does not take our connection as {title}, "
            f"or this kind of object: check titles and port on both sides"
        )
    try:
        status = association.send_c_store(made)
        code = getattr(status, "Status", None)
    except (ValueError, RuntimeError) as error:
        raise WriteError(f"{peer.title} does not take this kind of object") from error
    finally:
        association.release()
    if code not in (SUCCESS, 0xB000, 0xB006, 0xB007):  # warnings: it was stored all the same
        raise WriteError(f"{peer.title} refused an object with status {code!r}")


def _pynetdicom() -> Any:
    try:
        import pynetdicom
    except ImportError as error:
        raise MissingPackageError(
            "DICOM over the network needs pynetdicom: pip install 'hirescam[hospital]'"
        ) from error
    pynetdicom._config.LOG_HANDLER_LEVEL = "none"  # its log would name patients
    return pynetdicom
