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
