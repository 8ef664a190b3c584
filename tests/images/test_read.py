"""Photographs: each layout tells the same of the same pictures."""

import shutil

import numpy as np
import pytest
from PIL import Image

from hirescam.errors import ReadError
from hirescam.images.photographs import masks_on_grid, network_input
from hirescam.images.read import read_photographs
from hirescam.images.voc import CLASSES
from make import shared_data
from make_photographs import (
    SHAPES,
    scenes,
    write_coco,
    write_mask_folders,
    write_sbd,
    write_voc,
)

TRAINING, VALIDATION = scenes(6), scenes(4, start=6)
LAYOUTS = (write_voc, write_coco, write_mask_folders)


@pytest.mark.parametrize("write", LAYOUTS)
def test_every_layout_gives_the_labels_and_the_masks_that_were_drawn(write, tmp_path):
    found = read_photographs(write(tmp_path, TRAINING, VALIDATION))
    for split, drawn in (("train", TRAINING), ("val", VALIDATION)):
        assert [one.name for one in found.splits[split]] == [one.name for one in drawn]
        for one, scene in zip(found.splits[split], drawn, strict=True):
            shown = one.read_class_masks()
            names = {found.classes[at] for at in np.flatnonzero(one.labels)}
            assert names == set(scene.masks)
            for name, mask in scene.masks.items():
                np.testing.assert_array_equal(shown.inside[found.classes.index(name)], mask)
            np.testing.assert_array_equal(shown.known, scene.numbers != 255)


@pytest.mark.parametrize("write", LAYOUTS[1:])
def test_classes_are_those_of_the_data_set(write, tmp_path):
    assert read_photographs(write(tmp_path, TRAINING, VALIDATION)).classes == tuple(SHAPES)


def test_sbd_adds_what_vocs_lists_do_not_hold(tmp_path):
    write_voc(tmp_path, TRAINING, VALIDATION)
    more = scenes(5, start=20)
    write_sbd(tmp_path, [TRAINING[0], *more[:3]], [VALIDATION[1], *more[3:]])
    found = read_photographs(tmp_path)
    names = {split: [one.name for one in some] for split, some in found.splits.items()}
    assert names["train"] == [one.name for one in (*TRAINING, *more)]
    assert names["val"] == [one.name for one in VALIDATION]
    last = found.splits["train"][-1]
    assert last.path.parent.name == "img"
    for name, mask in more[-1].masks.items():
        np.testing.assert_array_equal(last.read_class_masks().inside[CLASSES.index(name)], mask)


def test_sbds_list_without_vocs_validation_is_taken_where_it_is_there(tmp_path):
    write_voc(tmp_path, TRAINING, VALIDATION)
    more = scenes(5, start=20)
    write_sbd(tmp_path, more[:3], more[3:], without_val=more[:2])
    found = read_photographs(tmp_path)
    assert len(found.splits["train"]) == len(TRAINING) + 2
    assert "paper trained on 7087" in found.description


def test_vocs_own_mask_is_taken_where_sbd_has_one_too(tmp_path):
    write_voc(tmp_path, TRAINING, VALIDATION)
    write_sbd(tmp_path, TRAINING, [])
    first = read_photographs(tmp_path).splits["train"][0]
    assert not first.read_class_masks().known.all()  # only VOC's has void


def test_an_input_is_standardised_and_a_mask_keeps_its_place(tmp_path):
    photographs = read_photographs(write_voc(tmp_path, TRAINING, VALIDATION))
    one = photographs.splits["train"][0]
    x = network_input(one.path, 32)
    assert x.shape == (3, 32, 32)
    assert -2.2 < x.min() < x.max() < 2.7
    shown = masks_on_grid(one, 32)
    assert shown.inside.shape == (20, 32, 32)
    at = np.flatnonzero(one.labels)[0]
    inside, outside = x.numpy()[:, shown.inside[at]], x.numpy()[:, ~shown.inside[at]]
    assert inside.max(axis=0).min() > np.median(outside)  # the mask lies on the bright shape
    assert shown.inside[at].mean() == pytest.approx(14 * 12 / (48 * 64), rel=0.2)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda voc: shutil.rmtree(voc / "JPEGImages"), "holds no photographs with masks"),
        (lambda voc: shutil.rmtree(voc / "SegmentationClass"), "no mask of 2012_000000"),
        (lambda voc: shutil.rmtree(voc / "ImageSets"), "neither ImageSets"),
        (
            lambda voc: (voc / "JPEGImages/2012_000003.jpg").unlink(),
            "no photograph of 2012_0000",
        ),
        (
            lambda voc: (voc / "SegmentationClass/2012_000002.png").write_bytes(b"text"),
            "2012_000002.png is no image",
        ),
    ],
)
def test_what_is_missing_or_damaged_is_named(harm, says, tmp_path):
    write_voc(tmp_path, TRAINING, VALIDATION)
    harm(tmp_path / "VOCdevkit" / "VOC2012")
    with pytest.raises(ReadError, match=says):
        read_photographs(tmp_path)


def test_a_cut_off_photograph_is_named_when_it_is_read(tmp_path):
    photographs = read_photographs(write_voc(tmp_path, TRAINING, VALIDATION))
    one = photographs.splits["train"][0]
    one.path.write_bytes(one.path.read_bytes()[:700])
    with pytest.raises(ReadError, match=r"2012_000000\.jpg is damaged"):
        network_input(one.path, 32)


def test_a_mask_of_another_size_than_its_photograph_is_refused(tmp_path):
    write_mask_folders(tmp_path, TRAINING, VALIDATION)
    name = next(iter(TRAINING[0].masks))
    mask = Image.new("L", (10, 10), 255)
    mask.save(tmp_path / "train" / "masks" / name / f"{TRAINING[0].name}.png")
    with pytest.raises(ReadError, match="is 10×10 pixels, its photograph 64×48"):
        read_photographs(tmp_path)


@pytest.mark.parametrize("write", LAYOUTS)
def test_a_split_without_photographs_is_refused(write, tmp_path):
    with pytest.raises(ReadError, match="has no photographs in val"):
        read_photographs(write(tmp_path, TRAINING, []))


def test_coco_without_one_of_its_files_is_refused(tmp_path):
    write_coco(tmp_path, TRAINING, VALIDATION)
    (tmp_path / "annotations" / "instances_val2017.json").unlink()
    with pytest.raises(ReadError, match=r"lacks instances_val\*\.json"):
        read_photographs(tmp_path)


def test_the_real_photographs_have_the_labels_that_their_table_states():
    folder = shared_data("images", "voc")
    found = read_photographs(folder)
    assert {split: len(some) for split, some in found.splits.items()} == {
        "train": 300,
        "val": 150,
    }
    stated = dict(
        line.split(",")[:2] for line in (folder / "labels.csv").read_text().splitlines()[1:]
    )
    for one in (*found.splits["train"], *found.splits["val"]):
        names = [CLASSES[at] for at in np.flatnonzero(one.labels)]
        assert sorted(stated[one.name].split("|")) == sorted(names)
