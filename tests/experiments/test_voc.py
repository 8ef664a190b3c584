"""PASCAL VOC on a miniature: every network trains, is explained and tabulated."""

import csv

import pytest

from hirescam.errors import ReadError
from hirescam.experiments import voc
from hirescam.experiments.tables import as_markdown
from make_photographs import SHAPES, scenes, write_voc


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("voc")
    data = write_voc(folder / "data", scenes(10), scenes(8, start=10))
    return data, folder / "out", voc.run(data, folder / "out", scale=voc.QUICK)


def test_there_is_a_row_per_number_of_labels_and_per_class(done):
    rows = done[2].rows
    groups = ["any label", "1 label", "2 labels", "3 or more labels", *SHAPES]
    assert [row["photographs with"] for row in rows] == groups
    assert rows[0]["pairs"] == rows[1]["pairs"] + rows[2]["pairs"] == 12
    assert rows[0]["pairs"] == sum(row["pairs"] for row in rows[4:])


def test_maps_agree_under_global_pooling_and_differ_under_a_flattened_layer(done):
    for row in done[2].rows:
        assert row["pooled, hirescam"] == pytest.approx(row["pooled, gradcam"], nan_ok=True)
    notes = {note.split(":")[0]: note for note in done[2].notes}
    assert "differ by up to 0.0%" in notes["pooled"]
    assert "Maps are exact for HiResCAM and Grad-CAM" in notes["pooled"]
    assert "differ by up to 0.0%" not in notes["flattened"]
    assert "Maps are exact for HiResCAM;" in notes["flattened"]
    assert "Maps are not guaranteed" in notes["VGG-16"]


def test_random_weights_and_the_papers_caveat_are_stated(done):
    text = as_markdown(done[2])
    assert "VGG-16 from RANDOM weights" in text
    assert "IoU never measures" in text.replace("It never", "IoU never")
    assert "the paper trained on 7087" in text


def test_every_epoch_is_tabulated_and_drawn(done):
    with (done[1] / "voc-epochs.csv").open() as file:
        rows = list(csv.DictReader(file))
    epochs = dict.fromkeys(("flattened", "pooled"), 2) | {"VGG-16": 1}
    assert [
        (row["network"], int(row["epoch"])) for row in rows if row["map"] == "hirescam"
    ] == [(name, epoch + 1) for name, count in epochs.items() for epoch in range(count)]
    for name in ("voc-epochs", "voc-gallery"):
        assert (done[1] / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert (done[1] / f"{name}.png").stat().st_size > 5000


def test_places_add_a_network_with_a_mask_loss_and_nothing_else_is_trained_again(done):
    data, out, first = done
    kept = {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("*.*")}
    (data / "places.toml").write_text("[boat]\nleft_of = 0.4\n[sheep]\nright_of = 0.6\n")
    table = voc.run(data, out, scale=voc.QUICK)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    for now, before in zip(table.rows, first.rows, strict=True):
        assert {name: now[name] for name in before} == pytest.approx(before, nan_ok=True)
        assert "flattened, mask loss, gradcam" in now
    outside = {
        note.split(":")[0]: int(note.rsplit(": ", 1)[1].removesuffix("%."))
        for note in table.notes
        if "Positive evidence outside places.toml" in note
    }
    assert list(outside) == ["flattened", "pooled", "flattened, mask loss", "VGG-16"]
    assert outside["flattened, mask loss"] < outside["flattened"]


def test_a_folder_without_photographs_is_refused(tmp_path):
    with pytest.raises(ReadError, match="holds no photographs with masks: expected VOC's"):
        voc.run(tmp_path, tmp_path / "out", scale=voc.QUICK)
