"""Preparing and evaluating a cohort: the same as doing it to its scans by themselves."""

import csv
import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from hirescam.anatomy import LABELS, ORGANS
from hirescam.cohort.evaluating import case_of, evaluating, read_truth, write_page
from hirescam.cohort.ledger import read_ledgers
from hirescam.cohort.manifest import Entry, read_manifest, with_organs
from hirescam.cohort.run import run_cohort
from hirescam.cohort.steps import Reading, preparing
from hirescam.ct.packed import read_packed
from hirescam.ct.preparation import place
from hirescam.ct.reading import read_volume
from hirescam.errors import HirescamError, ReadError
from hirescam.evaluation.outcomes import evaluate, load_outcomes
from hirescam.models.files import load_model, save_model
from hirescam.organs.files import save_organs
from hirescam.organs.masks import OrganMasks
from hirescam.reports.label import Source, label_file
from hirescam.reports.profile import ProfileChoice
from hirescam.simulation.chest import simulate
from hirescam.training.datasets.cases import Case
from hirescam.training.prepared import grid_of, prepare
from make_cohort import Here, contents
from make_dicom import setting, write_series
from make_models import small_model

SPLITS = ("valid", "valid", "test")
NOTHING_KNOWN = np.zeros(0, np.float32), np.zeros((0, len(ORGANS)), bool)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Three chests with masks and reports, and what the labeller read in these."""
    folder = tmp_path_factory.mktemp("steps")
    save_model(small_model(), folder / "small.model")
    rows = []
    for number, split in enumerate(SPLITS):
        findings = ["lung_nodule"] if number else ["heart_cabg"]
        chest = simulate(number, findings=findings, spacing_mm=(8.0, 8.0, 8.0))
        chest.volume.to_nifti(folder / f"chest-{number}.nii.gz")
        codes = sum(code * chest.organs[organ] for code, organ in enumerate(ORGANS, start=1))
        masks = OrganMasks(codes.astype(np.uint8), chest.volume.affine, method="truth")
        save_organs(masks, folder / "masks" / f"chest-{number}.nii.gz")
        rows.append((f"chest-{number}", f"chest-{number}.nii.gz", split, chest.report))
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "path", "split", "report"), *rows])
    for name, format in (("long", "long"), ("wide", "80")):
        source = Source(folder / "manifest.csv")
        label_file(source, folder / f"{name}.csv", ProfileChoice("default"), format=format)
    return folder


@pytest.fixture(scope="module")
def entries(home):
    return with_organs(read_manifest(home / "manifest.csv"), home / "masks")


def test_a_manifest_is_what_the_labeller_reads(home):
    long, wide = (read_truth(home / f"{name}.csv", LABELS) for name in ("long", "wide"))
    scans = [f"chest-{number}" for number in range(3)]
    assert [long.labels.get(scan) for scan in scans] == [wide.labels[scan] for scan in scans]
    assert "heart_cabg" in wide.labels["chest-0"]
    assert any(long.lungs[scan].get("lung_nodule") for scan in scans[1:])


def test_what_is_prepared_is_what_training_reads(home, entries):
    cache = home / "cache"
    step = preparing(cache, model=home / "small.model", recipe=None)
    assert run_cohort(step, entries, home / "prepared", Here()).done == 3
    kept = {name for name in contents(cache) if not name.startswith("digests")}
    truth = read_truth(home / "wide.csv", small_model().labels)
    for entry in entries:
        case = case_of(entry, truth, small_model().labels)
        files = prepare(
            case, grid_of(load_model(home / "small.model")), cache, with_organs=True
        )
        told = json.loads((home / f"prepared/cases/{entry.id}/prepared.json").read_text())
        assert cache / told["voxels"] == files.voxels
        assert cache / told["regions"] == files.organs
    assert {name for name in contents(cache) if not name.startswith("digests")} == kept


def test_organs_that_no_manifest_names_are_found_and_kept_by_name(home, entries):
    step = preparing(home / "cache", model=home / "small.model", recipe=None)
    alone = [replace(entries[0], organs=None)]
    assert run_cohort(step, alone, home / "found", Here()).done == 1
    assert with_organs(alone, home / "found" / "cases")[0].organs.name == "chest-0.nii.gz"


@pytest.fixture(scope="module")
def tilted(home):
    """A scan whose axes do not stand at right angles."""
    scan = simulate(0, spacing_mm=(8.0, 8.0, 8.0)).volume
    affine = scan.affine.copy()
    affine[1, 0] += 2
    nib.save(nib.Nifti1Image(scan.voxels, affine), home / "tilted.nii.gz")
    return [Entry("tilted", home / "tilted.nii.gz")]


def test_what_is_read_leniently_is_what_training_finds(home, tilted):
    cache, model = home / "lenient", home / "small.model"
    steps = {
        how: preparing(cache, model=model, recipe=None, reading=Reading(how))
        for how in ("error", "repair")
    }
    assert steps["error"].settings != steps["repair"].settings
    tallies = {
        how: run_cohort(step, tilted, home / f"prepared-{how}", Here())
        for how, step in steps.items()
    }
    assert (tallies["error"].failed, tallies["repair"].done) == (1, 1)
    reason = read_ledgers(home / "prepared-error")["tilted"][-1].reason
    assert "--on-bad-geometry repair" in reason
    case = Case("tilted", tilted[0].path, *NOTHING_KNOWN)
    told = json.loads((home / "prepared-repair/cases/tilted/prepared.json").read_text())
    found = prepare(case, grid_of(load_model(model)), cache, with_organs=False)
    assert found.voxels == cache / told["voxels"]


def test_the_series_of_a_manifest_is_the_one_that_is_prepared(home):
    study, cache = home / "study", home / "of-series"
    uids = {}
    for number in range(2):
        scan = simulate(number, spacing_mm=(8.0, 8.0, 8.0)).volume
        uids[number] = f"1.2.840.{number + 1}"
        change = setting(SeriesInstanceUID=uids[number], StudyInstanceUID="1.2.840.9")
        write_series(study / f"{number}", scan, change=change)
    entries = [Entry(f"chest-{number}", study, series=uid) for number, uid in uids.items()]
    step = preparing(cache, model=home / "small.model", recipe=None)
    assert run_cohort(step, entries, home / "of-series-out", Here()).done == 2
    for number, entry in enumerate(entries):
        told = home / f"of-series-out/cases/{entry.id}/prepared.json"
        voxels = read_packed(cache / json.loads(told.read_text())["voxels"])
        placed = place(read_volume(study / f"{number}"), step.grid.preparation).voxels
        np.testing.assert_array_equal(voxels, np.rint(placed))


def test_scans_are_prepared_for_one_network(home):
    with pytest.raises(HirescamError, match="either --model, or the --recipe"):
        preparing(home / "cache", model=None, recipe=None)


def test_a_cohort_is_evaluated_as_its_scans_are_at_once(home, entries):
    model = load_model(home / "small.model")
    step = evaluating(home / "small.model", home / "wide.csv", home / "cache")
    assert run_cohort(step, entries, home / "evaluated", Here()).done == 3
    truth = read_truth(home / "wide.csv", model.labels)
    cases = [case_of(entry, truth, model.labels) for entry in entries]
    whole = evaluate(model, cases, home / "cache")
    for number, entry in enumerate(entries):
        kept = load_outcomes(home / "evaluated/cases" / entry.id / "outcome.npz")
        for name in ("truth", "logits", "organ_ious", "evidence", "outside"):
            np.testing.assert_array_equal(
                getattr(kept, name), getattr(whole.of([number]), name), err_msg=name
            )


def test_the_page_says_how_many_scans_are_missing(home, entries):
    absent = replace(entries[2], id="chest-3")
    step = evaluating(home / "small.model", home / "wide.csv", home / "cache")
    tally = run_cohort(step, [*entries, absent], home / "missing", Here())
    assert (tally.done, tally.failed) == (3, 1)
    assert "has no labels" in read_ledgers(home / "missing")["chest-3"][-1].reason
    page = write_page([*entries, absent], "test", home / "missing", title="a cohort")
    assert "1 of 2 scans have no outcome" in page.read_text()


def test_labels_that_a_file_does_not_know_are_refused(home):
    with pytest.raises(ReadError, match="no label 'heart_nodule'"):
        read_truth(home / "wide.csv", ("lung_nodule", "heart_nodule"))
