"""`hirescam segment` as it is typed."""

import json

import nibabel as nib
import numpy as np
import pytest
from typer import Typer

from hirescam.cli import scans
from hirescam.cli.scans import list_jobs
from hirescam.ct.volume import Volume
from hirescam.errors import HirescamError
from hirescam.organs.files import read_organs, save_organs
from hirescam.organs.segment import METHODS
from make import affine
from make_dicom import PLANTED, write_series

PUBLISHED = ("--method", "published")


def chest():
    """Two boxes of lung in tissue; thick slices and rows, columns of 1.6 mm."""
    hu = np.full((10, 12, 210), -1000, np.int16)
    hu[:, 1:-1, 10:-10] = 40
    hu[2:-2, 3:-3, 30:90] = hu[2:-2, 3:-3, 110:190] = -800
    return Volume(hu, affine(spacing=(25.0, 25.0, 1.6)))


def write_scan(path, scan=None):
    scan = scan or chest()
    path.parent.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(scan.voxels.T, scan.affine[:, [2, 1, 0, 3]]), path)
    return path


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs the command in an empty folder, on any values; gives what it prints, or raises."""
    monkeypatch.chdir(tmp_path)
    app = Typer()
    app.command()(scans.segment)

    def type_in(*arguments, any_values=True):
        given = [str(argument) for argument in arguments]
        app(given + ["--any-values"] * any_values, standalone_mode=False)
        return capsys.readouterr().out

    return type_in


def test_the_choices_are_those_of_the_library():
    assert [method.value for method in scans.SegmentMethod] == list(METHODS)


def test_one_scan_gives_a_label_file_and_its_numbers(run, tmp_path):
    printed = run(write_scan(tmp_path / "scan.nii.gz"), "--out", "organs.nii.gz", *PUBLISHED)
    masks = read_organs(tmp_path / "organs.nii.gz")
    assert masks.codes.shape == chest().shape
    assert not any(verdict.heuristic for verdict in masks.verdicts.values())
    assert "  right lung        2160 mL  doubtful\n" in printed, "blocks are no person's chest"
    assert json.loads((tmp_path / "organs.json").read_text())["method"] == "published"


def test_values_that_no_ct_of_a_person_has_are_refused_unless_allowed(run, tmp_path):
    scan = write_scan(tmp_path / "scan.nii.gz")
    with pytest.raises(HirescamError, match=r"expected 0\.05 to 20"):
        run(scan, any_values=False)
    assert not (tmp_path / "organs.nii.gz").exists()


def test_reasons_are_printed_below_their_organ(run, tmp_path):
    empty = Volume(np.full((4, 6, 80), 40, np.int16), affine())
    printed = run(write_scan(tmp_path / "scan.nii.gz", empty), *PUBLISHED)
    assert "right lung           0 mL  doubtful\n    no dark piece" in printed


def test_a_folder_of_scans_gives_a_folder_of_masks(run, tmp_path):
    write_scan(tmp_path / "in" / "a.nii.gz")
    write_scan(tmp_path / "in" / "b.nii")
    write_series(tmp_path / "in" / "c", chest())
    (tmp_path / "in" / "notes.txt").write_text("no scan")
    printed = run("in", "--out", "out", *PUBLISHED)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"{x}.{y}" for x in "abc" for y in ("json", "nii.gz")]
    assert printed.count("  right lung   ") == 3


def test_previews_and_masks_of_many_scans_are_named_after_them(tmp_path):
    (tmp_path / "in" / "a").mkdir(parents=True)
    (tmp_path / "masks" / "a").mkdir(parents=True)
    (job,) = list_jobs(
        tmp_path / "in", tmp_path, preview=tmp_path / "look", masks=tmp_path / "masks"
    )
    assert job.preview == tmp_path / "look" / "a.png"
    assert job.masks == tmp_path / "masks" / "a"


def test_scans_that_would_share_a_name_keep_their_suffixes(run, tmp_path):
    write_scan(tmp_path / "in" / "a.nii.gz")
    write_scan(tmp_path / "in" / "a.nii")
    run("in", "--out", "out", *PUBLISHED)
    assert len(list((tmp_path / "out").glob("*.nii.gz"))) == 2


def test_one_scan_that_fails_does_not_stop_the_rest(run, tmp_path, capsys):
    write_scan(tmp_path / "in" / "a.nii.gz").write_bytes(b"nothing")
    write_scan(tmp_path / "in" / "b.nii.gz")
    with pytest.raises(HirescamError, match=r"^1 of 2 scans failed: a\.nii\.gz$"):
        run("in", "--out", "out", *PUBLISHED)
    assert (tmp_path / "out" / "b.nii.gz").is_file()
    printed = capsys.readouterr()
    assert "b.nii.gz" in printed.out
    assert printed.err.startswith("a.nii.gz: ")


def test_a_fault_of_ours_does_not_stop_the_rest_either(run, tmp_path, monkeypatch, capsys):
    write_scan(tmp_path / "in" / "a.nii.gz")
    write_scan(tmp_path / "in" / "b.nii.gz")

    def faulty(masks, path):
        if path.name == "a.nii.gz":
            raise ZeroDivisionError("a secret of the scan")
        return save_organs(masks, path)

    monkeypatch.setattr("hirescam.organs.files.save_organs", faulty)
    with pytest.raises(HirescamError, match=r"1 of 2 scans failed"):
        run("in", "--out", "out", *PUBLISHED)
    assert capsys.readouterr().err.startswith("a.nii.gz: ZeroDivisionError, which should not")
    with pytest.raises(ZeroDivisionError):
        run("in/a.nii.gz", "--out", "out", *PUBLISHED)


def test_json_holds_what_was_segmented_and_what_failed(run, tmp_path, capsys):
    write_scan(tmp_path / "in" / "a.nii.gz").write_bytes(b"nothing")
    write_scan(tmp_path / "in" / "b.nii.gz")
    with pytest.raises(HirescamError):
        run("in", "--out", "out", "--json", *PUBLISHED)
    found = json.loads(capsys.readouterr().out)
    assert list(found["failed"]) == ["a.nii.gz"]
    assert found["segmented"]["out/b.nii.gz"]["organs"]["left_lung"]["code"] == 2


def test_masks_of_another_program_are_taken(run, tmp_path):
    scan = write_scan(tmp_path / "scan.nii.gz")
    codes = np.zeros(chest().shape, np.int16)
    codes[:, :, 100:] = 2
    write_scan(tmp_path / "mask.nii.gz", Volume(codes, chest().affine))
    run(scan, "--external", "mask.nii.gz", "--table", "lungmask")
    masks = read_organs(tmp_path / "organs.nii.gz")
    assert masks.method == "external"
    np.testing.assert_array_equal(masks.codes, codes)
    assert not masks.verdicts["right_lung"].trusted


def test_masks_of_many_scans_are_named_after_them(run, tmp_path):
    for name in ("a", "b"):
        write_scan(tmp_path / "in" / f"{name}.nii.gz")
        codes = np.full(chest().shape, 1 if name == "a" else 2, np.int16)
        write_scan(tmp_path / "masks" / f"{name}.nii.gz", Volume(codes, chest().affine))
    run("in", "--out", "out", "--external", "masks", "--table", "lungmask")
    assert (read_organs(tmp_path / "out" / "b.nii.gz").codes == 2).all()
    (tmp_path / "masks" / "b.nii.gz").unlink()
    with pytest.raises(HirescamError, match=r"no masks of b: name them .* b\.nii\.gz"):
        run("in", "--out", "out", "--external", "masks", "--table", "lungmask")


def test_masks_without_a_table_are_refused_with_the_tables_that_exist(run, tmp_path):
    scan = write_scan(tmp_path / "scan.nii.gz")
    with pytest.raises(HirescamError, match=r"--table.*totalsegmentator"):
        run(scan, "--external", scan)


@pytest.mark.parametrize(
    ("out", "complaint"),
    [
        ("all.nii.gz", "in holds 2 scans, which one file"),
        ("in", "is where the scans are"),
        ("all.png", "as .nii.gz"),
    ],
)
def test_an_out_that_cannot_hold_the_scans_is_refused(run, tmp_path, out, complaint):
    write_scan(tmp_path / "in" / "a.nii.gz")
    write_scan(tmp_path / "in" / "b.nii.gz")
    with pytest.raises(HirescamError, match=complaint):
        run("in", "--out", out, *PUBLISHED)


def test_nothing_that_names_the_patient_reaches_an_output(run, tmp_path):
    small = Volume(chest().voxels[:, :, ::3], affine(spacing=(4.0, 4.0, 0.8)))
    write_series(tmp_path / "series", small)
    printed = run("series", "--preview", "look/p.png", "--json", *PUBLISHED)
    written = [tmp_path / name for name in ("organs.nii.gz", "organs.json", "look/p.png")]
    image = nib.load(tmp_path / "organs.nii.gz")
    notes = [extension.get_content() for extension in image.header.extensions]
    everything = [printed.encode(), image.header.binaryblock, *notes]
    everything += [path.read_bytes() for path in written]
    assert not any(PLANTED.encode() in part for part in everything)
