"""What the viewer reads is in the page whole, exact where it must be, and small enough."""

import gzip
import json
from base64 import b64decode

import numpy as np
import pytest

from hirescam.errors import ReadError
from hirescam.summary.findings import findings
from hirescam.summary.report_quotes import read_report, report_words
from hirescam.summary.viewer_data import inline_viewer_files, shrink
from make import affine, volume
from make_viewed import LABELS, REPORT, found_case


@pytest.mark.parametrize("most", [10**6, 500, 60, 1])
def test_no_more_voxels_than_asked_for(most):
    scan = volume((12, 17, 16), spacing=(3.0, 1.0, 1.0))
    small, _ = shrink(scan.voxels, scan.affine, most)
    assert 1 <= small.size <= most


def test_the_finest_axes_are_thinned_first():
    scan = volume((12, 16, 16), spacing=(4.0, 1.0, 1.0))
    small, grid = shrink(scan.voxels, scan.affine, 12 * 8 * 8)
    assert small.shape == (12, 8, 8)
    assert np.linalg.norm(grid[:3, :3], axis=0) == pytest.approx([4, 2, 2])


@pytest.mark.parametrize("mean", [True, False])
def test_a_place_keeps_its_coordinates(mean):
    grid = affine(
        spacing=(2.0, 1.0, 1.0), origin=(5.0, 6.0, 7.0), tilt_deg=20, flips=(-1, 1, 1)
    )
    voxels = np.zeros((12, 18, 18), np.int16)
    voxels[4:8, 6:12, 9:15] = 900
    small, moved = shrink(voxels, grid, voxels.size // 18, mean=mean)
    assert small.max() == 900
    was = grid @ [*np.argwhere(voxels).mean(axis=0), 1]
    now = moved @ [*np.argwhere(small > 450).mean(axis=0), 1]
    step = np.linalg.norm(moved[:3, :3], axis=0).max()
    assert np.linalg.norm(was - now) <= (1e-6 if mean else step)


def test_codes_never_mix():
    codes = np.random.default_rng(0).choice(np.array([0, 7], np.uint8), (12, 12, 12))
    small, _ = shrink(codes, affine(), 100, mean=False)
    assert small.dtype == np.uint8
    assert set(np.unique(small)) == {0, 7}


SUMMARY = {
    "findings": [{"label": label} for label in LABELS],
    "map_grid": {"shape": [4, 3, 3], "affine": np.eye(4).tolist()},
}


def inlined(**options):
    found = found_case()
    told = {"most_bytes": 1_000_000} | options
    return found, inline_viewer_files(SUMMARY, found, findings(found), None, None, **told)


def test_maps_of_both_methods_travel_bit_by_bit():
    found, files = inlined()
    scene = json.loads(files["scene.json"])
    for method, maps in {
        "hirescam": found.raw_maps,
        "gradcam": found.other_maps["gradcam"],
    }.items():
        raw = gzip.decompress(b64decode(files[f"maps-{method}"]))
        for row, label in enumerate(LABELS):
            start = scene["maps"][method][label]["offset"]
            values = np.frombuffer(raw, "<f4", maps[row].size, start).reshape(maps[row].shape)
            assert np.array_equal(values, maps[row])


def test_the_same_explanation_gives_the_same_text():
    assert inlined()[1] == inlined()[1]


def test_what_cannot_fit_is_left_out_whole():
    assert inlined(most_bytes=1000)[1] == {}


def test_a_report_is_quoted_by_the_words_that_made_each_label():
    words = report_words(REPORT, LABELS)
    assert {label: said[0]["evidence"] for label, said in words.items()} == {
        "lung_nodule": "nodule",
        "heart_cabg": "CABG",
        "lung_cyst": "cyst",
    }
    assert words["lung_cyst"][0]["status"] == "absent"
    whole = "".join(words["lung_nodule"][0][part] for part in ("before", "evidence", "after"))
    assert whole.rstrip("…") in REPORT


def test_a_report_that_is_no_text_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "report.bin"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ReadError, match="no UTF-8 text; give a text file"):
        read_report(path)
    with pytest.raises(ReadError, match="No such file"):
        read_report(tmp_path / "missing.txt")
