"""The command from outside: what it prints, what it leaves, and how it refuses."""

import json
import resource
import signal
import subprocess
import sys
import tomllib
from importlib.metadata import version

import nibabel as nib
import numpy as np
import pytest
from packaging.requirements import Requirement
from PIL import Image

from hirescam.cli.models import PACKAGES
from hirescam.export.nifti import write_map_nifti
from hirescam.models.files import save_model
from hirescam.simulation.chest import simulate
from make import REPO, volume
from make_models import small_model


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a small model and a simulated chest."""
    folder = tmp_path_factory.mktemp("home")
    save_model(small_model(), folder / "small.model")
    scan = simulate(0, spacing_mm=(6.0, 6.0, 6.0)).volume
    write_map_nifti(folder / "scan.nii.gz", scan.voxels.astype(np.float32), scan.affine)
    return folder


def hirescam(*arguments, folder, **options):
    command = [sys.executable, "-m", "hirescam", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, **options)


def test_explain_writes_a_folder_and_names_its_page(home, tmp_path):
    done = hirescam(
        "explain", "scan.nii.gz", "--model", "small.model", "-o", tmp_path / "out", folder=home
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "out" / "report.html")
    assert "lung_cyst" in (tmp_path / "out" / "report.html").read_text()
    assert all(line.startswith("warning: ") for line in done.stderr.splitlines())


def test_json_is_for_machines(home, tmp_path):
    done = hirescam(
        *("explain", "scan.nii.gz", "--model", "small.model", "--json"),
        *("-o", tmp_path / "out", "--label", "lung_cyst", "--precision", "bf16"),
        folder=home,
    )
    printed = json.loads(done.stdout)
    assert set(printed) == {"report", "probabilities"}
    assert printed["probabilities"].keys() == {"lung_cyst"}
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["provenance"]["precision"] == "bf16"


def noise(folder):
    scan = volume((40, 60, 60), spacing=(1.5, 3, 3))
    write_map_nifti(folder / "noise.nii.gz", scan.voxels.astype(np.float32), scan.affine)
    return "noise.nii.gz"


def four_dimensional(folder):
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4, 2), np.int16), np.eye(4)), folder / "4d.nii.gz")
    return "4d.nii.gz"


def not_numbers(folder):
    voxels = np.full((4, 4, 4), np.nan, np.float32)
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), folder / "nan.nii.gz")
    return "nan.nii.gz"


def picture(folder):
    Image.new("L", (8, 8)).save(folder / "chest.png")
    return "chest.png"


def empty_folder(folder):
    (folder / "empty").mkdir(exist_ok=True)
    return "empty"


REFUSED = {
    "a missing file": (lambda folder: "absent.nii.gz", "absent.nii.gz"),
    "an empty folder": (empty_folder, "empty"),
    "a picture given as a CT": (picture, "png"),
    "a 4D NIfTI": (four_dimensional, "4"),
    "voxels that are not numbers": (not_numbers, "64"),
    "noise": (noise, "noise.nii.gz: is no CT in Hounsfield units"),
}


@pytest.mark.parametrize(("make", "named"), REFUSED.values(), ids=REFUSED)
def test_a_bad_scan_is_refused_in_one_sentence(home, tmp_path, make, named):
    scan = make(home)
    done = hirescam(
        "explain", scan, "--model", "small.model", "-o", tmp_path / "out", folder=home
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("hirescam: ")
    assert done.stderr.count("\n") == 1
    assert named in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_label_of_another_model_is_refused(home, tmp_path):
    done = hirescam(
        *("explain", "scan.nii.gz", "--model", "small.model", "-o", tmp_path / "out"),
        *("--label", "lung_cysts"),
        folder=home,
    )
    assert done.returncode == 1
    assert "lung_cyst" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_damaged_model_is_refused(home, tmp_path):
    damaged = tmp_path / "damaged.model"
    damaged.write_bytes((home / "small.model").read_bytes()[:-9])
    done = hirescam("explain", "scan.nii.gz", "--model", damaged, folder=home)
    assert done.returncode == 1
    assert "damaged.model is not a whole safetensors file" in done.stderr


def test_without_a_model_the_one_of_the_package_is_taken(home, tmp_path, monkeypatch):
    monkeypatch.setenv("HIRESCAM_HOME", str(tmp_path))
    done = hirescam("explain", "scan.nii.gz", "-o", tmp_path / "out", folder=home)
    assert done.returncode == 0
    assert "trained on simulated chests only" in done.stderr


def test_a_full_disk_leaves_nothing(home, tmp_path):
    def full():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = hirescam(
        *("explain", "scan.nii.gz", "--model", "small.model", "-o", tmp_path / "out"),
        folder=home,
        preexec_fn=full,
        env={
            "PATH": "/usr/bin:/bin",
            "MPLCONFIGDIR": str(home),
            "PYTHONDONTWRITEBYTECODE": "1",  # a limit of size would cut the cache, too
        },
    )
    assert done.returncode == 1
    assert done.stderr.startswith("hirescam: ")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_what_is_not_understood_exits_with_2(home):
    unknown = ["explain", "scan.nii.gz", "--precision", "magic"]
    for arguments in (["explain"], ["nosuch"], unknown):
        assert hirescam(*arguments, folder=home).returncode == 2


def test_audit_tells_the_verdict(home):
    done = hirescam("audit", "small.model", folder=home)
    assert done.returncode == 0, done.stderr
    assert "layer features: exact for HiResCAM" in done.stdout
    printed = json.loads(hirescam("audit", "small.model", "--json", folder=home).stdout)
    assert printed["kind"] == "exact for HiResCAM"


def test_the_version_is_that_of_the_package(home):
    assert hirescam("--version", folder=home).stdout.strip() == version("hirescam")


def test_info_names_versions(home):
    printed = json.loads(hirescam("info", "--json", folder=home).stdout)
    assert printed["packages"]["core"]["torch"]


def test_info_names_each_package_of_each_extra_for_users():
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for extra in extras.keys() - {"dev", "docs", "all", "viewer"}:
        assert set(PACKAGES[extra]) == {Requirement(each).name for each in extras[extra]}


def test_alone_it_shows_where_to_begin(home):
    done = hirescam(folder=home)
    assert done.returncode == 0
    for command in ("hirescam demo", "hirescam explain", "hirescam view"):
        assert command in done.stdout
    assert (
        hirescam("explain", "-h", folder=home).stdout
        == hirescam("explain", "--help", folder=home).stdout
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--label", "lung_cist"), "lung_cyst"),
        (("--organs", "missing.nii.gz"), "no such file of masks"),
        (("-o", "taken"), "choose another folder"),
    ],
)
def test_what_can_be_refused_at_once_is_refused_before_the_scan_is_read(home, wrong, said):
    (home / "taken").mkdir(exist_ok=True)
    (home / "taken" / "notes.txt").write_text("mine")
    done = hirescam("explain", "no-scan-here", "--model", "small.model", *wrong, folder=home)
    assert done.returncode == 1
    assert said in done.stderr, "not that the scan is missing"
