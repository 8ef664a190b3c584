"""Manifests: which tables name scans, and which are refused with their row."""

import pyarrow
import pyarrow.parquet
import pytest

from hirescam.cohort.manifest import read_manifest
from hirescam.errors import ReadError

ROWS = [
    {"id": "a", "path": "scans/a.nii.gz", "split": "train", "series": None},
    {"id": "b 2", "path": "/elsewhere/b", "split": "test", "series": "1.2.3"},
]


def write_csv(folder, *lines):
    path = folder / "manifest.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_csv_and_parquet_name_the_same_scans(tmp_path):
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "m.parquet")
    lines = [",".join(str(value or "") for value in row.values()) for row in ROWS]
    table = write_csv(tmp_path, "id,path,split,series", *lines)
    first, second = read_manifest(table)
    assert read_manifest(tmp_path / "m.parquet") == (first, second)
    assert first.path == tmp_path / "scans/a.nii.gz"
    assert (second.path.as_posix(), second.series, second.organs) == (
        "/elsewhere/b",
        "1.2.3",
        None,
    )


def test_a_folder_names_the_scans_in_it(tmp_path):
    for name in ("b.nii.gz", "a.npz", "notes.txt"):
        (tmp_path / name).touch()
    assert [entry.id for entry in read_manifest(tmp_path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["id,path", "a,x.nii", "b,"], "row 2 of manifest.csv has no path"),
        (["name,path", "a,x.nii"], "row 1 of manifest.csv has no id"),
        (["id,path", "../a,x.nii"], "cannot name a folder"),
        (["id,path", ".a,x.nii"], "cannot name a folder"),
        (["id,path", "a,x.nii", "b,y.nii", "a,z.nii"], "rows 1 and 3 of manifest.csv"),
        (["id,path"], "names no scans"),
    ],
)
def test_a_table_that_cannot_be_worked_on_is_refused(tmp_path, lines, told):
    with pytest.raises(ReadError, match=told):
        read_manifest(write_csv(tmp_path, *lines))


@pytest.mark.parametrize(
    "ids",
    [
        ("Scan-1", "scan-1"),
        ("M\u00fcller", "Mu\u0308ller"),
        ("scan", "scan "),
        ("STRASSE", "stra\u00dfe"),
        ("=1+1", "x"),
        ("+1", "x"),
        ("@sum", "x"),
        ("CON", "x"),
        ("nul.nii", "x"),
        ("a\x1b[31mb", "x"),
        ("a\x7fb", "x"),
        ("a\x9bb", "x"),
        ("a\u202eb", "x"),
        ("a\u200bb", "x"),
    ],
)
def test_ids_that_some_system_takes_for_another_or_for_a_command_are_refused(tmp_path, ids):
    rows = "".join(f'"{id}",scan.nii\n' for id in ids)
    (tmp_path / "cohort.csv").write_text("id,path\n" + rows, encoding="utf-8")
    with pytest.raises(ReadError) as refused:
        read_manifest(tmp_path / "cohort.csv")
    assert str(refused.value).isprintable()


def test_usual_ids_are_taken(tmp_path):
    ids = ("1.2.840.113619.2.55", "trn00001", "valid_1_a_1", "患者-7", "Konrad 2", "case#3")
    rows = "".join(f"{id},scan.nii\n" for id in ids)
    (tmp_path / "cohort.csv").write_text("id,path\n" + rows, encoding="utf-8")
    assert tuple(entry.id for entry in read_manifest(tmp_path / "cohort.csv")) == ids
