"""Prepared scans: made once, and flip_rotate with everything that lies in them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hirescam.ct.packed import read_packed
from hirescam.ct.preparation import Preparation, network_input
from hirescam.ct.volume import Volume
from hirescam.errors import ReadError
from hirescam.organs.files import save_organs
from hirescam.regions.downsample import heuristic_organs_on_map, read_organs_on_map
from hirescam.training import assemble, prepared
from hirescam.training.datasets.read import read_cases
from hirescam.training.loader import PreparedScans, loading
from hirescam.training.prepared import cached_digest, digest, grid_of, prepare, prepare_all
from hirescam.training.sampler import (
    COLUMNS,
    ROWS,
    SLICES,
    FlipRotation,
    SamplerItem,
    flip_rotate,
)
from make_cases import LABELS, SHAPE, organs, small_config, write_cases

NODULE, HEART = range(2)
TURNS = [
    FlipRotation(flip, quarter_turns)
    for flip in (None, SLICES, ROWS, COLUMNS)
    for quarter_turns in (0, 1)
]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return small_config(write_cases(tmp_path_factory.mktemp("cases")))


@pytest.fixture(scope="module")
def grid(config):
    model = assemble.initial_model(config, read_cases(config))
    return grid_of(model, downsampling="centre")


@pytest.fixture(scope="module")
def cases(config):
    return read_cases(config)


def scans(cases, grid, folder, *, with_organs=True, **options):
    of_split = cases.splits["train"]
    files = prepare_all(of_split, grid, folder, with_organs=with_organs)
    return PreparedScans(of_split, files, grid, cases.anatomy, **options)


def fed(those, item):
    """What the network is fed of one scan."""
    with loading(those, [item], device=torch.device("cpu")) as samples:
        return next(samples)


def test_a_scan_is_prepared_once_and_found_again(cases, grid, tmp_path):
    first = prepare(cases.splits["train"][0], grid, tmp_path, with_organs=True)
    changed = first.voxels.stat().st_mtime_ns, first.organs.stat().st_mtime_ns
    again = prepare(cases.splits["train"][0], grid, tmp_path, with_organs=True)
    assert first == again
    assert changed == (again.voxels.stat().st_mtime_ns, again.organs.stat().st_mtime_ns)
    assert read_packed(first.voxels).shape == SHAPE


def test_organs_of_an_older_segmenter_are_not_taken(cases, grid, tmp_path, monkeypatch):
    case = replace(cases.splits["train"][0], organs=None)
    older, newer = [], []
    for kept in (older, newer):
        files = prepare(case, grid, tmp_path, with_organs=True)
        kept += [files.organs, *(tmp_path / "organs").glob("*.nii.gz")]
        monkeypatch.setattr(prepared, "SEGMENTED_BY", prepared.SEGMENTED_BY + 1)
    assert older[0] != newer[0]
    assert len(newer) - len(older) == 1


def test_a_scan_without_organs_gets_the_places_where_they_usually_lie(grid, tmp_path):
    empty = organs()
    empty.codes[:] = 0
    folder = tmp_path / "cases"
    config = small_config(write_cases(folder))
    save_organs(empty, folder / "organs.nii.gz")
    (case, *_) = read_cases(config).splits["train"]
    files = prepare(case, grid, tmp_path, with_organs=True)
    found = read_organs_on_map(files.organs, grid.map_shape)
    np.testing.assert_array_equal(found, heuristic_organs_on_map(grid.map_shape))


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_scan_and_regions_are_turned_alike(cases, grid, tmp_path, turn):
    those = scans(cases, grid, tmp_path)
    straight, sample = those.read(SamplerItem(1)), fed(those, SamplerItem(1, turn))
    voxels = flip_rotate(read_packed(those.files[1].voxels), turn).copy()
    expected = network_input(Volume(voxels, np.eye(4)), grid.preparation)
    assert torch.equal(sample.x[0], expected)
    regions = flip_rotate(straight.allowed.numpy(), turn)
    np.testing.assert_array_equal(sample.allowed[0].numpy(), regions)
    assert straight.allowed[NODULE].any()
    assert not straight.allowed[HEART].any()


def test_absent_labels_may_look_where_their_anatomy_has_them(cases, grid, tmp_path):
    nowhere = scans(cases, grid, tmp_path).read(SamplerItem(0))
    somewhere = scans(cases, grid, tmp_path, absent_by_anatomy=True).read(SamplerItem(0))
    assert nowhere.labels.tolist() == [0, 0]
    assert not nowhere.allowed.any()
    assert somewhere.allowed.flatten(1).any(dim=1).all()


def test_unknown_labels_may_look_anywhere_so_that_they_cost_nothing(cases, grid, tmp_path):
    cases.splits["train"][2].labels[NODULE] = np.nan
    sample = scans(cases, grid, tmp_path).read(SamplerItem(2))
    assert sample.allowed[NODULE].all()
    assert not sample.allowed[HEART].all()


def test_a_mirrored_patient_s_left_nodule_is_a_right_one(tmp_path):
    table = write_cases(tmp_path)
    text = table.read_text().replace("lung_nodule,", "left_lung_nodule,")
    table.write_text(text.replace("heart_cardiomegaly", "right_lung_nodule"))
    config = small_config(table, labels=("left_lung_nodule", "right_lung_nodule"))
    cases = read_cases(config)
    grid = grid_of(assemble.initial_model(config, cases), downsampling="centre")
    mirror = SamplerItem(1, FlipRotation(COLUMNS))
    as_published = scans(cases, grid, tmp_path / "cache").read(mirror)
    exchanged_sides = scans(cases, grid, tmp_path / "cache", exchange_sides=True).read(mirror)
    assert as_published.labels.tolist() == [1, 0]
    assert exchanged_sides.labels.tolist() == [0, 1]
    assert torch.equal(exchanged_sides.allowed[1], as_published.allowed[0])
    straight = scans(cases, grid, tmp_path / "cache").read(SamplerItem(1))
    assert torch.equal(exchanged_sides.allowed[1], straight.allowed[0].flip(-1))


def test_another_preparation_is_another_file(cases, grid, tmp_path):
    wide = Preparation(**(grid.preparation.model_dump() | {"spacing_mm": (3, 3, 3)}))
    case = cases.splits["train"][0]
    files = [
        prepare(case, each, tmp_path, with_organs=False)
        for each in (grid, replace(grid, preparation=wide))
    ]
    assert files[0].voxels != files[1].voxels
    assert files[0].organs is None


def test_a_digest_follows_content_and_not_names(tmp_path):
    for name, content in (("a", b"same"), ("b", b"same"), ("c", b"other")):
        (tmp_path / name).write_bytes(content)
    assert digest(tmp_path / "a") == digest(tmp_path / "b") != digest(tmp_path / "c")
    notes = tmp_path / "notes"
    assert cached_digest(tmp_path / "a", notes) == cached_digest(tmp_path / "a", notes)
    assert len(list(notes.iterdir())) == 1
    (tmp_path / "a").write_bytes(b"longer than it was")
    assert cached_digest(tmp_path / "a", notes) != digest(tmp_path / "b")


def test_a_scan_that_cannot_be_read_stops_with_its_name(cases, grid, tmp_path):
    broken = tmp_path / "broken.nii"
    broken.write_bytes(b"no scan")
    with pytest.raises(ReadError, match=r"broken\.nii"):
        prepare(
            replace(cases.splits["train"][0], scan=broken), grid, tmp_path, with_organs=False
        )


def test_scans_fit_the_network(cases, grid, tmp_path):
    sample = fed(scans(cases, grid, tmp_path, with_organs=False), SamplerItem(0, seed=9))
    assert sample.x.shape == (1, SHAPE[0] // 3, 3, *SHAPE[1:])
    assert sample.labels.shape == (1, len(LABELS))
    assert (sample.allowed, sample.item.seed) == (None, 9)
