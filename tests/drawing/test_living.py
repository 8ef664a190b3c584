"""What the viewer reads is in the page whole, exact where it must be, and small enough."""

import gzip
import json
from base64 import b64decode

import numpy as np
import pytest

from hirescam.drawing.findings import findings
from hirescam.drawing.living import inline_living
from hirescam.drawing.report_words import read_report, report_words
from hirescam.errors import ReadError
from make_viewed import LABELS, REPORT, found_case

SUMMARY = {
    "findings": [{"label": label} for label in LABELS],
    "map_grid": {"shape": [4, 3, 3], "affine": np.eye(4).tolist()},
}


def inlined(**options):
    found = found_case()
    told = {"most_bytes": 1_000_000} | options
    return found, inline_living(SUMMARY, found, findings(found), None, None, **told)


def test_maps_of_both_methods_travel_bit_by_bit():
    found, files = inlined()
    scene = json.loads(files["scene.json"])
    for method, maps in {
        "hirescam": found.raw_maps,
        "gradcam": found.beside["gradcam"],
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
