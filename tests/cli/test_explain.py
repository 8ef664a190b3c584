"""hirescam explain: organs by default, organs hidden and DICOM on request, in one folder."""

import gzip
import json

import pydicom
import pytest
from typer.main import get_command

from hirescam.cli.main import app, main
from hirescam.methods import OUTPUT_LEVEL
from hirescam.models.files import save_model
from hirescam.organs.files import read_organs, save_organs
from hirescam.simulation.chest import simulate
from hirescam.viewer.cases import read_cases
from make_dicom import PLANTED, setting, write_series
from make_models import small_model


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A model, and one simulated chest as NIfTI and as a DICOM series of a named patient."""
    folder = tmp_path_factory.mktemp("home")
    save_model(small_model(), folder / "small.model")
    scan = simulate(0, spacing_mm=(6.0, 6.0, 6.0)).volume
    scan.to_nifti(folder / "scan.nii.gz")
    write_series(folder / "series", scan, change=setting(StudyInstanceUID="1.2.3"))
    return folder


@pytest.fixture
def explain(home, tmp_path, capsys):
    """Explain a scan of the home: its summary, the folder, how it ended and what was said."""

    def run(scan, *options):
        out = tmp_path / "out"
        model = str(home / "small.model")
        with pytest.raises(SystemExit) as ended:
            main(["explain", str(home / scan), "--model", model, "-o", str(out), *options])
        said = capsys.readouterr()
        told = ended.value.code or 0
        numbers = json.loads((out / "summary.json").read_text()) if out.exists() else None
        return numbers, out, told, said.out

    return run


def test_organs_are_found_and_named_by_default(explain):
    numbers, out, told, _ = explain("scan.nii.gz")
    assert told == 0
    assert numbers["organs"]["method"] == "robust"
    assert read_organs(out / numbers["organs"]["file"]).organs[0] == "right_lung"
    assert all(" evidence lies " in row["organs"]["sentence"] for row in numbers["findings"])
    assert not (out / "dicom").exists()


def test_organs_come_from_a_file_or_not_at_all(explain, tmp_path):
    _, out, _, _ = explain("scan.nii.gz")
    mine = save_organs(read_organs(out / "organs.nii.gz"), tmp_path / "mine.nii.gz")
    numbers, _, told, _ = explain("scan.nii.gz", "--organs", str(mine), "--overwrite")
    assert told == 0
    assert numbers["organs"]["masks"]["right_lung"]["volume_ml"] > 0
    numbers, _, _, _ = explain("scan.nii.gz", "--organs", "none", "--overwrite")
    assert numbers["organs"] is None
    _, _, told, _ = explain("scan.nii.gz", "--organs", "atuo", "--overwrite")
    assert "there is no such file of masks" in told


def test_a_hidden_organ_is_told_of_each_finding(explain):
    numbers, _, told, said = explain("scan.nii.gz", "--occlude-organ", "right_lung")
    assert told == 0
    for row in numbers["findings"]:
        (hidden,) = row["occluded_organs"]
        assert hidden["score"] == pytest.approx(row["score"] - hidden["drop"], abs=1e-5)
        assert hidden["sentence"] in said


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--occlude-organ", "spleen"], "the masks hold right_lung"),
        (["--occlude-organ", "right_lung", "--organs", "none"], "find organs first"),
        (["--dicom"], "is no DICOM series"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_leaves_nothing(explain, options, reason):
    _, out, told, _ = explain("scan.nii.gz", *options)
    assert reason in told
    assert not out.exists()


@pytest.mark.parametrize("option", [["--dicom"], ["--series", "1.2"], ["--report", "a.txt"]])
def test_what_is_of_one_scan_is_not_taken_for_a_cohort(option, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["explain", "--cohort", str(tmp_path), "-o", str(tmp_path / "out"), *option])
    assert ended.value.code == 2
    assert option[0] in capsys.readouterr().err


def test_the_patient_is_named_in_dicom_objects_alone_and_there_only_on_request(explain):
    numbers, out, told, said = explain("series", "--dicom")
    assert told == 0
    assert numbers["findings"]
    named = {path.parent.name for path in out.rglob("*") if holds_name(path)}
    assert named == {"dicom"}
    assert PLANTED not in said
    assert {"report.dcm", "organs.dcm", "map-01.dcm"} <= {
        path.name for path in (out / "dicom").iterdir()
    }
    _, out, _, _ = explain("series", "--overwrite")
    assert not any(holds_name(path) for path in out.rglob("*"))


def holds_name(path):
    if not path.is_file():
        return False
    content = path.read_bytes()
    plain = gzip.decompress(content) if path.suffix == ".gz" else content
    return PLANTED.encode() in plain


def test_maps_of_any_method_of_one_forward_pass_are_written_and_named(explain):
    numbers, out, told, _ = explain(
        "series", "--method", "layercam", "--also", "xgradcam", "--also", "hirescam", "--dicom"
    )
    assert told == 0
    assert numbers["provenance"]["method"] == "layercam"
    assert {path.name for path in out.glob("maps_*")} == {"maps_xgradcam", "maps_hirescam"}
    assert not any(row["guarantee"]["holds_for_method"] for row in numbers["findings"])
    named = {pydicom.dcmread(path).SeriesDescription for path in out.glob("dicom/*.dcm")}
    assert "hirescam: layercam maps" in named
    (case,) = read_cases(out)
    assert set(case.scene["maps"]) == {"layercam", "xgradcam", "hirescam"}
    assert case.scene["methods"]["xgradcam"] == "XGrad-CAM"
    _, _, told, _ = explain("no-such-scan", "--method", "occlusion", "--overwrite")
    assert "needs runs of the network of its own" in told


def test_the_help_names_every_method_of_one_forward_pass():
    (option,) = (
        each for each in get_command(app).commands["explain"].params if each.name == "method"
    )
    assert [name for name in OUTPUT_LEVEL if name not in option.help] == []
