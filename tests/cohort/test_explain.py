"""hirescam explain --cohort, from outside: good scans among all kinds of bad ones."""

import csv
import json
import os
import shutil
import subprocess
import sys

import jsonschema
import numpy as np
import pytest

from hirescam.anatomy import ORGANS
from hirescam.cohort.manifest import read_manifest, with_organs
from hirescam.cohort.run import run_cohort
from hirescam.cohort.steps import explaining
from hirescam.errors import TargetError
from hirescam.models.files import save_model
from hirescam.organs.files import save_organs
from hirescam.organs.masks import OrganMasks
from hirescam.simulation.chest import simulate
from hirescam.summary.folder import summary_schema
from make_cohort import Here, contents
from make_models import small_model
from make_poison import HARMLESS, POISONS, unreadable

WITHOUT_RIGHTS = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A small model, and a manifest of a good scan, harmless ones and bad ones."""
    folder = tmp_path_factory.mktemp("home")
    save_model(small_model(), folder / "small.model")
    chest = simulate(0, spacing_mm=(8.0, 8.0, 8.0))
    scan = chest.volume
    scan.to_nifti(folder / "good.nii.gz")
    codes = sum(code * chest.organs[organ] for code, organ in enumerate(ORGANS, start=1))
    masks = OrganMasks(codes.astype(np.uint8), scan.affine, method="simulated truth")
    save_organs(masks, folder / "masks" / "good.nii.gz")
    rows = [("good", "good.nii.gz")]
    for name, make in (HARMLESS | POISONS | {"unreadable": unreadable}).items():
        path = make(folder / name.replace(" ", "-"), scan)
        rows.append((name, path.relative_to(folder)))
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "path"), *rows])
    return folder


@pytest.fixture(scope="module")
def explained(home):
    """What the command said of all of them."""
    as_root = os.geteuid() == 0
    if as_root and not shutil.which("setpriv"):
        pytest.skip("root reads everything, and there is no setpriv to give that up")
    return subprocess.run(
        [
            *(WITHOUT_RIGHTS if as_root else ()),
            *(sys.executable, "-m", "hirescam", "explain", "--cohort", "manifest.csv"),
            *("--model", "small.model", "--organs", "none", "-o", "out", "--json"),
        ],
        cwd=home,
        capture_output=True,
        text=True,
    )


def test_every_bad_scan_is_named_and_every_other_one_done(home, explained):
    assert explained.returncode == 1, explained.stderr
    assert explained.stderr == ""
    with (home / "out/ledger.csv").open() as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    failed = {id for id, row in rows.items() if row["status"] == "failed"}
    assert failed == {*POISONS, "unreadable"}
    assert {id for id, row in rows.items() if row["status"] == "done"} == {"good", *HARMLESS}
    assert all(rows[id]["reason"] and str(home) not in rows[id]["reason"] for id in failed)
    assert rows["not there"]["reason"].startswith("absent.nii.gz: is not there")
    assert "permission" in rows["unreadable"]["reason"]
    told = json.loads(explained.stdout)
    assert told["done"] == 1 + len(HARMLESS)
    assert (told["failed"], told["scans"]) == (len(failed), len(rows))


def test_a_scan_has_numbers_and_maps_that_any_engine_makes_alike(home, explained):
    step = explaining(home / "small.model", organs=False)
    good = read_manifest(home / "manifest.csv")[:1]
    run_cohort(step, good, home / "here", Here())
    made = contents(home / "here/cases/good")
    assert made == contents(home / "out/cases/good")
    assert sorted(made) == [
        "maps/heart_cabg.nii.gz",
        "maps/lung_cyst.nii.gz",
        "maps/lung_nodule.nii.gz",
        "summary.json",
    ]
    jsonschema.validate(json.loads(made["summary.json"]), summary_schema())


def test_pages_and_organs_come_when_asked_for(home, explained):
    step = explaining(home / "small.model", pages=True, labels=("lung_cyst",))
    good = with_organs(read_manifest(home / "manifest.csv")[:1], home / "masks")
    run_cohort(step, good, home / "paged", Here())
    made = contents(home / "paged/cases/good")
    assert {"report.html", "organs.nii.gz", "pictures/lung_cyst.png"} <= set(made)


def test_labels_of_another_model_are_refused_before_anything_is_done(home):
    with pytest.raises(TargetError, match="no label 'lung_cysts'"):
        explaining(home / "small.model", labels=("lung_cyst", "lung_cysts"))
