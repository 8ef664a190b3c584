"""What lies outside a label's region is another scan's, and cells are trained on lesions."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from hirescam.ct.packed import read_packed
from hirescam.ct.preparation import place_codes
from hirescam.ct.volume import Volume
from hirescam.errors import HirescamError, ReadError
from hirescam.training import assemble
from hirescam.training.datasets.read import read_cases
from hirescam.training.loader import PreparedScans, loading
from hirescam.training.outside import (
    inside_organs,
    label_regions,
    lesion_cells,
    read_inside,
    replace_outside,
)
from hirescam.training.prepared import prepare_all, read_prepared_lesions
from hirescam.training.sampler import COLUMNS, FlipRotation, SamplerItem
from hirescam.training.train import train
from make import affine
from make_cases import LABELS, SHAPE, organs, small_config, write_cases

CPU = torch.device("cpu")
PREPARATION = {"spacing_mm": (2, 2, 2), "shape": SHAPE, "interpolation": "linear"}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    table = write_cases(tmp_path_factory.mktemp("cases"), train=6, valid=4)
    for number in range(10):
        folder = table.parent / "lesions" / f"scan-{number}"
        blocks = {"lung_nodule": np.s_[2:5, 20:40, 44:56]}
        blocks["heart_cardiomegaly"] = np.s_[4:8, 24:48, 26:38]
        for bit, (label, block) in enumerate(blocks.items()):
            if number >> bit & 1:
                mask = np.zeros(SHAPE, np.int16)
                mask[block] = 1
                folder.mkdir(parents=True, exist_ok=True)
                volume = Volume(mask, affine(spacing=(2, 2, 2)))
                volume.to_nifti(folder / f"{label}.nii.gz")
    return table


def prepared(config, tmp_path, **wanted):
    cases = read_cases(config)
    grid = assemble.grid(config, assemble.randomly_initialised_model(config, cases))
    some = cases.splits["train"]
    return cases, grid, prepare_all(some, grid, tmp_path, with_organs=True, **wanted)


def on_input():
    """The lungs and the heart on the network's input, whose axes may run another way."""
    masks = organs()
    codes = Volume(masks.codes.astype(np.int16), masks.affine)
    placed = place_codes(codes, small_config("x").preparation).voxels
    return np.isin(placed, [1, 2]), placed == 3


def test_voxels_inside_keep_their_scan_and_all_others_are_of_one_other(table, tmp_path):
    config = small_config(table, outside="swap", outside_margin_mm=0.0)
    cases, grid, files = prepared(config, tmp_path, inside_margin_mm=0.0)
    scans = PreparedScans(cases.splits["train"], files, grid, cases.anatomy, outside="swap")
    voxels = [read_packed(each.voxels) for each in files]
    lungs, heart = on_input()
    met = set()
    for seed in range(30):
        scan = scans.read(SamplerItem(2, seed=seed))
        unknown = torch.isnan(scan.labels).tolist()
        assert sorted(unknown) == [False, True]
        inside = heart if unknown[0] else lungs
        made = scan.voxels.numpy()
        np.testing.assert_array_equal(made[inside], voxels[2][inside])
        partner = [n for n in range(6) if np.array_equal(made[~inside], voxels[n][~inside])]
        assert len(partner) == 1
        assert partner[0] != 2
        assert scan.allowed[unknown].all(), "what is unknown costs no mask loss"
        met.add((partner[0], unknown[0]))
    assert {partner for partner, _ in met} == {0, 1, 3, 4, 5}
    assert {region for _, region in met} == {True, False}


def test_outside_can_be_air_and_validation_keeps_what_is_there(table, tmp_path):
    cases, grid, files = prepared(small_config(table), tmp_path, inside_margin_mm=0.0)
    some = cases.splits["train"]
    air = PreparedScans(some, files, grid, cases.anatomy, outside="air")
    scan = air.read(SamplerItem(1, seed=4))
    unknown = torch.isnan(scan.labels).tolist()
    lungs, heart = on_input()
    inside = heart if unknown[0] else lungs
    assert (scan.voxels.numpy()[~inside] == -1000).all()
    kept = PreparedScans(some, files, grid, cases.anatomy).read(SamplerItem(1, seed=4))
    np.testing.assert_array_equal(kept.voxels, read_packed(files[1].voxels))


@pytest.mark.parametrize("margin_mm", [0.0, 2.0, 5.0])
def test_inside_reaches_as_far_as_the_margin_says(margin_mm):
    codes = np.zeros((9, 20, 20), np.uint8)
    codes[4, 10, 10] = 1
    masks = replace(organs(), codes=codes, affine=affine(spacing=(2, 2, 2)))
    config = small_config("x", preparation=PREPARATION | {"shape": (9, 20, 20)})
    found = inside_organs(masks, config.preparation, margin_mm=margin_mm)
    at = np.argwhere(inside_organs(masks, config.preparation, margin_mm=0.0)[0])
    assert len(at) == 1
    grid = np.indices((9, 20, 20)) - at[0][:, None, None, None]
    distance_mm = 2 * np.sqrt((grid**2).sum(axis=0))
    np.testing.assert_array_equal(found[0], distance_mm <= margin_mm)
    assert not found[1:].any()


def test_of_a_scan_without_organs_nothing_is_replaced():
    nothing = replace(organs(), codes=np.zeros(SHAPE, np.uint8))
    config = small_config("x")
    assert inside_organs(nothing, config.preparation, margin_mm=5.0).all()


def test_labels_that_share_their_organs_share_a_region():
    anatomy = {
        "lung_mass": ("right_lung", "left_lung"),
        "heart_cabg": ("mediastinum",),
        "lung_cyst": ("right_lung", "left_lung"),
    }
    regions = [(o.tolist(), labels.tolist()) for o, labels in label_regions(anatomy)]
    assert sorted(labels for _, labels in regions) == [
        [False, True, False],
        [True, False, True],
    ]


def test_what_replaces_is_taken_outside_alone():
    voxels = np.arange(8, dtype=np.int16).reshape(2, 2, 2)
    replace_outside(voxels, voxels < 3, -voxels)
    assert voxels.ravel().tolist() == [0, 1, 2, -3, -4, -5, -6, -7]


def test_a_cell_holds_a_lesion_if_one_of_its_voxels_does():
    mask = np.zeros((9, 16, 16), bool)
    mask[4, 9, 6] = True
    states = lesion_cells(
        {"a": mask, "b": None, "c": np.zeros((1, 1, 1), bool)},
        np.eye(4),
        first=(0.0, 0.0, 0.0),
        step=(4.0, 4.0, 4.0),
        shape=(3, 4, 4),
    )
    expected = np.zeros((3, 4, 4), np.int8)
    expected[0:3, 1:4, 1:4] = -1  # beside the cell, diagonals included
    expected[1, 2, 2] = 1  # 4/4, 9/4 and 6/4, rounded
    np.testing.assert_array_equal(states[0], expected)
    assert (states[1] == -1).all()
    assert (states[2] == 0).all()


def test_a_lesion_beyond_all_cells_is_unknown():
    mask = np.zeros((9, 40, 40), bool)
    mask[4, 39, 39] = True
    grid = {"first": (0.0, 10.0, 10.0), "step": (3.0, 4.0, 4.0), "shape": (3, 3, 3)}
    assert (lesion_cells({"a": mask}, np.eye(4), **grid) == -1).all()


def test_lesions_are_prepared_on_the_map_of_each_label(table, tmp_path):
    config = small_config(table, mask_loss="cells", lesions=table.parent / "lesions")
    cases, grid, files = prepared(config, tmp_path, lesions_of=LABELS)
    for case, each in zip(cases.splits["train"], files, strict=True):
        states = read_prepared_lesions(each.lesions)
        present = (states == 1).any(axis=(1, 2, 3))
        np.testing.assert_array_equal(present, case.labels == 1)
        assert (states[case.labels == 0] == 0).all()
    scans = PreparedScans(cases.splits["train"], files, grid, cases.anatomy)
    plain = scans.read(SamplerItem(3)).lesions
    flipped = scans.read(SamplerItem(3, FlipRotation(COLUMNS))).lesions
    np.testing.assert_array_equal(flipped, plain.flip(-1))


def test_present_labels_without_a_mask_are_unknown(table, tmp_path):
    config = small_config(table, mask_loss="cells", lesions=table.parent / "lesions")
    cases, grid, _ = prepared(config, tmp_path)
    bare = [replace(case, lesions=None) for case in cases.splits["train"]]
    files = prepare_all(bare, grid, tmp_path, with_organs=False, lesions_of=LABELS)
    states = read_prepared_lesions(files[1].lesions)
    assert (states[0] == -1).all()
    assert (states[1] == 0).all()


def test_lesions_of_another_grid_are_refused(table, tmp_path):
    config = small_config(table, mask_loss="cells", lesions=table.parent / "lesions")
    cases, grid, _ = prepared(config, tmp_path)
    other = tmp_path / "wrong"
    other.mkdir()
    small = Volume(np.ones((5, 9, 9), np.int16), affine(spacing=(2, 2, 2)))
    small.to_nifti(other / "lung_nodule.nii.gz")
    wrong = [replace(cases.splits["train"][1], lesions=other)]
    with pytest.raises(ReadError, match="other voxels than its scan"):
        prepare_all(wrong, grid, tmp_path, with_organs=False, lesions_of=LABELS)


def test_a_folder_without_lesions_is_refused(table, tmp_path):
    (tmp_path / "none").mkdir()
    config = small_config(table, mask_loss="cells", lesions=tmp_path / "none")
    with pytest.raises(ReadError, match="holds no lesion masks"):
        read_cases(config)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mask_loss": "cells"}, "go together"),
        ({"mask_loss": "published", "lesions": "x"}, "go together"),
        ({"mask_loss": "published+other"}, "'other'"),
        ({"outside": "water"}, "outside"),
        ({"groups": "scanner", "layout": "simulated"}, "layout csv"),
    ],
)
def test_what_does_not_go_together_is_refused(table, changes, said):
    with pytest.raises((HirescamError, ValueError), match=said):
        small_config(table, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"mask_loss": "cells"},
        {"mask_loss": "published+cells", "outside": "swap"},
        {"mask_loss": "fraction", "outside": "air"},
        {"mask_loss": None, "gradient_penalty": 1.0},
        {"mask_loss": None, "groups": "split"},
        {
            "mask_loss": "cells",
            "architecture": "EvidenceNet",
            "arguments": {"width": 4, "stem": 4},
        },
    ],
    ids=str,
)
def test_each_way_trains_and_is_resumed_to_the_same_weights(table, tmp_path, changes):
    if "cells" in (changes["mask_loss"] or ""):
        changes = changes | {"lesions": table.parent / "lesions"}
    config = small_config(table, **changes, epochs=2)
    whole = train(config, tmp_path / "whole")
    train(config.model_copy(update={"epochs": 1}), tmp_path / "parts")
    resumed = train(config, tmp_path / "parts", resume=True)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name
    rows = [json.loads(r) for r in (tmp_path / "whole/metrics.jsonl").read_text().splitlines()]
    assert all(np.isfinite(row["loss"]) for row in rows if row["kind"] == "step")


def test_a_marker_outside_cannot_be_learnt_when_the_outside_is_swapped(table, tmp_path):
    """With the nodule's block as a marker of the heart: it is another scan's, at random."""
    config = small_config(table, outside="swap", outside_margin_mm=0.0)
    cases, grid, files = prepared(config, tmp_path, inside_margin_mm=0.0)
    scans = PreparedScans(cases.splits["train"], files, grid, cases.anatomy, outside="swap")
    voxels = [read_packed(each.voxels) for each in files]
    nodules = (voxels[1] == 60) & (voxels[3] == 60)
    items = [SamplerItem(index, seed=seed) for seed in range(20) for index in range(6)]
    agree = []
    with loading(scans, items, device=CPU) as samples:
        for sample in samples:
            index = sample.item.index
            heart = not bool(torch.isnan(sample.labels[0, 1]))
            if heart:  # the lungs are outside then, with the nodule's block as a marker
                own = bool(cases.splits["train"][index].labels[0])
                outside = torch.from_numpy(nodules & ~on_input()[1])
                seen = bool(sample.x.flatten(1, 2)[0][outside].mean() > 0)
                agree.append(own == seen)
    assert 0.2 < np.mean(agree) < 0.65


def test_inside_is_read_back_as_it_was_kept(table, tmp_path):
    config = small_config(table)
    _, _, files = prepared(config, tmp_path, inside_margin_mm=4.0)
    expected = inside_organs(organs(), config.preparation, margin_mm=4.0)
    np.testing.assert_array_equal(read_inside(files[0].inside), expected)
    assert files[0].inside == files[1].inside, "the same organs, once"
