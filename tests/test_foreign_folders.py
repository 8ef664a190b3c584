"""No command changes what it did not write, whatever folder or file it is given."""

import os
from pathlib import Path

import pytest

import hirescam
from hirescam.cli.main import main
from hirescam.models.files import new_model
from make_cases import LABELS, PREPARATION, chest, small_config, write_cases
from make_dicom import write_series

PLANTED = (
    ".git/config",
    ".git/objects/ab/cdef",
    ".ssh/id_ed25519",
    ".venv/pyvenv.cfg",
    ".cache/x.part",
    ".netrc",
    "thesis.tex",
    "notes.txt",
    "summary.json",
    "manifest.json",
    "labels.csv",
    "organs.nii.gz",
    "page.html",
    "preview.png",
    "cases/scan-0/notes.txt",
    "pictures/holiday.jpg",
    "runs/mine.txt",
)
"""As in somebody's home; some with names that we write too."""


@pytest.fixture(scope="module")
def belongings(tmp_path_factory):
    """A data set, a scan, a DICOM study, a model, reports, and an explained scan."""
    folder = tmp_path_factory.mktemp("belongings")
    table = write_cases(folder / "data", train=2, valid=2)
    (folder / "recipe.json").write_text(small_config(table).model_dump_json())
    chest(0, (1, 0)).to_nifti(folder / "scan.nii.gz")
    write_series(folder / "study", chest(0, (1, 0)))
    model = new_model(
        name="small",
        labels=LABELS,
        preparation=hirescam.Preparation(**PREPARATION),
        trained_on="nothing",
        arguments={"widths": (4, 8), "blocks": (1, 1), "neck": (4,)},
    )
    hirescam.save_model(model, folder / "my.model")
    (folder / "reports.csv").write_text(
        "id,report\none,Nodule in the right upper lobe. Cardiomegaly.\n"
    )
    (folder / "manifest.csv").write_text("id,path\none,scan.nii.gz\n")
    return folder


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    for name in PLANTED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"the user's {name}")
    (folder / "link").symlink_to(folder / "thesis.tex")
    return folder


COMMANDS = [
    "explain scan.nii.gz --model my.model --organs none --out HOME",
    "explain scan.nii.gz --model my.model --organs none --overwrite --out HOME",
    "explain --cohort manifest.csv --model my.model --out HOME",
    "explain --cohort manifest.csv --model my.model --overwrite --out HOME",
    "segment scan.nii.gz --out HOME/organs.nii.gz",
    "segment scan.nii.gz --out HOME/new.nii.gz --preview HOME/preview.png",
    "label reports.csv --out HOME/labels.csv",
    "label reports.csv --explain one --html HOME/page.html",
    "label-audit labels.csv labels.csv --differences HOME/labels.csv",
    "regions recipe.json --out HOME",
    "simulate --n 1 --out HOME",
    "listen --model my.model --from B --send-to A@localhost:1 --queue HOME",
    "prepare manifest.csv --model my.model --out HOME",
    "prepare manifest.csv --model my.model --overwrite --out HOME",
    "train recipe.json --out HOME",
    "train recipe.json --resume --out HOME",
    "evaluate run --out HOME",
    "evaluate run --overwrite --out HOME",
    "evidence explained --out HOME",
    "evidence explained --overwrite --out HOME",
    "experiments table2 --quick --out HOME",
    "demo --out HOME",
]


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def prepared(belongings):
    """A training run, labels and an explained cohort too, as commands make them."""
    folder = belongings
    run("train recipe.json --set epochs=1 --out run", folder)
    run("label reports.csv --out labels.csv", folder)
    run("explain --cohort manifest.csv --model my.model --any-values --out explained", folder)
    return folder


def run(command, folder):
    """Run a command in a folder; its exit status and what it said."""
    here = Path.cwd()
    os.chdir(folder)
    try:
        main(command.split())
    except SystemExit as ended:
        return ended.code
    finally:
        os.chdir(here)
    return 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_of_somebody_else_survives(command, prepared, home):
    before = contents(home)
    code = run(command.replace("HOME", str(home)), prepared)
    assert str(home) in str(code), "refused, in one sentence that names the folder or file"
    after = contents(home)
    assert {name: after.get(name) for name in before} == before
