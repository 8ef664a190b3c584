"""DICOMweb: fetch a study's CT series from a server, and store what we made there.

`dicomweb://HOST/PATH/studies/UID` or `…/studies/UID/series/UID`. Connections use TLS, save to
this very machine. A token comes from HIRESCAM_DICOMWEB_TOKEN, a name and a password from
HIRESCAM_DICOMWEB_USER and HIRESCAM_DICOMWEB_PASSWORD: never from the address.
"""

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydicom import dcmread

from hirescam.errors import MissingPackageError, ReadError, WriteError

MOST_INSTANCES = 5000
MOST_BYTES = 4 << 30
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_UID = r"[0-9.]{1,64}"


@dataclass(frozen=True)
class WebStudy:
    """Where a study lies: the service's address, the study, and the series if one is named."""

    service: str
    study: str
    series: str | None = None


def read_address(text: str) -> WebStudy:
    """Take an address apart. Raises `ReadError` for one that is none, or holds a password."""
    parts = urlsplit(re.sub(r"^dicomweb:/(?!/)", "dicomweb://", text))
    match = re.fullmatch(
        rf"(?P<root>.*)/studies/(?P<study>{_UID})(?:/series/(?P<series>{_UID}))?/?", parts.path
    )
    if parts.scheme != "dicomweb" or not parts.hostname or match is None:
        raise ReadError(
            "a DICOMweb address reads dicomweb://HOST/PATH/studies/UID, and may end in "
            "/series/UID"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ReadError(
            "an address on the command line is seen by others: put a token into "
            "HIRESCAM_DICOMWEB_TOKEN, or a name and a password into HIRESCAM_DICOMWEB_USER and "
            "HIRESCAM_DICOMWEB_PASSWORD"
        )
    scheme = "http" if parts.hostname in _LOOPBACK else "https"
    return WebStudy(
        f"{scheme}://{parts.netloc}{match['root']}", match["study"], match["series"]
    )


@contextmanager
def fetched(address: WebStudy) -> Iterator[Path]:
    """A folder with the CT slices of a study, which is removed afterwards.

    Raises `ReadError` where the server refuses, has no such study, or sends more than a scan.
    """
    with tempfile.TemporaryDirectory(prefix="hirescam-dicomweb-") as folder:
        client = _client(address)
        try:
            for number, made in enumerate(_instances(client, address)):
                made.save_as(Path(folder, f"{number:05}.dcm"), enforce_file_format=True)
        except (OSError, ValueError) as error:  # of requests, too: its errors are OSErrors
            raise ReadError(f"the DICOMweb server does not answer: {_reason(error)}") from error
        if not any(Path(folder).iterdir()):
            raise ReadError("the DICOMweb server has no CT series in this study")
        yield Path(folder)


def store(files: Sequence[Path], address: WebStudy) -> None:
    """Store DICOM files at the service of `address`. Raises `WriteError` where it refuses."""
    client = _client(address)
    for path in files:
        try:
            client.store_instances([dcmread(path)], study_instance_uid=address.study)
        except (OSError, ValueError) as error:
            raise WriteError(
                f"the DICOMweb server does not take {path.name}: {_reason(error)}"
            ) from error


def _instances(client: Any, address: WebStudy) -> Iterator[Any]:
    found = client.search_for_series(address.study, search_filters={"Modality": "CT"})
    series = [row["0020000E"]["Value"][0] for row in found]
    if address.series is not None:
        series = [uid for uid in series if uid == address.series]
    count = size = 0
    for uid in series:
        for made in client.iter_series(address.study, uid):
            count += 1
            size += len(made.get("PixelData", b""))
            if count > MOST_INSTANCES or size > MOST_BYTES:
                raise ReadError(
                    f"the study has more than {MOST_INSTANCES} slices or {MOST_BYTES >> 30} "
                    f"GiB: name one series, …/series/UID"
                )
            yield made


def _client(address: WebStudy) -> Any:
    try:
        from dicomweb_client.api import DICOMwebClient
        from dicomweb_client.session_utils import create_session
    except ImportError as error:
        raise MissingPackageError(
            "DICOMweb needs dicomweb-client: pip install 'hirescam[hospital]'"
        ) from error
    session = create_session()
    if token := os.environ.get("HIRESCAM_DICOMWEB_TOKEN"):
        session.headers["Authorization"] = f"Bearer {token}"
    elif user := os.environ.get("HIRESCAM_DICOMWEB_USER"):
        session.auth = (user, os.environ.get("HIRESCAM_DICOMWEB_PASSWORD", ""))
    return DICOMwebClient(url=address.service, session=session)


def _reason(error: Exception) -> str:
    """The status, or the kind of failure: an address or an answer may name a patient."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    return f"status {status}" if status else type(error).__name__
