"""A simulated chest keeps what it promises: the same bytes, true masks, the right side."""

import hashlib
from itertools import combinations

import numpy as np
import pytest
from scipy import ndimage

from hirescam.anatomy import LABELS, ORGANS
from hirescam.errors import HirescamError
from hirescam.simulation.chest import SIMULATED_LABELS, simulate
from hirescam.simulation.report import labels_of

COARSE = (4.0, 4.0, 4.0)
IN_LUNGS = ("right_lung", "left_lung")
GOLDEN_SHAPE = (86, 99, 99)
GOLDEN_VOXELS = {
    "right_lung": 41121,
    "left_lung": 34744,
    "mediastinum": 43736,
    "heart": 19220,
    "aorta": 3718,
    "airways": 693,
    "great_vessel_calcification": 24,
    "great_vessel_catheter_or_port": 67,
    "heart_cardiomegaly": 19220,
    "lung_consolidation": 3085,
    "lung_nodule": 6,
    "lung_pleural_effusion": 1177,
}


def chest(seed=1, **options):
    return simulate(seed, **{"spacing_mm": COARSE, **options})


def places(mask, volume):
    """Patient millimetres (right, front, head) of the voxels of a mask."""
    index = np.argwhere(mask)
    return index @ volume.affine[:3, :3].T + volume.affine[:3, 3]


def fingerprint(scan):
    arrays = [
        scan.volume.voxels,
        scan.volume.affine,
        *scan.masks.values(),
        *scan.organs.values(),
    ]
    return hashlib.sha256(b"".join(each.tobytes() for each in arrays)).hexdigest()


@pytest.fixture(scope="module")
def full():
    return chest(findings=SIMULATED_LABELS)


@pytest.fixture(scope="module")
def healthy():
    return chest(findings=())


def test_the_chest_of_a_seed_never_changes(full):
    counts = {name: int(mask.sum()) for name, mask in (full.organs | full.masks).items()}
    assert full.volume.shape == GOLDEN_SHAPE
    assert counts == GOLDEN_VOXELS


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    assert fingerprint(chest(3)) == fingerprint(chest(3))
    assert fingerprint(chest(3)) != fingerprint(chest(4))


def test_the_volume_is_a_chest_in_whole_hounsfield_units(full):
    volume = full.volume
    assert volume.orientation == "IPL"
    assert volume.voxels.dtype == np.int16
    tall, deep, wide = np.array(volume.shape) * volume.spacing_mm
    assert 270 < tall < 370
    assert deep == wide
    assert 335 < wide < 405


def test_masks_belong_to_present_findings_and_organs_to_everyone(full, healthy):
    assert set(SIMULATED_LABELS) <= set(full.masks) == set(labels_of(full.cells))
    assert all(mask.any() for mask in full.masks.values())
    assert healthy.masks == {}
    assert healthy.sides == {}
    assert tuple(full.organs) == tuple(healthy.organs) == (*ORGANS, "heart", "aorta", "airways")
    assert full.labels == dict.fromkeys(SIMULATED_LABELS, True)
    assert healthy.labels == dict.fromkeys(SIMULATED_LABELS, False)
    assert set(SIMULATED_LABELS) <= set(LABELS)


def test_organs_do_not_overlap(full):
    for one, other in combinations((full.organs[organ] for organ in ORGANS), 2):
        assert not (one & other).any()


@pytest.mark.parametrize("seed", range(2))
def test_every_finding_lies_in_its_organ_on_its_side(seed):
    scan = chest(seed, findings=SIMULATED_LABELS)
    lungs = scan.organs["right_lung"] | scan.organs["left_lung"]
    for label, mask in scan.masks.items():
        home = lungs if label.startswith("lung") else scan.organs["mediastinum"]
        least = (
            0.5 if label == "great_vessel_catheter_or_port" else 1.0
        )  # it comes from the neck
        assert (mask & home).sum() >= least * mask.sum() > 0, label
    assert (scan.organs["heart"] & ~scan.organs["mediastinum"]).sum() == 0
    for label, side in scan.sides.items():
        sides = {"both": IN_LUNGS}.get(side, (f"{side}_lung",))
        touched = {lung for lung in IN_LUNGS if (scan.masks[label] & scan.organs[lung]).any()}
        assert touched == set(sides), label


@pytest.mark.parametrize("label", sorted(set(SIMULATED_LABELS) - {"heart_cardiomegaly"}))
def test_a_finding_changes_the_scan_only_where_it_lies(label, healthy):
    ill = chest(findings={label})
    around = ndimage.binary_dilation(ill.masks[label], np.ones((3, 3, 3)), iterations=3)
    changed = np.abs(ill.volume.voxels.astype(int) - healthy.volume.voxels) > 2
    assert changed.any()
    assert (changed & ~around).sum() <= 0.02 * changed.sum()  # faint edges of thin wedges
    for organ in ORGANS:
        np.testing.assert_array_equal(ill.organs[organ], healthy.organs[organ])


def test_an_enlarged_heart_takes_its_room_from_the_lungs_alone(healthy):
    ill = chest(findings={"heart_cardiomegaly"})
    lungs = [sum(scan.organs[lung].sum() for lung in IN_LUNGS) for scan in (ill, healthy)]
    assert lungs[0] < 0.95 * lungs[1]
    chests = [
        np.logical_or.reduce([scan.organs[organ] for organ in ORGANS])
        for scan in (ill, healthy)
    ]
    np.testing.assert_array_equal(*chests)
    bone = [scan.volume.voxels[~chests[0]] > 250 for scan in (ill, healthy)]
    assert (bone[0] != bone[1]).mean() < 1e-4  # the kernel carries edges to the next voxel


def test_right_is_the_right_of_the_patient(full):
    right, left = (places(full.organs[lung], full.volume) for lung in IN_LUNGS)
    assert right[:, 0].min() > 0 > left[:, 0].max()
    assert len(right) > len(left)
    heart = places(full.masks["heart_cardiomegaly"], full.volume)
    assert heart[:, 0].mean() < -5
    assert heart[:, 1].mean() > 0


def test_fluid_lies_at_the_back():
    scan = chest(findings={"lung_pleural_effusion"})
    fluid = places(scan.masks["lung_pleural_effusion"], scan.volume)
    lungs = places(scan.organs["right_lung"] | scan.organs["left_lung"], scan.volume)
    assert np.quantile(fluid[:, 1], 0.9) < np.median(lungs[:, 1])


def test_who_lies_prone_has_fluid_in_front_air_behind_and_the_table_under_the_chest():
    findings = {"lung_pleural_effusion", "lung_pneumothorax"}
    supine, prone = (chest(findings=findings, position=lies) for lies in ("supine", "prone"))
    fluid, air = (
        [places(scan.masks[label], scan.volume)[:, 1].mean() for scan in (supine, prone)]
        for label in ("lung_pleural_effusion", "lung_pneumothorax")
    )
    assert fluid[1] - fluid[0] > 40
    assert air[0] - air[1] > 40
    tables = [
        places((scan.volume.voxels > -600) & _far_from_body(scan), scan.volume)[:, 1].mean()
        for scan in (supine, prone)
    ]
    assert tables[0] < -60
    assert tables[1] > 60


def _far_from_body(scan):
    body = ndimage.binary_opening(scan.volume.voxels > -300, iterations=3)
    return ~ndimage.binary_dilation(body, iterations=5)


def test_organs_keep_their_size_on_another_grid(healthy):
    fine = chest(findings=(), spacing_mm=(2.5, 2.0, 2.0))
    for organ in ORGANS:
        coarse_ml, fine_ml = (
            scan.organs[organ].sum() * np.prod(scan.volume.spacing_mm) / 1000
            for scan in (healthy, fine)
        )
        assert coarse_ml == pytest.approx(fine_ml, rel=0.03), organ


def test_findings_keep_their_place_on_another_grid():
    thin, thick = (
        chest(findings={"lung_nodule"}, spacing_mm=spacing)
        for spacing in ((2.5, 2.0, 2.0), COARSE)
    )
    centres = [
        places(scan.masks["lung_nodule"], scan.volume).mean(axis=0) for scan in (thin, thick)
    ]
    assert np.linalg.norm(centres[0] - centres[1]) < 2


RANGES_HU = {
    "lung_nodule": (15, 65),
    "lung_consolidation": (-50, 45),
    "lung_pleural_effusion": (0, 20),
    "heart_cardiomegaly": (35, 55),
    "great_vessel_calcification": (300, 900),
    "great_vessel_catheter_or_port": (1000, 2500),
}


@pytest.mark.parametrize("label", SIMULATED_LABELS)
def test_every_finding_has_the_density_of_its_tissue(label):
    scan = chest(2, findings={label}, spacing_mm=(2.5, 2.0, 2.0))
    low, high = RANGES_HU[label]
    assert low < np.median(scan.volume.voxels[scan.masks[label]]) < high


def test_prevalence_says_how_often_findings_are_drawn():
    never, always = (chest(prevalence=share, spacing_mm=(12.0,) * 3) for share in (0.0, 1.0))
    assert not any(never.labels.values())
    assert all(always.labels.values())
    some = chest(prevalence={"lung_cyst": 1.0, "lung_mass": 0.0}, spacing_mm=(12.0,) * 3)
    assert some.labels == {"lung_cyst": True, "lung_mass": False}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"findings": {"lung_lump"}}, "lung_lump"),
        ({"spacing_mm": (0.0, 1.0, 1.0)}, "positive"),
        ({"seed": -1}, "seed"),
        ({"shortcuts": {"watermark": True}}, "watermark"),
    ],
)
def test_what_cannot_be_simulated_is_refused_by_name(options, named):
    with pytest.raises(HirescamError, match=named):
        chest(**options)


def test_one_finding_may_be_asked_for_by_its_name_alone():
    alone = simulate(3, findings="lung_cyst", spacing_mm=(9.0, 9.0, 9.0))
    assert alone.labels["lung_cyst"]


@pytest.mark.parametrize("prevalence", [2.0, {"lung_cyst": -0.1}])
def test_a_prevalence_that_is_no_share_is_refused(prevalence):
    with pytest.raises(HirescamError, match="from 0 to 1"):
        simulate(3, prevalence=prevalence)
