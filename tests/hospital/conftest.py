"""A real Orthanc on loopback, small CT series, and a model that explains them."""

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from hirescam.models.files import save_model
from make_chest import chest
from make_dicom import setting, write_series
from make_models import small_model

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
pytest.importorskip("pynetdicom", reason="pynetdicom is not installed")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Orthanc:
    """The archive's ports, and what it holds."""

    def __init__(self, http, dicom):
        self.http, self.dicom = http, dicom
        self.web = f"dicomweb://127.0.0.1:{http}/dicom-web"

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}") as answer:
            return json.load(answer)

    def put(self, path):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http}/instances", data=Path(path).read_bytes()
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def clear(self):
        for study in self.get("/studies"):
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.http}/studies/{study}", method="DELETE"
            )
            urllib.request.urlopen(request).close()

    def modalities(self):
        """How many instances there are of each modality."""
        counts = {}
        for series in self.get("/series?expand"):
            kind = series["MainDicomTags"]["Modality"]
            counts[kind] = counts.get(kind, 0) + len(series["Instances"])
        return counts


@contextmanager
def running_orthanc(folder):
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    if program is None or not PLUGIN.exists():
        pytest.skip("Orthanc is not installed: apt-get install orthanc orthanc-dicomweb")
    http, dicom = free_port(), free_port()
    settings = {
        "Name": "tests",
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "HttpPort": http,
        "DicomPort": dicom,
        "DicomAet": "ARCHIVE",
        "DicomCheckCalledAet": True,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "UnknownSopClassAccepted": True,
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with subprocess.Popen(
        [program, folder / "orthanc.json"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        archive = Orthanc(http, dicom)
        try:
            for _ in range(200):
                with suppress(OSError):
                    archive.get("/system")
                    break
                time.sleep(0.1)
            yield archive
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory):
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as archive:
        yield archive


@pytest.fixture
def archive(orthanc):
    orthanc.clear()
    return orthanc


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "small.model"
    save_model(small_model(), path)
    return path


@pytest.fixture(scope="session")
def series(tmp_path_factory):
    """The files of a series of a chest."""
    folder = tmp_path_factory.mktemp("series")
    named = setting(StudyInstanceUID="1.2.3.4")
    return write_series(folder, chest(), change=named, intercept=-2048.0)  # its air is noisy
